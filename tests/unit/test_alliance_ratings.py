"""Ratings: given once, changed for a while, and added up without losing a star."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from fairwind.alliance import Rating, RatingClosed, RatingDraft, Reviewing
from fairwind.alliance.rating import CHANGE_WITHIN, centistars, rated
from fairwind.kernel import OrderId, PersonId, ProductId, ShopId

NOW = datetime(2020, 6, 18, 12, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def said(stars: int, text: str = "") -> Reviewing:
    return Reviewing(OrderId(UUID(int=1)), 1, ProductId(2), PersonId(3), RatingDraft(stars, text))


def given_before(stars: int, text: str = "") -> Rating:
    rating = rated(ShopId(1), said(stars, text), None, NOW)
    assert isinstance(rating, Rating)
    return rating


def test_a_rating_may_be_changed_for_thirty_days_to_the_microsecond() -> None:
    first = given_before(3)

    late = rated(ShopId(1), said(5), first, NOW + CHANGE_WITHIN)
    changed = rated(ShopId(1), said(5, "用了一周，很好"), first, NOW + CHANGE_WITHIN - MICROSECOND)

    assert isinstance(late, RatingClosed)
    assert isinstance(changed, Rating)
    assert (changed.stars, changed.text, changed.rated_at) == (5, "用了一周，很好", NOW)
    assert changed.changed_at == NOW + CHANGE_WITHIN - MICROSECOND


def test_saying_the_same_again_changes_nothing_however_late() -> None:
    first = given_before(3, "一般")

    assert rated(ShopId(1), said(3, "一般"), first, NOW + 2 * CHANGE_WITHIN) == first


def test_a_change_never_precedes_what_it_changes_even_if_the_clock_does() -> None:
    changed = rated(ShopId(1), said(5), given_before(3), NOW - timedelta(hours=1))

    assert isinstance(changed, Rating)
    assert changed.changed_at == NOW


@given(st.lists(st.integers(1, 5), max_size=50))
def test_the_mean_is_between_one_and_five_stars_and_rounds_down(stars: list[int]) -> None:
    mean = centistars(sum(stars), len(stars))

    if not stars:
        assert mean is None
    else:
        assert mean is not None
        assert 100 <= mean <= 500
        assert mean * len(stars) <= sum(stars) * 100 < (mean + 1) * len(stars)
