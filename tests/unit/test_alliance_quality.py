"""The quality pool: what goods have to meet, to the last ppm and fen, and by how much they miss."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairwind.alliance.quality import (
    Criteria,
    CriteriaUnmet,
    Criterion,
    Fault,
    Nomination,
    NominationAction,
    NominationId,
    NominationState,
    NominationStep,
    PastPrice,
    Standing,
    faults,
    step,
    unmet,
)
from fairwind.kernel import Fen, Forbidden, PersonId, Ppm, ProductId, ShopId, SkuId

NOW = datetime(2020, 6, 18, 12, tzinfo=UTC)
CRITERIA = Criteria(3, 450, 10, Ppm(100_000), 20, 15, 30, Ppm(50_000), None, NOW)
GOOD = Standing(True, 450, 10, 20, 2, 15, (PastPrice(SkuId(1), Fen(10_500), Fen(10_000)),))
NOMINATION = Nomination(ShopId(1), NominationId(UUID(int=1)), ProductId(2), NominationState.NOMINATED, PersonId(3), NOW)

standings = st.builds(
    Standing,
    on_shelf=st.booleans(),
    centistars=st.none() | st.integers(100, 500),
    ratings=st.integers(0, 30),
    sold_quantity=st.integers(0, 60),
    returned_quantity=st.integers(0, 20),
    stock_quantity=st.integers(0, 40),
    prices=st.lists(
        st.builds(
            lambda sku, lowest, above: PastPrice(SkuId(sku), Fen(lowest + above), Fen(lowest)),
            st.integers(1, 5), st.integers(1, 20_000), st.integers(0, 3_000),
        ),
        max_size=4,
    ).map(tuple),
)  # fmt: skip


def test_what_meets_every_criterion_exactly_has_no_fault() -> None:
    assert faults(CRITERIA, GOOD) == []


@pytest.mark.parametrize(
    ("standing", "criterion", "needed", "measured"),
    [
        (replace(GOOD, on_shelf=False), Criterion.ON_SHELF, 1, 0),
        (replace(GOOD, centistars=449), Criterion.RATING, 450, 449),
        (replace(GOOD, ratings=9), Criterion.RATINGS, 10, 9),
        (replace(GOOD, sold_quantity=19, returned_quantity=1), Criterion.SOLD, 20, 19),
        (replace(GOOD, sold_quantity=10_000_000, returned_quantity=1_000_001), Criterion.RETURN_RATE, 100_000, 100_001),
        (replace(GOOD, stock_quantity=14), Criterion.STOCK, 15, 14),
        (replace(GOOD, prices=(PastPrice(SkuId(1), Fen(10_501), Fen(10_000)),)), Criterion.PRICE, 10_500, 10_501),
        (replace(GOOD, prices=(PastPrice(SkuId(1), Fen(20), Fen(19)),)), Criterion.PRICE, 19, 20),
    ],
    ids=lambda value: value.value if isinstance(value, Criterion) else "",
)
def test_what_misses_by_a_hair_is_told_which_and_by_how_much(
    standing: Standing, criterion: Criterion, needed: int, measured: int
) -> None:
    [fault] = faults(CRITERIA, standing)

    assert (fault.criterion, fault.needed, fault.measured) == (criterion, needed, measured)
    assert fault.by == abs(needed - measured)
    assert not fault.chinese.isascii()


def test_of_several_dear_skus_the_one_furthest_off_is_named() -> None:
    prices = tuple(PastPrice(SkuId(n), Fen(price), Fen(100)) for n, price in ((1, 110), (2, 150), (3, 150), (4, 99)))

    [fault] = faults(CRITERIA, replace(GOOD, prices=prices))

    assert (fault.needed, fault.measured) == (105, 150)
    assert "SKU 2 costs 1.50 yuan" in fault.english


def test_criteria_of_nothing_ask_nothing_but_to_be_on_the_shelf() -> None:
    nothing = Criteria(1, 500, 0, Ppm(1_000_000), 0, 0, 0, Ppm(0), None, NOW)
    unknown = Standing(True, None, 0, 0, 0, 0, (PastPrice(SkuId(1), Fen(9), Fen(1)),))

    assert faults(nothing, unknown) == []


@given(standing=standings)
def test_a_fault_always_misses_by_something_and_no_criterion_is_named_twice(standing: Standing) -> None:
    found = faults(CRITERIA, standing)

    assert all(fault.by > 0 and fault.by == abs(fault.needed - fault.measured) for fault in found)
    assert [fault.criterion for fault in found] == sorted(
        {fault.criterion for fault in found}, key=list(Criterion).index
    )
    assert msgspec.json.decode(msgspec.json.encode(found), type=list[Fault]) == found


@given(standing=standings)
def test_more_stock_better_ratings_and_fewer_returns_never_add_a_fault(standing: Standing) -> None:
    better = replace(
        standing,
        stock_quantity=standing.stock_quantity + 1,
        ratings=standing.ratings + 1,
        centistars=min((standing.centistars or 100) + 1, 500) if standing.centistars else None,
        returned_quantity=max(standing.returned_quantity - 1, 0),
    )

    assert {fault.criterion for fault in faults(CRITERIA, better)} <= {
        fault.criterion for fault in faults(CRITERIA, standing)
    }


def test_the_refusal_carries_the_faults() -> None:
    found = faults(CRITERIA, replace(GOOD, ratings=9, stock_quantity=0))
    refusal = unmet(found)

    assert isinstance(refusal, CriteriaUnmet)
    assert refusal.more == {"faults": found}
    assert "10 ratings are needed and it has 9; 15 pieces in stock are needed and it has 0" in refusal.detail
    assert unmet([]) is None


def test_what_falls_short_is_not_approved_and_may_still_be_declined() -> None:
    found = faults(CRITERIA, replace(GOOD, ratings=9))
    approve = NominationStep(NOMINATION.id, NominationAction.APPROVE, PersonId(9))
    decline = NominationStep(NOMINATION.id, NominationAction.DECLINE, PersonId(9), "下次")

    assert isinstance(step(NOMINATION, approve, found, CRITERIA, NOW), CriteriaUnmet)
    member = step(NOMINATION, approve, [], CRITERIA, NOW)
    assert isinstance(member, Nomination)
    assert (member.state, member.criteria_version, member.decided_by) == ("member", 3, 9)
    declined = step(NOMINATION, decline, found, CRITERIA, NOW)
    assert isinstance(declined, Nomination)
    assert (declined.state, declined.message, declined.criteria_version) == ("declined", "下次", None)


def test_a_step_that_is_taken_again_changes_nothing() -> None:
    for action in (NominationAction.APPROVE, NominationAction.DECLINE, NominationAction.WITHDRAW):
        wanted = NominationStep(NOMINATION.id, action, PersonId(9))
        outcome = step(NOMINATION, wanted, [], CRITERIA, NOW)
        assert isinstance(outcome, Nomination)
        assert step(outcome, wanted, faults(CRITERIA, replace(GOOD, ratings=9)), CRITERIA, NOW) == outcome


def test_who_nominated_it_for_the_shop_does_not_approve_it_for_the_platform() -> None:
    approve = NominationStep(NOMINATION.id, NominationAction.APPROVE, NOMINATION.nominated_by)

    assert isinstance(step(NOMINATION, approve, [], CRITERIA, NOW), Forbidden)


def test_what_leaves_says_why_and_who_took_it_out() -> None:
    member = replace(
        NOMINATION, state=NominationState.MEMBER, decided_by=PersonId(9), decided_at=NOW, criteria_version=3
    )
    found = faults(CRITERIA, replace(GOOD, ratings=9))

    by_itself = step(member, NominationStep(member.id, NominationAction.REMOVE, None), found, CRITERIA, NOW)
    by_operator = step(
        member, NominationStep(member.id, NominationAction.REMOVE, PersonId(9), "违规"), [], CRITERIA, NOW
    )
    by_shop = step(member, NominationStep(member.id, NominationAction.WITHDRAW, PersonId(3)), [], CRITERIA, NOW)

    assert isinstance(by_itself, Nomination)
    assert (by_itself.faults, by_itself.left_at, by_itself.left_by) == (found, NOW, None)
    assert isinstance(by_operator, Nomination)
    assert (by_operator.faults, by_operator.message, by_operator.left_by) == (None, "违规", 9)
    assert isinstance(by_shop, Nomination)
    assert (by_shop.state, by_shop.faults, by_shop.left_by) == ("withdrawn", None, 3)
