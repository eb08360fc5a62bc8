"""What a shop did, and what that earns it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairwind.catalog import Channel
from fairwind.kernel import Fen, Ppm, ShopId, day_in_china, midnight_in_china
from fairwind.policy.enrolment import Enrolment, Facts, enrolled, measured, next_look, unearned
from fairwind.policy.programme import ContentIncentive, Earned, GrowthTier, NewMerchant, Programme
from fairwind.policy.standing import standings

NOW = datetime(2020, 6, 18, 12, tzinfo=UTC)
TODAY = date(2020, 6, 18)
DAY = timedelta(days=1)
MIDNIGHT = midnight_in_china(TODAY + DAY)
SHOP = ShopId(1)
BEGUN = datetime(2020, 5, 31, 16, tzinfo=UTC)
TIER = GrowthTier(Fen(1_000), 30, 30)
SHOW = ContentIncentive(2, 30, 7)
NOTHING = Facts({}, [])


def programme(id: int, conditions: Earned | NewMerchant, **changed: object) -> Programme:  # noqa: A002
    plain: dict[str, object] = {"channels": (Channel.OWN,), "starts_at": BEGUN, "ends_at": None} | changed
    return Programme(
        id, f"p{id}", 1, f"support {id}", f"扶持 {id}", Ppm(15_000), plain["channels"], (), conditions,  # type: ignore[arg-type]
        plain["starts_at"], plain["ends_at"], BEGUN,  # type: ignore[arg-type]
    )  # fmt: skip


def earned(
    facts: Facts, *programmes: Programme, there: tuple[Enrolment, ...] = (), now: datetime = NOW
) -> list[Enrolment]:
    return enrolled(SHOP, Channel.OWN, programmes, facts, there, now)


def ago(days: int) -> date:
    return TODAY - days * DAY


def test_what_was_paid_within_the_days_counts_today_included() -> None:
    facts = Facts({ago(0): Fen(1), ago(29): Fen(20), ago(30): Fen(300)}, [])

    did = measured(TIER, facts, TODAY)

    assert (did.amount, did.first, did.last) == (21, ago(29), TODAY)
    assert not did.enough


def test_a_live_session_counts_once_by_the_last_day_on_which_it_sold() -> None:
    did = measured(SHOW, Facts({}, [ago(0), ago(29), ago(30)]), TODAY)

    assert (did.amount, did.enough) == (2, True)


def test_what_is_earned_begins_at_the_next_midnight_in_china_and_keeps_what_earned_it() -> None:
    [enrolment] = earned(Facts({TODAY: Fen(1_000)}, []), programme(13, TIER))

    assert enrolment == Enrolment(SHOP, 13, MIDNIGHT, MIDNIGHT + 30 * DAY, 1_000, ago(29), TODAY, NOW)


def test_a_fen_too_little_earns_nothing() -> None:
    assert earned(Facts({TODAY: Fen(999)}, []), programme(13, TIER)) == []


def test_nothing_is_earned_of_other_channels_or_times_and_nobody_earns_being_new() -> None:
    facts = Facts({TODAY: Fen(9_999)}, [])

    assert earned(facts, programme(1, TIER, channels=(Channel.YOUZAN,))) == []
    assert earned(facts, programme(2, TIER, ends_at=MIDNIGHT)) == []
    assert earned(facts, programme(3, TIER, starts_at=MIDNIGHT + DAY)) == []
    assert earned(facts, programme(4, NewMerchant(90))) == []


def test_an_enrolment_is_followed_up_on_its_last_day_and_not_before() -> None:
    facts = Facts({TODAY: Fen(1_000)}, [])

    def there(ends_at: datetime) -> tuple[Enrolment, ...]:
        return (Enrolment(SHOP, 13, ends_at - 30 * DAY, ends_at, 1_000, ago(59), ago(30), ends_at - 30 * DAY),)

    assert earned(facts, programme(13, TIER), there=there(MIDNIGHT + DAY)) == []
    [next_one] = earned(facts, programme(13, TIER), there=there(MIDNIGHT))
    assert next_one.starts_at == MIDNIGHT


def enrolment(programme_id: int, starts_at: datetime, measured_to: date) -> Enrolment:
    measured_from = measured_to - 29 * DAY
    enrolled_at = starts_at - 3 * timedelta(hours=1)
    return Enrolment(
        SHOP, programme_id, starts_at, starts_at + 30 * DAY, 1_000, measured_from, measured_to, enrolled_at
    )


def test_what_refunds_have_undone_ends_with_the_day_and_what_has_yet_to_begin_never_does() -> None:
    begun, to_come = enrolment(13, MIDNIGHT - 5 * DAY, ago(5)), enrolment(13, MIDNIGHT, TODAY)
    facts = Facts({ago(5): Fen(999)}, [])

    assert unearned([programme(13, TIER)], facts, [begun], NOW) == [replace(begun, ends_at=MIDNIGHT)]
    assert unearned([programme(13, TIER)], facts, [to_come], NOW) == [replace(to_come, ends_at=MIDNIGHT)]
    assert unearned([programme(13, TIER)], Facts({ago(5): Fen(1_000)}, []), [begun, to_come], NOW) == []


def test_live_sessions_whose_goods_all_went_back_earn_nothing_any_more() -> None:
    show = programme(12, SHOW)
    mine = enrolment(12, MIDNIGHT - 5 * DAY, ago(5))

    assert unearned([show], Facts({}, [ago(7)]), [mine], NOW) == [replace(mine, ends_at=MIDNIGHT)]
    assert unearned([show], Facts({}, [ago(7), ago(1)]), [mine], NOW) == [], "one has sold again"


def test_support_stays_with_who_has_earned_it_anew_and_where_it_was_earned_too_long_ago_to_know() -> None:
    tier, year = programme(13, TIER), programme(14, GrowthTier(Fen(1_000), 366, 366))
    mine = enrolment(13, MIDNIGHT - 29 * DAY, ago(29))
    old = replace(enrolment(14, MIDNIGHT - 300 * DAY, ago(300)), ends_at=MIDNIGHT + 66 * DAY, measured_from=ago(665))

    assert unearned([tier], Facts({ago(29): Fen(1), ago(2): Fen(999)}, []), [mine], NOW) == []
    assert unearned([year], NOTHING, [old], NOW) == []
    assert unearned([], NOTHING, [mine], NOW) == [], "a programme that is over"


@given(
    st.dictionaries(st.integers(0, 120), st.integers(0, 900).map(Fen), max_size=40),
    st.lists(st.integers(0, 120), max_size=20),
)
def test_looked_at_every_day_a_shop_is_enrolled_once_at_a_time_and_only_for_enough(
    paid: dict[int, Fen], sold: list[int]
) -> None:
    programmes = [programme(12, SHOW), programme(13, TIER)]
    there: list[Enrolment] = []
    for day in range(120):
        now = NOW + day * DAY
        paid_fen = {TODAY + each * DAY: fen for each, fen in paid.items() if each <= day}
        facts = Facts(paid_fen, [TODAY + each * DAY for each in sold if each <= day])
        there += enrolled(SHOP, Channel.OWN, programmes, facts, there, now)

    for each in there:
        assert each.enrolled_at < each.starts_at
        assert each.measured >= (1_000 if each.programme_id == 13 else 2)
        others = [other for other in there if other.programme_id == each.programme_id and other is not each]
        assert not any(each.starts_at < other.ends_at and other.starts_at < each.ends_at for other in others)


def test_just_before_midnight_the_day_after_next_is_promised() -> None:
    late = MIDNIGHT - timedelta(seconds=30)

    [enrolment] = earned(Facts({TODAY: Fen(1_000)}, []), programme(13, TIER), now=late)

    assert enrolment.starts_at == MIDNIGHT + DAY


def test_a_shop_is_looked_at_every_day_as_long_as_anything_it_did_may_count() -> None:
    assert next_look(Facts({ago(3): Fen(5)}, []), NOW) == MIDNIGHT
    assert next_look(Facts({}, [ago(364)]), NOW) == MIDNIGHT
    assert next_look(Facts({}, [ago(365)]), NOW) is None
    assert next_look(NOTHING, NOW) is None


# What a shop is told.


def test_a_shop_is_told_what_is_missing() -> None:
    facts = Facts({TODAY: Fen(523)}, [TODAY])

    found = standings(
        [programme(11, NewMerchant(90)), programme(12, SHOW), programme(13, TIER)],
        Channel.OWN, date(2020, 1, 1), facts, [], NOW,
    )  # fmt: skip

    assert [each.has for each in found] == [False, False, False]
    assert [each.reason_en for each in found] == [
        "opened on 2020-01-01, was new until 2020-03-31",
        "live sessions that sold from 2020-05-20 to 2020-06-18: 1, needed: 2",
        "paid for goods from 2020-05-20 to 2020-06-18, refunds taken off: 5.23 yuan, needed: 10.00",
    ]
    assert found[2].reason_zh == "2020-05-20 至 2020-06-18 成交货款（已减退款）5.23 元，需 10.00 元"


def test_a_shop_is_told_what_it_has_earned_and_from_when() -> None:
    tier = programme(13, TIER)
    [enrolment] = earned(Facts({TODAY: Fen(1_000)}, []), tier)

    [before] = standings([tier], Channel.OWN, date(2020, 1, 1), NOTHING, [enrolment], NOW)
    [after] = standings([tier], Channel.OWN, date(2020, 1, 1), NOTHING, [enrolment], MIDNIGHT)

    assert (before.has, before.from_at, before.until) == (False, MIDNIGHT, None)
    assert (after.has, after.from_at, after.until) == (True, None, MIDNIGHT + 30 * DAY)
    assert after.reason_en.startswith("earned from 2020-06-19 until 2020-07-19: paid for goods")
    assert day_in_china(MIDNIGHT) == date(2020, 6, 19)


def test_a_shop_of_another_channel_is_told_of_no_programme() -> None:
    assert standings([programme(13, TIER)], Channel.MOKUAI, date(2020, 1, 1), NOTHING, [], NOW) == []
