"""Plans and their versions: whatever is published in whatever order, a raise bites at once and a cut tomorrow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwind.alliance.plan import CREATOR_MAX_PPM, Kind, Step, Terms, fall_ppm, takes_away, terms_refusal
from fairwind.alliance.promise import Ending, OrdinaryNeeded, PlanLive, Promises, Publishing
from fairwind.alliance.versions import (
    EXCLUSIVE_CUT_EVERY,
    EXCLUSIVE_CUT_MAX_PPM,
    Change,
    CutTooDeep,
    CutTooSoon,
    Version,
    in_force,
    next_midnight,
    pending,
    publish,
)
from fairwind.kernel import CHINA, PPM_WHOLE, Invalid, PersonId, PlanId, Ppm, ProductId, Refused, ShopId
from fairwind.kernel.rates import COMMISSION_PPM_MAX, FEE_PPM_MAX, RateTooHigh
from plans import DAY, MIDNIGHT, terms

NOW = datetime(2020, 6, 18, 12, tzinfo=UTC)
BY = PersonId(1)


@st.composite
def any_terms(draw: st.DrawFn, kind: Kind = Kind.ACTIVITY) -> Terms:
    """Terms that a plan of the kind may promise."""
    highest = min(CREATOR_MAX_PPM[kind], 500_000)
    rates = sorted(draw(st.sets(st.integers(0, highest), min_size=1, max_size=4)))
    reached = sorted(draw(st.sets(st.integers(1, 50), min_size=len(rates) - 1, max_size=len(rates) - 1)))
    steps = tuple(Step(at, Ppm(rate)) for at, rate in zip(reached, rates[1:], strict=True))
    by = draw(st.sampled_from(["quantity", "gmv"])) if steps else None
    agency = draw(st.integers(0, 400_000)) if kind is Kind.ACTIVITY else 0
    return Terms(Ppm(rates[0]), Ppm(agency), by, steps)


published = st.lists(
    st.tuples(st.timedeltas(timedelta(0), timedelta(days=3)), st.none() | any_terms()), min_size=1, max_size=8
)


def history(steps: list[tuple[timedelta, Terms | None]], kind: Kind = Kind.ACTIVITY) -> list[Version]:
    """The versions after publishing these terms, each so long after the one before; until the plan has ended."""
    versions: list[Version] = []
    now = NOW
    for pause, wanted in steps:
        now += pause
        present = in_force(versions, now)
        if (present is not None and present.terms is None) or (wanted is None and not versions):
            continue
        apply(versions, publish(kind, versions, wanted, BY, now))
    return versions


def apply(versions: list[Version], change: Change | Refused) -> Version:
    assert isinstance(change, Change), change
    if change.superseded is not None:
        versions[change.superseded.version - 1] = change.superseded
    if change.fresh:
        versions.append(change.version)
    return change.version


# One version at any moment.


@given(steps=published, after=st.timedeltas(timedelta(0), timedelta(days=30)))
def test_at_any_moment_exactly_one_version_is_in_force_from_the_first_on(steps: Any, after: timedelta) -> None:
    versions = history(steps)
    if not versions:
        return
    at = versions[0].effective_from + after
    found = in_force(versions, at)
    assert found is not None
    taken = [v for v in versions if v.superseded_at is None and v.effective_from <= at]
    assert found == taken[-1], "versions take effect in the order in which they were published"
    waiting = [v for v in versions if v.superseded_at is None and v.effective_from > at >= v.published_at]
    assert len(waiting) <= 1
    assert in_force(versions, versions[0].effective_from - timedelta(microseconds=1)) is None


@given(steps=published)
def test_versions_are_numbered_from_one_and_never_edited_but_for_their_mark(steps: Any) -> None:
    versions = history(steps)
    assert [v.version for v in versions] == list(range(1, len(versions) + 1))
    for n in range(len(steps)):
        for before, now in zip(history(steps[:n]), versions, strict=False):
            assert (before.terms, before.published_at, before.effective_from) == (
                now.terms,
                now.published_at,
                now.effective_from,
            )
            assert before.superseded_at in (None, now.superseded_at)


@given(steps=published)
def test_what_was_superseded_never_took_effect(steps: Any) -> None:
    versions = history(steps)
    for version in versions:
        if version.superseded_at is not None:
            assert version.published_at <= version.superseded_at < version.effective_from


# Raise now, cut tomorrow.


@given(steps=published, reached=st.integers(0, 60), after=st.timedeltas(timedelta(0), timedelta(days=10)))
def test_no_creator_or_agency_has_less_before_the_next_midnight_after_publishing(
    steps: Any, reached: int, after: timedelta
) -> None:
    """Whoever looks at the plan at a moment has at least until the next midnight what they see."""
    versions = history(steps)
    if not versions:
        return
    at = versions[0].published_at + after
    seen = in_force([v for v in versions if v.published_at <= at], at)
    until = next_midnight(at) - timedelta(microseconds=1)
    later = in_force(versions, until)
    if seen is None or seen.terms is None or pending([v for v in versions if v.published_at <= at], until):
        return
    assert later is not None
    if later.terms is None:
        assert later.effective_from <= at
        return
    if seen.terms.steps_by == later.terms.steps_by:
        assert later.terms.rate_at(reached) >= seen.terms.rate_at(reached)
    assert later.terms.highest_ppm >= seen.terms.creator_ppm
    assert later.terms.agency_ppm >= seen.terms.agency_ppm


@given(before=any_terms(), after=st.none() | any_terms(), clock=st.timedeltas(timedelta(0), timedelta(days=9)))
def test_a_change_takes_effect_at_once_or_at_the_next_midnight_in_china(
    before: Terms, after: Terms | None, clock: timedelta
) -> None:
    now = NOW + clock
    versions = [publish_first(before, now - DAY)]
    change = publish(Kind.ACTIVITY, versions, after, BY, now)
    assert isinstance(change, Change)
    if before == after:
        assert not change.fresh
    elif takes_away(before, after):
        at = change.version.effective_from
        assert now < at <= now + DAY
        assert at.astimezone(CHINA).timetz().replace(tzinfo=None).isoformat() == "00:00:00"
    else:
        assert change.version.effective_from == now


def publish_first(wanted: Terms, at: datetime) -> Version:
    change = publish(Kind.ACTIVITY, [], wanted, BY, at)
    assert isinstance(change, Change)
    return change.version


@given(before=any_terms(), after=any_terms(), quantity=st.integers(0, 60), gmv_fen=st.integers(0, 60))
def test_what_takes_nothing_away_gives_no_creator_less_whatever_they_sold(
    before: Terms, after: Terms, quantity: int, gmv_fen: int
) -> None:
    if not takes_away(before, after):
        assert after.rate(quantity, gmv_fen) >= before.rate(quantity, gmv_fen)
        assert after.agency_ppm >= before.agency_ppm
    assert before.rate(quantity, gmv_fen) - after.rate(quantity, gmv_fen) <= max(fall_ppm(before, after), 0)


def test_a_mixed_change_waits_as_a_whole() -> None:
    versions = [publish_first(terms(20, agency=10), NOW)]
    change = publish(Kind.ACTIVITY, versions, terms(30, agency=5), BY, NOW)
    assert isinstance(change, Change)
    assert (change.version.cut, change.version.effective_from) == (True, MIDNIGHT)


def test_lower_base_with_a_higher_step_is_a_cut_and_a_step_added_is_a_raise() -> None:
    assert takes_away(terms(20), terms(19, (10, 40)))
    assert not takes_away(terms(20), terms(20, (10, 40)))
    assert takes_away(terms(20, (10, 40)), terms(20, (11, 40)))


def test_steps_that_count_something_else_are_compared_at_their_worst() -> None:
    by_pieces, by_gmv = terms(10, (10, 20)), terms(10, (10, 20), by="gmv")
    assert takes_away(by_pieces, by_gmv)
    assert not takes_away(by_pieces, terms(20, (1, 30), by="gmv"))


# Publishing while something waits.


def test_a_raise_supersedes_a_cut_that_waits() -> None:
    versions = history([(timedelta(0), terms(20)), (timedelta(0), terms(10)), (timedelta(hours=1), terms(25))])
    assert [v.superseded_at is not None for v in versions] == [False, True, False]
    assert in_force(versions, NOW + timedelta(hours=1)) == versions[2]
    assert in_force(versions, MIDNIGHT + DAY) == versions[2]


def test_a_second_cut_is_compared_with_what_is_in_force_and_replaces_the_first() -> None:
    versions = history([(timedelta(0), terms(20)), (timedelta(0), terms(10)), (timedelta(hours=1), terms(15))])
    assert versions[2].cut
    assert in_force(versions, MIDNIGHT - timedelta(microseconds=1)) == versions[0]
    assert in_force(versions, MIDNIGHT) == versions[2]


def test_publishing_what_is_in_force_takes_back_what_waits() -> None:
    versions = history([(timedelta(0), terms(20)), (timedelta(0), None), (timedelta(hours=1), terms(20))])
    assert [v.terms for v in versions] == [terms(20), None, terms(20)]
    assert in_force(versions, MIDNIGHT) == versions[2]


@given(steps=published)
def test_the_same_terms_again_answer_the_same_version(steps: Any) -> None:
    versions = history(steps)
    if versions:
        last = [v for v in versions if v.superseded_at is None][-1]
        again = publish(Kind.ACTIVITY, versions, last.terms, BY, versions[-1].published_at)
        assert isinstance(again, Change)
        assert (again.version, again.fresh) == (last, False)


def test_a_clock_behind_that_of_who_published_last_changes_no_order() -> None:
    versions = history([(timedelta(0), terms(20))])
    version = apply(versions, publish(Kind.ORDINARY, versions, terms(30), BY, NOW - timedelta(minutes=5)))
    assert version.effective_from == NOW
    assert in_force(versions, NOW) == version


# Exclusive plans.


@given(
    percents=st.lists(st.tuples(st.integers(0, 80), st.timedeltas(timedelta(0), timedelta(days=9))), max_size=12),
)
def test_an_exclusive_plan_is_cut_once_in_seven_days_by_five_points(percents: Any) -> None:
    versions: list[Version] = []
    now = NOW
    for percent, pause in percents:
        now += pause
        change = publish(Kind.EXCLUSIVE, versions, terms(percent), BY, now)
        if isinstance(change, Change):
            apply(versions, change)
        else:
            assert isinstance(change, CutTooDeep | CutTooSoon)
    kept = [v for v in versions if v.superseded_at is None]
    cuts = [v.effective_from for v in kept if v.cut]
    assert all(later - earlier >= EXCLUSIVE_CUT_EVERY for earlier, later in pairwise(cuts))
    for before, after in pairwise(kept):
        assert before.terms is not None
        assert after.terms is not None
        assert fall_ppm(before.terms, after.terms) <= EXCLUSIVE_CUT_MAX_PPM


def test_ending_an_exclusive_plan_and_making_it_anew_is_no_way_around_the_rule() -> None:
    shop = promises()
    first = shop.publish(publishing(Kind.EXCLUSIVE, terms(50), creator_id=PersonId(7)), PlanId(1), NOW)
    assert not isinstance(first, Refused)
    shop.end(Ending(PlanId(1), BY), NOW)
    tomorrow = MIDNIGHT + timedelta(hours=1)
    again = publishing(Kind.EXCLUSIVE, terms(10), creator_id=PersonId(7))
    assert isinstance(shop.publish(again, PlanId(2), tomorrow), CutTooDeep)
    other = shop.publish(publishing(Kind.EXCLUSIVE, terms(10), creator_id=PersonId(8)), PlanId(3), tomorrow)
    assert not isinstance(other, Refused)


# The plans of a product together.


def promises() -> Promises:
    return Promises(ShopId(1), ProductId(5), [])


def publishing(kind: Kind, wanted: Terms, **more: Any) -> Publishing:
    return Publishing(ProductId(5), kind, wanted, BY, **more)


def test_a_targeted_plan_needs_an_ordinary_one_that_goes_on() -> None:
    shop = promises()
    assert isinstance(shop.publish(publishing(Kind.TARGETED, terms(60)), PlanId(1), NOW), OrdinaryNeeded)
    shop.publish(publishing(Kind.ORDINARY, terms(20)), PlanId(2), NOW)
    assert not isinstance(shop.publish(publishing(Kind.TARGETED, terms(60)), PlanId(3), NOW), Refused)
    assert isinstance(shop.end(Ending(PlanId(2), BY), NOW), OrdinaryNeeded)
    shop.end(Ending(PlanId(3), BY), NOW)
    assert not isinstance(shop.end(Ending(PlanId(2), BY), NOW), Refused)
    assert isinstance(shop.publish(publishing(Kind.TARGETED, terms(70)), PlanId(4), NOW), OrdinaryNeeded)


def test_a_second_plan_of_a_kind_is_a_version_of_the_first_or_refused() -> None:
    shop = promises()
    first = shop.publish(publishing(Kind.EXCLUSIVE, terms(20), creator_id=PersonId(7)), PlanId(1), NOW)
    again = shop.publish(publishing(Kind.EXCLUSIVE, terms(30), creator_id=PersonId(7)), PlanId(2), NOW)
    other = shop.publish(publishing(Kind.EXCLUSIVE, terms(30), creator_id=PersonId(8)), PlanId(3), NOW)
    assert first is again
    assert [each.plan.id for each in shop.plans] == [1]
    assert isinstance(other, PlanLive)


def test_an_exclusive_plan_begins_tomorrow_where_others_would_lose_and_at_once_where_nobody_does() -> None:
    alone, crowded = promises(), promises()
    crowded.publish(publishing(Kind.ORDINARY, terms(20)), PlanId(1), NOW)
    begins = []
    for shop in (alone, crowded):
        plan = shop.publish(publishing(Kind.EXCLUSIVE, terms(20), creator_id=PersonId(7)), PlanId(2), NOW)
        assert not isinstance(plan, Refused)
        begins.append(plan.versions[0].effective_from)
    assert begins == [NOW, MIDNIGHT]


def test_an_exclusive_plan_that_has_not_begun_is_ended_at_once() -> None:
    shop = promises()
    shop.publish(publishing(Kind.ORDINARY, terms(20)), PlanId(1), NOW)
    shop.publish(publishing(Kind.EXCLUSIVE, terms(20), creator_id=PersonId(7)), PlanId(2), NOW)
    ended = shop.end(Ending(PlanId(2), BY), NOW)
    assert not isinstance(ended, Refused)
    assert (ended.plan.ends_at, ended.live(NOW)) == (NOW, False)


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from([Kind.ORDINARY, Kind.TARGETED, Kind.EXCLUSIVE]),
            st.none() | st.integers(0, 50),
            st.timedeltas(timedelta(0), timedelta(days=2)),
        ),
        max_size=15,
    )
)
def test_whatever_is_published_and_ended_one_plan_of_a_kind_lives_and_a_targeted_one_beside_an_ordinary(
    steps: Any,
) -> None:
    shop = promises()
    now = NOW
    for number, (kind, percent, pause) in enumerate(steps):
        now += pause
        live = [each for each in shop.plans if each.live(now) and each.plan.kind is kind]
        if percent is None:
            if live:
                shop.end(Ending(live[0].plan.id, BY), now)
        else:
            creator_id = PersonId(7) if kind is Kind.EXCLUSIVE else None
            shop.publish(publishing(kind, terms(percent), creator_id=creator_id), PlanId(number), now)
        for at in (now, next_midnight(now)):
            kinds = [each.plan.kind for each in shop.plans if each.live(at)]
            assert len(kinds) == len(set(kinds))
            assert Kind.TARGETED not in kinds or Kind.ORDINARY in kinds
        for each in shop.plans:
            last = [v for v in each.versions if v.superseded_at is None][-1]
            assert each.plan.ends_at == (last.effective_from if last.terms is None else None)


# Limits.


@pytest.mark.parametrize(
    ("kind", "wanted", "fits"),
    [
        (Kind.ORDINARY, terms(50), True),
        (Kind.ORDINARY, terms(51), False),
        (Kind.ORDINARY, terms(10, (1, 51)), False),
        (Kind.TARGETED, terms(80), True),
        (Kind.TARGETED, terms(81), False),
        (Kind.EXCLUSIVE, terms(80), True),
        (Kind.ACTIVITY, terms(50, agency=40), True),
        (Kind.ACTIVITY, terms(51, agency=0), False),
        (Kind.ACTIVITY, terms(10, agency=41), False),
    ],
)
def test_each_kind_has_its_limits(kind: Kind, wanted: Terms, fits: bool) -> None:
    no = terms_refusal(kind, wanted)
    assert (no is None) == fits
    assert fits or isinstance(no, RateTooHigh)


@pytest.mark.parametrize(
    "wanted",
    [
        terms(10, (5, 20), (5, 30)),
        terms(10, (5, 20), (4, 30)),
        terms(10, (5, 10)),
        terms(10, (5, 20), (6, 20)),
        Terms(Ppm(1), Ppm(0), "gmv", ()),
        Terms(Ppm(1), Ppm(0), None, (Step(1, Ppm(2)),)),
        terms(10, agency=1),
    ],
)
def test_steps_that_do_not_rise_and_an_agency_without_activity_make_no_sense(wanted: Terms) -> None:
    assert isinstance(terms_refusal(Kind.ORDINARY, wanted), Invalid)


@given(kind=st.sampled_from(Kind), creator=st.integers(0, 800_000), agency=st.integers(0, 400_000))
def test_what_is_accepted_leaves_room_for_the_highest_fee(kind: Kind, creator: int, agency: int) -> None:
    if terms_refusal(kind, Terms(Ppm(creator), Ppm(agency))) is None:
        assert creator + agency <= COMMISSION_PPM_MAX
        assert creator + agency + FEE_PPM_MAX <= PPM_WHOLE
