"""What was measured beside what it ought to be: the rows of the report."""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct, frozen=True):
    """One target. goal: in words. measured: the figure itself. met: whether the figure, unrounded, keeps the goal."""

    name: str
    goal: str
    measured: float
    met: bool


def at_least(name: str, measured: float, goal: float, unit: str = "") -> Row:
    return Row(name, f"≥ {goal:.4g}{unit}", measured, measured >= goal)


def at_most(name: str, measured: float, goal: float, unit: str = "") -> Row:
    return Row(name, f"≤ {goal:.4g}{unit}", measured, measured <= goal)
