"""What may be published, from when, and what takes the place of what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairwind.catalog import Channel
from fairwind.kernel import CategoryId, Fen, Invalid, NotFound, Ppm, Refused
from fairwind.kernel.rates import RateTooHigh
from fairwind.policy import ProgrammeDraft, ScheduleDraft
from fairwind.policy import programme_draft as programmes
from fairwind.policy import schedule as schedules
from fairwind.policy.fees import FeeRule, base_rule
from fairwind.policy.moments import LEAD_TIME, TooSoon, begins, checked
from fairwind.policy.programme import CategorySupport, GrowthTier, NewMerchant, Programme
from fairwind.policy.programme_draft import ProgrammeEnded, ProgrammeOverlaps, end_of
from fairwind.policy.schedule import AgesOverlap, RateDraft, RatesIncomplete, Schedule, timeline

NOW = datetime(2020, 6, 18, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ID = UUID(int=1)


def rates(**changed: list[RateDraft]) -> list[RateDraft]:
    """2 % for each channel but those that are said."""
    return [each for channel in Channel for each in changed.get(channel, [RateDraft(channel, Ppm(20_000))])]


def refused(*own: RateDraft) -> Refused | None:
    return schedules.refusal(ScheduleDraft(ID, rates(own=list(own))), {CategoryId(7)})


def own(rate_ppm: int, category_id: int | None = None, ages: tuple[int, int | None] = (0, None)) -> RateDraft:
    return RateDraft(Channel.OWN, Ppm(rate_ppm), None if category_id is None else CategoryId(category_id), *ages)


def test_a_schedule_that_covers_every_shop_once_may_be_published() -> None:
    assert refused(own(20_000)) is None
    assert refused(own(10_000, None, (0, 90)), own(20_000, None, (90, None))) is None
    assert refused(own(20_000), own(0, 7, (30, 60)), own(5, 7, (90, None))) is None


@pytest.mark.parametrize(
    ("own", "kind"),
    [
        ([own(100_001)], RateTooHigh),
        ([own(20_000), own(20_000)], AgesOverlap),
        ([own(1, None, (0, 90)), own(2, None, (89, None))], AgesOverlap),
        ([own(1, None, (0, None)), own(2, None, (90, None))], AgesOverlap),
        ([own(1), own(1, None, (5, 5))], AgesOverlap),
        ([], RatesIncomplete),
        ([own(1, None, (1, None))], RatesIncomplete),
        ([own(1, None, (0, 90))], RatesIncomplete),
        ([own(1, None, (0, 90)), own(2, None, (91, None))], RatesIncomplete),
        ([own(1, 7)], RatesIncomplete),
        ([own(1), own(1, 8)], NotFound),
    ],
)
def test_a_schedule_that_leaves_a_shop_out_or_asks_it_twice_or_too_much_is_refused(
    own: list[RateDraft], kind: type[Refused]
) -> None:
    assert type(refused(*own)) is kind


BANDS = st.tuples(st.integers(0, 6), st.none() | st.integers(1, 6))


@given(st.lists(st.tuples(BANDS, st.none() | st.just(CategoryId(7))), max_size=5))
def test_what_is_not_refused_decides_every_case_by_exactly_one_rule(
    bands: list[tuple[tuple[int, int | None], CategoryId | None]],
) -> None:
    drafts = [RateDraft(Channel.OWN, Ppm(1), category_id, *band) for band, category_id in bands]
    rules = [
        FeeRule(number, 1, Channel.OWN, each.category_id, each.age_from_days, each.age_until_days, each.rate_ppm)
        for number, each in enumerate(drafts)
    ]

    if refused(*drafts) is None:
        for age in range(9):
            for category_id in (None, CategoryId(7)):
                fitting = [each for each in rules if each.category_id == category_id and each.fits_age(age)]
                assert len(fitting) <= 1
                assert base_rule(rules, category_id, None, age) is not None


# When it begins.


def test_what_is_published_begins_a_minute_later_at_the_earliest() -> None:
    assert begins(None, NOW) == NOW + LEAD_TIME
    assert begins(NOW + DAY, NOW) == NOW + DAY
    with pytest.raises(TooSoon):
        begins(NOW + LEAD_TIME - timedelta(microseconds=1), NOW)
    with pytest.raises(Invalid):
        begins(NOW + 4000 * DAY, NOW)


@pytest.mark.parametrize("at", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_a_time_that_nobody_means_is_refused(at: datetime) -> None:
    with pytest.raises(Invalid):
        checked(at)


@st.composite
def published(draw: st.DrawFn) -> list[Schedule]:
    """Schedules as they may have been published: each later than the one before, and none backdated."""
    moments = sorted(draw(st.lists(st.integers(0, 20), min_size=1, max_size=6)))
    return [
        Schedule(version, NOW + draw(st.integers(moment, 25)) * DAY, "", NOW + moment * DAY)
        for version, moment in enumerate(moments, 1)
    ]


def in_force(there: list[Schedule], at: datetime) -> int | None:
    """As the store finds it: the highest version that has begun."""
    return max((each.version for each in there if each.starts_at <= at), default=None)


@given(published(), st.integers(0, 26))
def test_the_timeline_says_what_will_be_in_force_at_every_time_to_come(there: list[Schedule], day: int) -> None:
    now = NOW + day * DAY

    line = timeline(there, now)

    for later in range(day, 30):
        at = NOW + later * DAY
        [*found] = [
            each.version for each in line if each.starts_at <= at and (each.ends_at is None or at < each.ends_at)
        ]
        expected = in_force(there, at)
        assert found == ([] if expected is None else [expected])


@given(published(), st.integers(0, 26))
def test_what_is_published_later_changes_nothing_of_what_was_in_force(there: list[Schedule], day: int) -> None:
    at = NOW + day * DAY

    assert in_force(there, at) == in_force([each for each in there if each.published_at <= at], at)


# Support programmes.


def draft(**changed: object) -> ProgrammeDraft:
    plain = ProgrammeDraft(ID, "new-merchant", "new", "新", Ppm(10_000), [Channel.OWN], NewMerchant(90))
    return replace(plain, **changed)


def there(starts_at: datetime, ends_at: datetime | None) -> Programme:
    return Programme(
        11,
        "new-merchant",
        1,
        "new",
        "新",
        Ppm(10_000),
        (Channel.OWN,),
        (),
        NewMerchant(90),
        starts_at,
        ends_at,
        NOW - DAY,
    )


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"rate_ppm": Ppm(100_001)}, RateTooHigh),
        ({"categories": [CategoryId(8)]}, NotFound),
        ({"conditions": CategorySupport()}, Invalid),
        ({"ends_at": NOW + DAY}, Invalid),
        ({"ends_at": NOW + 5000 * DAY}, Invalid),
    ],
)
def test_a_programme_that_makes_no_sense_is_refused(changed: dict[str, object], kind: type[Refused]) -> None:
    assert type(programmes.refusal(draft(**changed), NOW + DAY, {CategoryId(7)}, [])) is kind


def test_a_programme_that_makes_sense_is_not() -> None:
    support = draft(conditions=CategorySupport(), categories=[CategoryId(7)], ends_at=NOW + 9 * DAY)
    assert programmes.refusal(support, NOW + DAY, {CategoryId(7)}, []) is None


DAYS = st.integers(1, 9)
PERIODS = st.tuples(DAYS, st.none() | DAYS).filter(lambda period: period[1] is None or period[0] < period[1])


@given(PERIODS, PERIODS)
def test_versions_of_one_code_whose_periods_meet_are_refused(
    first: tuple[int, int | None], second: tuple[int, int | None]
) -> None:
    other = there(NOW + first[0] * DAY, None if first[1] is None else NOW + first[1] * DAY)
    wanted = draft(ends_at=None if second[1] is None else NOW + second[1] * DAY)

    refusal = programmes.refusal(wanted, NOW + second[0] * DAY, (), [other])

    both = set(range(first[0], first[1] or 99)) & set(range(second[0], second[1] or 99))
    assert isinstance(refusal, ProgrammeOverlaps) == bool(both)


def test_one_that_was_withdrawn_is_in_nobodys_way() -> None:
    withdrawn = there(NOW + 2 * DAY, NOW + 2 * DAY)
    assert programmes.refusal(draft(), NOW + DAY, (), [withdrawn]) is None


def test_an_end_only_comes_forward() -> None:
    running, ending = there(NOW - DAY, None), there(NOW - DAY, NOW + DAY)

    assert end_of(running, None, NOW) == NOW + LEAD_TIME
    assert end_of(ending, NOW + DAY, NOW) == NOW + DAY
    assert end_of(ending, None, NOW) == NOW + LEAD_TIME
    assert end_of(there(NOW + DAY, None), None, NOW) == NOW + DAY, "withdrawn before it began"
    assert end_of(there(NOW - DAY, NOW), None, NOW) == NOW, "over already"
    with pytest.raises(ProgrammeEnded):
        end_of(ending, NOW + 2 * DAY, NOW)
    with pytest.raises(TooSoon):
        end_of(running, NOW, NOW)


@pytest.mark.parametrize(
    "changed",
    [
        {"rate_ppm": Ppm(1)},
        {"channels": [Channel.YOUZAN]},
        {"categories": [CategoryId(1)]},
        {"conditions": GrowthTier(Fen(1), 1, 1)},
        {"starts_at": NOW},
        {"ends_at": NOW + DAY},
    ],
)
def test_another_draft_under_one_id_is_told_from_the_same(changed: dict[str, object]) -> None:
    made = replace(there(NOW - DAY + LEAD_TIME, None), published_at=NOW - DAY)

    assert programmes.same(draft(), made)
    assert not programmes.same(draft(**changed), made)
    assert programmes.same(draft(ends_at=NOW + DAY), replace(made, ends_at=NOW)), "its end came forward since"
