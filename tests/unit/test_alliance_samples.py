"""Samples: what the table of their states allows, and who may have one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairwind.alliance import NOMINATION_TRANSITIONS, SAMPLE_TRANSITIONS, NominationState, SampleState
from fairwind.alliance.quality import OPEN, NominationAction
from fairwind.alliance.sample import (
    BY_CREATOR,
    NoSamples,
    Sample,
    SampleAction,
    SampleAddress,
    SampleId,
    SampleLimit,
    SampleOffer,
    SampleShipment,
    SampleStep,
    request_refusal,
    step,
)
from fairwind.kernel import NotFound, PersonId, ProductId, ShopId
from fairwind.kernel.states import WrongState, after, diagram

NOW = datetime(2020, 6, 18, 12, tzinfo=UTC)
SHOW_WITHIN = timedelta(days=15)
CREATOR = PersonId(7)
ADDRESS = SampleAddress("小风", "13800000000", "330106", "文三路 1 号")
SAMPLE = Sample(ShopId(1), SampleId(UUID(int=1)), ProductId(2), CREATOR, SampleState.REQUESTED, ADDRESS, "试穿", NOW)
OFFER = SampleOffer(ShopId(1), ProductId(2), 3, 1)

TABLES: dict[str, tuple[Mapping[Any, Any], Any, Any, Any]] = {
    "sample": (SAMPLE_TRANSITIONS, SampleState, SampleAction, SampleState.REQUESTED),
    "nomination": (NOMINATION_TRANSITIONS, NominationState, NominationAction, NominationState.NOMINATED),
}


def wanted(action: SampleAction, creator_id: PersonId = CREATOR) -> SampleStep:
    return SampleStep(
        SAMPLE.id,
        action,
        creator_id if action in BY_CREATOR else None,
        "好",
        SampleShipment("顺丰", "SF123456"),
        "https://example.com/video",
    )


@pytest.mark.parametrize("name", TABLES)
def test_only_what_the_table_names_leads_anywhere(name: str) -> None:
    table, states, actions, _ = TABLES[name]
    for state, action in product(states, actions):
        outcome = after(table, state, action)
        assert outcome == table[state, action] if (state, action) in table else isinstance(outcome, WrongState)


@pytest.mark.parametrize("name", TABLES)
def test_every_state_can_be_reached_and_is_drawn(name: str) -> None:
    table, states, _, first = TABLES[name]
    reached: set[StrEnum] = {first}
    while more := {following for (state, _), following in table.items() if state in reached} - reached:
        reached |= more

    assert reached == set(states)
    drawn = diagram(table, first)
    assert drawn.startswith(f"stateDiagram-v2\n    [*] --> {first.value}\n")
    assert all(f"{state.value} --> " in drawn for state in states)


def test_a_product_can_only_be_nominated_again_once_its_nomination_is_over() -> None:
    assert {state for state, _ in NOMINATION_TRANSITIONS} == OPEN


@given(st.lists(st.sampled_from(SampleAction), max_size=12))
def test_whatever_is_tried_a_sample_keeps_its_times_in_order_and_its_state_says_which_it_has(
    actions: list[SampleAction],
) -> None:
    sample, now = SAMPLE, NOW
    for action in actions:
        now += timedelta(hours=1)
        outcome = step(sample, wanted(action), OFFER, SHOW_WITHIN, now)
        if isinstance(outcome, Sample):
            sample = outcome

    moments = [sample.requested_at, sample.decided_at, sample.shipped_at, sample.received_at, sample.closed_at]
    there = [moment for moment in moments if moment is not None]
    assert there == sorted(there)
    assert (sample.decided_at is None) == (sample.state in {"requested", "withdrawn"})
    assert (sample.shipped_at is not None) == (sample.state in {"shipped", "received", "shown", "overdue"})
    assert (sample.carrier is not None) == (sample.shipped_at is not None)
    assert (sample.show_by is not None) == (sample.received_at is not None)
    assert (sample.shown_at_url is not None) == (sample.state == "shown")
    assert (sample.closed_at is not None) == (sample.state in {"declined", "withdrawn", "shown", "overdue"})


def test_a_sample_goes_all_the_way_to_being_shown() -> None:
    sample = SAMPLE
    for action in (SampleAction.APPROVE, SampleAction.SHIP, SampleAction.RECEIVE, SampleAction.SHOW):
        outcome = step(sample, wanted(action), OFFER, SHOW_WITHIN, NOW)
        assert isinstance(outcome, Sample)
        sample = outcome

    assert sample.state is SampleState.SHOWN
    assert (sample.message, sample.carrier, sample.tracking_number) == ("好", "顺丰", "SF123456")
    assert sample.show_by == NOW + SHOW_WITHIN


def test_a_step_that_is_taken_again_changes_nothing_unless_it_says_something_else() -> None:
    sample = SAMPLE
    for action in (SampleAction.APPROVE, SampleAction.SHIP, SampleAction.RECEIVE, SampleAction.SHOW):
        outcome = step(sample, wanted(action), OFFER, SHOW_WITHIN, NOW)
        assert isinstance(outcome, Sample)
        assert step(outcome, wanted(action), OFFER, SHOW_WITHIN, NOW + SHOW_WITHIN) == outcome
        if action is SampleAction.SHIP:
            other = replace(wanted(action), shipment=SampleShipment("圆通", "YT1"))
            assert isinstance(step(outcome, other, OFFER, SHOW_WITHIN, NOW), WrongState)
        if action is SampleAction.SHOW:
            other = replace(wanted(action), url="/live-sessions/2")
            assert isinstance(step(outcome, other, OFFER, SHOW_WITHIN, NOW), WrongState)
        sample = outcome


@pytest.mark.parametrize("action", sorted(BY_CREATOR))
def test_what_a_creator_does_another_creator_cannot(action: SampleAction) -> None:
    assert isinstance(step(SAMPLE, wanted(action, PersonId(8)), OFFER, SHOW_WITHIN, NOW), NotFound)


def test_no_more_samples_are_agreed_to_than_are_offered() -> None:
    none_left = SampleOffer(ShopId(1), ProductId(2), 3, 1, 3)

    assert isinstance(step(SAMPLE, wanted(SampleAction.APPROVE), none_left, SHOW_WITHIN, NOW), NoSamples)
    assert isinstance(step(SAMPLE, wanted(SampleAction.DECLINE), none_left, SHOW_WITHIN, NOW), Sample)


@pytest.mark.parametrize(
    ("offer", "asked", "on_shelf", "refusal"),
    [
        (OFFER, 0, True, type(None)),
        (OFFER, 0, False, NoSamples),
        (None, 0, True, NoSamples),
        (SampleOffer(ShopId(1), ProductId(2), 0, 1), 0, True, NoSamples),
        (SampleOffer(ShopId(1), ProductId(2), 3, 1, 3), 0, True, NoSamples),
        (SampleOffer(ShopId(1), ProductId(2), 2, 1, 3), 0, True, NoSamples),
        (OFFER, 1, True, SampleLimit),
        (SampleOffer(ShopId(1), ProductId(2), 3, 2), 1, True, type(None)),
    ],
)
def test_who_gets_no_sample_is_told_why(
    offer: SampleOffer | None, asked: int, on_shelf: bool, refusal: type[object]
) -> None:
    assert type(request_refusal(offer, asked, on_shelf=on_shelf)) is refusal
