"""Transition tables: what may happen to a thing in each of its states, and nothing else may. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from fairwind.kernel.refusals import Refused

S = TypeVar("S", bound=StrEnum)
A = TypeVar("A", bound=StrEnum)


class WrongState(Refused):
    """What was asked for cannot happen to a thing in its present state."""

    code = "wrong_state"
    status = 409


def after(table: Mapping[tuple[S, A], S], state: S, action: A) -> S | WrongState:
    """The state that action leads to from state."""
    following = table.get((state, action))
    if following is None:
        allowed = [a.value for s, a in table if s == state]
        hint = f"possible now: {', '.join(allowed)}" if allowed else "nothing can change it any more"
        return WrongState(f"cannot {action.value} what is {state.value}; {hint}", state=state.value)
    return following


def arrived(table: Mapping[tuple[S, A], S], state: S, action: A) -> bool:
    """Whether action has led to state: to ask for it once more changes nothing."""
    return any((leading, to) == (action, state) for (_, leading), to in table.items())


def diagram(table: Mapping[tuple[S, A], S], first: S) -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {first.value}"]
    lines += [
        f"    {state.value} --> {following.value}: {action.value}" for (state, action), following in table.items()
    ]
    ends = [state for state in table.values() if not any(s == state for s, _ in table)]
    lines += [f"    {state.value} --> [*]" for state in dict.fromkeys(ends)]
    return "\n".join(lines)
