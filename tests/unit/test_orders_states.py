"""The transition tables: what they allow, what they refuse, and the diagrams drawn from them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from itertools import product
from typing import Any

import pytest

from fairwind.orders import REFUND_TRANSITIONS, TRANSITIONS, State, diagram
from fairwind.orders.states import OPEN_REFUNDS, Action, RefundAction, RefundState, WrongState, after

TABLES = {
    "order": (TRANSITIONS, State, Action, State.PLACED),
    "refund": (REFUND_TRANSITIONS, RefundState, RefundAction, RefundState.REQUESTED),
}
PAIRS = [
    pytest.param(table, state, action, id=f"{name}-{state}-{action}".replace(" ", "_"))
    for name, (table, states, actions, _) in TABLES.items()
    for state, action in product(states, actions)
]
Table = Mapping[tuple[StrEnum, StrEnum], StrEnum]


@pytest.mark.parametrize(("table", "state", "action"), PAIRS)
def test_only_what_the_table_names_leads_anywhere(table: Table, state: StrEnum, action: StrEnum) -> None:
    outcome = after(table, state, action)
    if (state, action) in table:
        assert outcome == table[state, action]
    else:
        assert isinstance(outcome, WrongState)
        assert outcome.more == {"state": state.value}
        assert action.value in outcome.detail
        assert all(other.value in outcome.detail for other_state, other in table if other_state == state)


@pytest.mark.parametrize("name", TABLES)
def test_every_state_can_be_reached_from_the_first(name: str) -> None:
    table, states, _, first = TABLES[name]
    reached: set[Any] = {first}
    while more := {following for (state, _), following in table.items() if state in reached} - reached:
        reached |= more
    assert reached == set(states)


@pytest.mark.parametrize("name", TABLES)
def test_no_action_leaves_a_state_as_it_is(name: str) -> None:
    table = TABLES[name][0]
    assert not [pair for pair, following in table.items() if pair[0] == following]


def test_an_order_ends_refunded_and_a_completed_one_may_still_be_given_back_and_a_cancelled_one_paid() -> None:
    leading = {state for state, _ in TRANSITIONS}
    assert set(State) - leading == {State.REFUNDED}
    assert [action for state, action in TRANSITIONS if state == State.COMPLETED] == [Action.REFUND_WHOLE]
    assert after(TRANSITIONS, State.CANCELLED, Action.PAY) == State.PAID


def test_money_that_is_on_its_way_cannot_be_called_back() -> None:
    assert [action for state, action in REFUND_TRANSITIONS if state == RefundState.REFUNDING] == [RefundAction.CONFIRM]


def test_a_refund_waits_for_a_decision_exactly_while_it_can_be_withdrawn() -> None:
    assert {state for state, action in REFUND_TRANSITIONS if action == RefundAction.WITHDRAW} == OPEN_REFUNDS


def test_a_state_that_nothing_follows_says_so() -> None:
    refusal = after(TRANSITIONS, State.REFUNDED, Action.SHIP)
    assert isinstance(refusal, WrongState)
    assert refusal.detail == "cannot ship what is refunded; nothing can change it any more"


def test_the_diagram_draws_the_whole_life_of_an_order() -> None:
    assert diagram(TRANSITIONS, State.PLACED) == "\n".join(
        [
            "stateDiagram-v2",
            "    [*] --> placed",
            "    placed --> paid: pay",
            "    placed --> cancelled: cancel",
            "    placed --> cancelled: time out",
            "    cancelled --> paid: pay",
            "    paid --> shipped: ship",
            "    shipped --> received: receive",
            "    received --> completed: complete",
            "    paid --> refunded: refund whole",
            "    shipped --> refunded: refund whole",
            "    received --> refunded: refund whole",
            "    completed --> refunded: refund whole",
            "    refunded --> [*]",
        ]
    )


def test_the_diagram_draws_each_transition_once() -> None:
    drawn = diagram(REFUND_TRANSITIONS, RefundState.REQUESTED).splitlines()
    assert len(drawn) == len(set(drawn)) == 2 + len(REFUND_TRANSITIONS) + 3
    assert {line.split()[0] for line in drawn if line.endswith("--> [*]")} == {"refunded", "declined", "withdrawn"}
