"""Service fees and support programmes against the database: what applies when, whoever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from deals import ordered
from fairwind.catalog import Channel
from fairwind.kernel import (
    CategoryId,
    Database,
    Event,
    EventId,
    Fen,
    IdReused,
    LiveSessionId,
    NotFound,
    PersonId,
    Platform,
    Ppm,
    Relay,
    Settings,
    ShiftedClock,
    ShopId,
    Transaction,
    day_in_china,
    midnight_in_china,
    next_ids,
    uuid7,
)
from fairwind.orders.commands.after_sales import Asking, ask_refunds
from fairwind.orders.refund import RefundDraft
from fairwind.policy import (
    NO_FEE,
    Fee,
    FeeRule,
    Policy,
    Programme,
    ProgrammeDraft,
    ScheduleDraft,
    WindowDraft,
    reason_of,
    shop_terms,
    stored_rules,
)
from fairwind.policy.commands.facts import assess, count_paid, count_refunds
from fairwind.policy.commands.programmes import end_programme, publish_programme
from fairwind.policy.commands.schedules import publish_schedule, schedules_from
from fairwind.policy.commands.windows import set_window
from fairwind.policy.enrolment import Facts
from fairwind.policy.moments import LEAD_TIME, TooSoon
from fairwind.policy.programme import CategorySupport, ContentIncentive, GrowthTier, NewMerchant
from fairwind.policy.programme_draft import ProgrammeOverlaps
from fairwind.policy.schedule import RateDraft, RatesIncomplete, Schedule
from fairwind.policy.store import facts as fact_store
from fairwind.policy.store.schedules import rules_in_force
from market import NOW, WINDOW, open_shop, paid, placed, refund_id

DAY = timedelta(days=1)
OPERATOR = PersonId(1)
TODAY = day_in_china(NOW)


@pytest.fixture
async def tx(database: Database) -> Any:
    """A transaction whose changes nobody else sees: schedules and programmes are everybody's."""
    async with database.transaction() as tx:
        yield tx
        await tx.execute("ROLLBACK")


async def new_shop(tx: Transaction, channel: Channel = Channel.OWN, opened_on: date = date(2020, 1, 1)) -> ShopId:
    [shop_id] = map(ShopId, await next_ids(tx, 1))
    await tx.execute(
        "INSERT INTO catalog.shop (shop_id, name, channel, opened_on, created_at) VALUES (%s, '小店', %s, %s, %s)",
        (shop_id, channel, opened_on, NOW),
    )
    return shop_id


async def new_category(tx: Transaction, name: str, parent_id: CategoryId | None = None) -> CategoryId:
    [category_id] = map(CategoryId, await next_ids(tx, 1))
    await tx.execute(
        "INSERT INTO catalog.category (id, depth, parent_id, name) VALUES (%s, %s, %s, %s)",
        (category_id, 1 if parent_id is None else 2, parent_id, f"{name} {category_id}"),
    )
    return category_id


def flat(rate_ppm: int, *more: RateDraft, starts_at: datetime | None = None) -> ScheduleDraft:
    """One rate for all channels, and what is said."""
    every = [RateDraft(channel, Ppm(rate_ppm)) for channel in Channel]
    return ScheduleDraft(uuid7(NOW), [*every, *more], starts_at)


def tier(code: str = "tier", **changed: Any) -> ProgrammeDraft:
    plain: dict[str, Any] = {"conditions": GrowthTier(Fen(1_000), 30, 30), "rate_ppm": Ppm(12_000)} | changed
    return ProgrammeDraft(uuid7(NOW), code, "tier", "等级", channels=[Channel.OWN], **plain)


async def fee(tx: Transaction, shop_id: ShopId, at: datetime, *place: CategoryId) -> Fee:
    category_id, parent_id = (*place, None, None)[:2]
    return (await tx.ask(shop_terms(shop_id, at))).fee(category_id, parent_id)


# The schedule that ships.


@pytest.mark.parametrize(
    ("channel", "new", "established"),
    [
        (Channel.OWN, 10_000, 20_000),
        (Channel.YOUZAN, 80_000, 80_000),
        (Channel.MOKUAI, 80_000, 80_000),
        (Channel.SUPPLIER, 20_000, 20_000),
    ],
)
async def test_the_first_schedule_asks_what_was_asked_in_june_2020(
    tx: Transaction, channel: Channel, new: int, established: int
) -> None:
    opened = await new_shop(tx, channel, TODAY)
    old = await new_shop(tx, channel, date(2020, 3, 1))

    assert (await fee(tx, opened, NOW)).rate_ppm == new
    assert (await fee(tx, old, NOW)).rate_ppm == established
    assert (await fee(tx, opened, NOW + 90 * DAY)).rate_ppm == established
    assert (await tx.ask(shop_terms(old, NOW))).seller == ("supplier" if channel is Channel.SUPPLIER else "shop")


async def test_before_june_2020_nothing_was_asked(tx: Transaction) -> None:
    shop_id = await new_shop(tx)
    begun = datetime(2020, 5, 31, 16, tzinfo=UTC)

    assert await fee(tx, shop_id, begun - timedelta(seconds=1)) == NO_FEE
    assert await fee(tx, shop_id, begun) == Fee(Ppm(20_000), 1)


async def test_a_shop_that_is_not_there_has_terms_that_ask_nothing(tx: Transaction) -> None:
    terms = await tx.ask(shop_terms(ShopId(2**62), NOW))

    assert (terms.seller, terms.fee(None, None), terms.window_s(None, None)) == ("shop", NO_FEE, None)


# Schedules.


async def test_a_new_schedule_takes_the_place_of_the_one_before_when_it_begins(tx: Transaction) -> None:
    shop_id = await new_shop(tx)
    parent = await new_category(tx, "居家")
    child = await new_category(tx, "被枕", parent)
    special = RateDraft(Channel.OWN, Ppm(5_000), parent)
    old = RateDraft(Channel.OWN, Ppm(1_000), child, 365, None)

    schedule = await publish_schedule(tx, OPERATOR, flat(30_000, special, old, starts_at=NOW + DAY), NOW)

    ids = {(rule.channel, rule.category_id): rule.id for rule in schedule.rules}
    assert await fee(tx, shop_id, NOW + DAY - timedelta(seconds=1), child, parent) == Fee(Ppm(20_000), 1)
    assert await fee(tx, shop_id, NOW + DAY) == Fee(Ppm(30_000), ids[Channel.OWN, None])
    assert await fee(tx, shop_id, NOW + DAY, child, parent) == Fee(Ppm(5_000), ids[Channel.OWN, parent])
    assert await fee(tx, shop_id, NOW + 400 * DAY, child, parent) == Fee(Ppm(1_000), ids[Channel.OWN, child])
    assert [rule.category for rule in schedule.rules if rule.category_id == parent] == [f"居家 {parent}"]


async def test_one_that_was_published_last_goes_before_those_that_would_begin_later(tx: Transaction) -> None:
    shop_id = await new_shop(tx)
    late = await publish_schedule(tx, OPERATOR, flat(30_000, starts_at=NOW + 9 * DAY), NOW)
    last = await publish_schedule(tx, OPERATOR, flat(40_000, starts_at=NOW + 5 * DAY), NOW + DAY)

    assert (await fee(tx, shop_id, NOW + 20 * DAY)).rate_ppm == 40_000
    line = await schedules_from(tx, NOW + DAY)
    assert late.version not in [each.version for each in line]
    assert [(each.version, each.starts_at, each.ends_at) for each in line][-2:] == [
        (last.version - 2, line[-2].starts_at, last.starts_at),
        (last.version, NOW + 5 * DAY, None),
    ]


async def test_a_schedule_published_twice_is_one_and_another_under_its_id_is_refused(tx: Transaction) -> None:
    draft = flat(30_000)
    first = await publish_schedule(tx, OPERATOR, draft, NOW)

    assert await publish_schedule(tx, OPERATOR, draft, NOW + DAY) == first
    assert first.starts_at == NOW + LEAD_TIME
    other = ScheduleDraft(draft.id, flat(30_001).rates)
    with pytest.raises(IdReused):
        await publish_schedule(tx, OPERATOR, other, NOW)


async def test_a_schedule_that_is_refused_leaves_nothing_behind(tx: Transaction) -> None:
    before = await tx.rows("SELECT version FROM policy.schedule")
    for draft, kind in [
        (ScheduleDraft(uuid7(NOW), flat(1).rates[:3]), RatesIncomplete),
        (flat(1, RateDraft(Channel.OWN, Ppm(1), CategoryId(2**62))), NotFound),
        (flat(1, starts_at=NOW), TooSoon),
    ]:
        with pytest.raises(kind):
            await publish_schedule(tx, OPERATOR, draft, NOW)

    assert await tx.rows("SELECT version FROM policy.schedule") == before


async def test_of_two_who_publish_at_once_both_get_a_version_of_their_own(module_database_url: str) -> None:
    async with Database(module_database_url) as database:

        async def publish(rate_ppm: int) -> Schedule:
            return await database.run(lambda tx: publish_schedule(tx, OPERATOR, flat(rate_ppm), NOW))

        made = await asyncio.gather(*(publish(rate) for rate in range(4)))

    assert len({each.version for each in made}) == 4
    assert sorted(each.version for each in made) == list(range(2, 6))


# Support programmes.


async def test_a_programme_runs_its_time_and_ends_earlier_when_it_is_ended(tx: Transaction) -> None:
    shop_id, home = await new_shop(tx), await new_category(tx, "居家")
    draft = tier("home", conditions=CategorySupport(), categories=[home], ends_at=NOW + 9 * DAY)

    programme = await publish_programme(tx, OPERATOR, draft, NOW)

    assert await fee(tx, shop_id, NOW + LEAD_TIME, home) == Fee(Ppm(12_000), programme.id)
    assert await fee(tx, shop_id, NOW + LEAD_TIME) == Fee(Ppm(20_000), 1)
    assert (await fee(tx, shop_id, NOW, home)).rule_id == 1
    ended = await end_programme(tx, OPERATOR, programme.id, NOW + DAY, NOW)
    assert ended.ends_at == NOW + DAY
    assert (await fee(tx, shop_id, NOW + DAY, home)).rule_id == 1
    assert await publish_programme(tx, OPERATOR, draft, NOW) == ended, "the same draft again"


async def test_a_code_has_one_programme_at_a_time_and_the_next_may_follow(tx: Transaction) -> None:
    first = await publish_programme(tx, OPERATOR, tier("one"), NOW)
    with pytest.raises(ProgrammeOverlaps):
        await publish_programme(tx, OPERATOR, tier("one", starts_at=NOW + 9 * DAY), NOW)
    await end_programme(tx, OPERATOR, first.id, NOW + 5 * DAY, NOW)

    second = await publish_programme(tx, OPERATOR, tier("one", starts_at=NOW + 5 * DAY), NOW)

    assert (first.version, second.version) == (1, 2)
    with pytest.raises(NotFound):
        await end_programme(tx, OPERATOR, 2**62, None, NOW)


async def test_of_two_who_publish_one_code_at_once_one_is_refused(module_database_url: str) -> None:
    async with Database(module_database_url) as database:

        async def publish() -> Programme:
            return await database.run(
                lambda tx: publish_programme(tx, OPERATOR, tier("race", conditions=NewMerchant(1)), NOW)
            )

        outcomes = await asyncio.gather(*(publish() for _ in range(4)), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Programme", *["ProgrammeOverlaps"] * 3]


async def test_the_words_of_a_frozen_rule_are_found_again(tx: Transaction) -> None:
    home = await new_category(tx, "居家")
    schedule = await publish_schedule(tx, OPERATOR, flat(1, RateDraft(Channel.OWN, Ppm(2), home)), NOW)
    [special] = [rule.id for rule in schedule.rules if rule.category_id == home]

    found = await tx.ask(stored_rules([11, special, 0]))

    assert found.keys() == {11, special}
    assert reason_of(found[11]).zh == "新商家扶持"
    assert (
        reason_of(found[special]).en == f"service fee of own shops, category 居家 {home}, schedule {schedule.version}"
    )
    assert isinstance(found[11], Programme)
    assert isinstance(found[special], FeeRule)


# After-sales windows.


async def test_a_window_applies_from_its_start_to_the_category_and_its_children(tx: Transaction) -> None:
    shop_id = await new_shop(tx)
    parent = await new_category(tx, "生鲜")
    child = await new_category(tx, "水果", parent)

    async def window_s(at: datetime) -> tuple[int | None, int | None]:
        terms = await tx.ask(shop_terms(shop_id, at))
        return terms.window_s(parent, None), terms.window_s(child, parent)

    week = await set_window(tx, OPERATOR, parent, WindowDraft(7 * 86_400), NOW)
    assert await set_window(tx, OPERATOR, parent, WindowDraft(7 * 86_400), NOW + DAY) == week
    await set_window(tx, OPERATOR, child, WindowDraft(0, NOW + 2 * DAY), NOW + DAY)
    await set_window(tx, OPERATOR, parent, WindowDraft(None, NOW + 3 * DAY), NOW + DAY)

    assert await window_s(NOW) == (None, None)
    assert await window_s(NOW + LEAD_TIME) == (7 * 86_400, 7 * 86_400)
    assert await window_s(NOW + 2 * DAY) == (7 * 86_400, 0)
    assert await window_s(NOW + 3 * DAY) == (None, 0)
    with pytest.raises(NotFound):
        await set_window(tx, OPERATOR, CategoryId(2**62), WindowDraft(1), NOW)


# What shops did, and what it earns them.


def sale(shop_id: ShopId, payload: str, at: datetime = NOW) -> Event:
    return Event(EventId(uuid7(at)), shop_id, "orders.paid", msgspec.Raw(payload.encode()), at)


async def facts(tx: Transaction, shop_id: ShopId, today: date = TODAY) -> Facts:
    return await tx.ask(fact_store.facts_of(shop_id, today))


async def test_sales_are_counted_by_day_in_china_and_live_sessions_once(tx: Transaction) -> None:
    shop_id, session = await new_shop(tx), LiveSessionId(uuid7(NOW))
    line = f'{{"sku_id": 1, "goods_fen": 300, "live_session_id": "{session}"}}'
    late = datetime(2020, 6, 18, 16, tzinfo=UTC)

    await count_paid(tx, shop_id, [sale(shop_id, f'{{"total_fen": 999, "lines": [{line}, {line}]}}')], NOW)
    await count_paid(tx, shop_id, [sale(shop_id, f'{{"total_fen": 5, "lines": [{line}]}}', late)], NOW)
    await count_paid(tx, shop_id, [sale(shop_id, '{"total_fen": 70, "lines": [{"sku_id": 1}]}', late)], NOW)

    assert await facts(tx, shop_id) == Facts({TODAY: 600, TODAY + DAY: 370}, [TODAY + DAY])


async def test_what_orders_tell_of_a_sale_is_understood(module_database_url: str) -> None:
    async with Database(module_database_url) as database:
        shop = await open_shop(database, 9)
        await paid(database, await placed(database, shop, (shop.sku_id, 2)))
        relay = Relay(database, ShiftedClock())
        relay.subscribe("orders.paid", count_paid)

        await relay.drain()

        async with database.transaction() as tx:
            assert await facts(tx, shop.id) == Facts({TODAY: Fen(19_800)}, [])
            await tx.execute("DELETE FROM policy.assessment WHERE shop_id = %s", (shop.id,))


def refund(shop_id: ShopId, payload: str, at: datetime = NOW) -> Event:
    return Event(EventId(uuid7(at)), shop_id, "orders.refund_agreed", msgspec.Raw(payload.encode()), at)


@pytest.mark.parametrize("refund_first", [False, True])
async def test_what_is_refunded_is_taken_off_the_day_on_which_it_was_paid(tx: Transaction, refund_first: bool) -> None:
    shop_id, kept, undone = await new_shop(tx), *(LiveSessionId(uuid7(NOW)) for _ in range(2))

    async def pay() -> None:
        lines = ", ".join(
            f'{{"quantity": 2, "goods_fen": 300, "live_session_id": "{session}"}}' for session in (kept, undone)
        )
        await count_paid(tx, shop_id, [sale(shop_id, f'{{"total_fen": 600, "lines": [{lines}]}}')], NOW)

    if not refund_first:
        await pay()
    for session, quantity, fen in [(kept, 1, 170), (undone, 1, 150), (undone, 1, 150)]:
        line = f'{{"unsold_quantity": {quantity}, "unsold_fen": {fen}, "live_session_id": "{session}"}}'
        told = refund(shop_id, f'{{"paid_at": "{NOW.isoformat()}", "lines": [{line}]}}', NOW + 9 * DAY)
        await count_refunds(tx, shop_id, [told], NOW + 9 * DAY)
    if refund_first:
        await pay()

    assert await facts(tx, shop_id, TODAY + 9 * DAY) == Facts({TODAY: Fen(130)}, [TODAY])


async def test_what_orders_tell_of_a_refund_is_understood(module_database_url: str) -> None:
    async with Database(module_database_url) as database:
        shop = await open_shop(database, 9)
        order = await ordered(database, shop, 2, by=PersonId(5), now=NOW)
        await paid(database, order)
        whole = Asking(order.id, RefundDraft(refund_id(), "refund_only", "不想要了"), order.buyer_id, order.buyer_id)
        await database.run(lambda tx: ask_refunds(tx, shop.id, [whole], NOW, WINDOW))
        relay = Relay(database, ShiftedClock())
        relay.subscribe("orders.paid", count_paid)
        relay.subscribe("orders.refund_agreed", count_refunds)

        await relay.drain()

        async with database.transaction() as tx:
            assert await facts(tx, shop.id) == Facts({TODAY: Fen(0)}, [])
            await tx.execute("DELETE FROM policy.assessment WHERE shop_id = %s", (shop.id,))


@pytest.mark.parametrize("days", [0, 3])
async def test_a_shop_that_buys_from_itself_and_refunds_has_earned_nothing(tx: Transaction, days: int) -> None:
    """Refunded before the support begins, it never does; later, it ends with the day."""
    shop_id = await new_shop(tx)
    await publish_programme(tx, OPERATOR, tier(), NOW - DAY)
    await earn(tx, shop_id, 1_000)
    [enrolment] = await assess(tx, shop_id, NOW + LEAD_TIME)

    later = NOW + days * DAY + timedelta(hours=1)
    line = f'{{"paid_at": "{NOW.isoformat()}", "lines": [{{"unsold_quantity": 1, "unsold_fen": 1}}]}}'
    await count_refunds(tx, shop_id, [refund(shop_id, line, later)], later)
    assert await assess(tx, shop_id, later + LEAD_TIME) == []

    midnight = midnight_in_china(TODAY + (days + 1) * DAY)
    there = await tx.ask(fact_store.enrolments_from(shop_id, NOW))
    assert [(each.starts_at, each.ends_at) for each in there] == ([(enrolment.starts_at, midnight)] if days else [])
    assert (await fee(tx, shop_id, midnight)).rule_id == 1


async def earn(tx: Transaction, shop_id: ShopId, fen: int, now: datetime = NOW) -> None:
    await count_paid(tx, shop_id, [sale(shop_id, f'{{"total_fen": {fen}}}', now)], now)


async def test_a_shop_earns_its_tier_from_the_next_day_on_and_keeps_it_as_long_as_it_is_earned(tx: Transaction) -> None:
    shop_id = await new_shop(tx)
    programme = await publish_programme(tx, OPERATOR, tier(), NOW - DAY)
    await earn(tx, shop_id, 1_000)

    assert await assess(tx, shop_id, NOW) == [], "it is looked at together with the sales of the next minute"
    [enrolment] = await assess(tx, shop_id, NOW + LEAD_TIME)
    assert await assess(tx, shop_id, NOW + LEAD_TIME) == [], "and once"

    midnight = midnight_in_china(TODAY + DAY)
    assert (enrolment.programme_id, enrolment.measured, enrolment.starts_at) == (programme.id, 1_000, midnight)
    assert (await fee(tx, shop_id, NOW + LEAD_TIME)).rule_id == 1
    assert await fee(tx, shop_id, midnight) == Fee(Ppm(12_000), programme.id)
    assert (await fee(tx, shop_id, enrolment.ends_at)).rule_id == 1

    for day in range(1, 30):
        assert await assess(tx, shop_id, midnight_in_china(TODAY + day * DAY)) == []
    await earn(tx, shop_id, 2_000, NOW + 29 * DAY)
    await assess(tx, shop_id, NOW + 29 * DAY + LEAD_TIME)
    [again] = await assess(tx, shop_id, midnight_in_china(TODAY + 30 * DAY))
    assert (again.starts_at, again.measured) == (enrolment.ends_at, 2_000)


async def test_live_sessions_that_sold_earn_the_incentive(tx: Transaction) -> None:
    shop_id = await new_shop(tx)
    programme = await publish_programme(
        tx, OPERATOR, tier("show", conditions=ContentIncentive(2, 30, 7), rate_ppm=Ppm(0)), NOW - DAY
    )
    lines = ", ".join(f'{{"live_session_id": "{uuid7(NOW)}"}}' for _ in range(2))
    await count_paid(tx, shop_id, [sale(shop_id, f'{{"total_fen": 1, "lines": [{lines}]}}')], NOW)

    [enrolment] = await assess(tx, shop_id, NOW + LEAD_TIME)

    assert (enrolment.programme_id, enrolment.measured) == (programme.id, 2)
    assert await fee(tx, shop_id, enrolment.starts_at) == Fee(Ppm(0), programme.id)


async def test_a_shop_that_did_nothing_for_a_year_is_not_looked_at_any_more(tx: Transaction) -> None:
    shop_id = await new_shop(tx)
    await earn(tx, shop_id, 1)

    async def waits() -> bool:
        return await tx.row("SELECT 1 FROM policy.assessment WHERE shop_id = %s", (shop_id,)) is not None

    await assess(tx, shop_id, NOW + 300 * DAY)
    assert await waits()
    await assess(tx, shop_id, NOW + 366 * DAY)
    assert not await waits()


async def test_the_sweep_looks_at_every_shop_that_is_due(module_database_url: str) -> None:
    async with Database(module_database_url) as database:
        clock = ShiftedClock()
        platform = Platform(database, clock, Settings())
        policy = Policy(platform)
        now = clock.now()
        draft = tier("sweep", starts_at=now + LEAD_TIME + DAY)
        await database.run(lambda tx: publish_programme(tx, OPERATOR, draft, now))
        shops = [await database.run(new_shop) for _ in range(3)]
        clock.advance(2 * DAY)
        for shop_id in shops:
            await database.run(lambda tx, shop_id=shop_id: earn(tx, shop_id, 1_000, clock.now()))
        clock.advance(2 * LEAD_TIME)

        assert await policy.assess_shops() == 3
        assert await policy.assess_shops() == 0

        [enrolment] = await policy.enrolments(shops[0], (clock.now() + 9 * DAY, 0), 9)
        assert enrolment.measured == 1_000


async def test_two_sweeps_at_once_enrol_a_shop_once(module_database_url: str) -> None:
    async with Database(module_database_url) as database:
        later = datetime(2030, 1, 1, tzinfo=UTC)
        await database.run(lambda tx: publish_programme(tx, OPERATOR, tier("twice", starts_at=NOW + DAY), NOW))
        shop_id = await database.run(new_shop)
        await database.run(lambda tx: earn(tx, shop_id, 1_000, later))

        async def sweep() -> Sequence[Any]:
            return await database.run(lambda tx: assess(tx, shop_id, later + LEAD_TIME))

        enrolled = await asyncio.gather(*(sweep() for _ in range(4)))

    assert sum(len({each.programme_id for each in those}) > 0 for those in enrolled) == 1


async def test_the_rules_in_force_are_those_of_every_channel(tx: Transaction) -> None:
    assert {rule.channel for rule in await tx.ask(rules_in_force(NOW))} == set(Channel)


async def test_a_new_merchants_support_may_be_taken_over_by_a_better_one(tx: Transaction) -> None:
    shop_id = await new_shop(tx, opened_on=TODAY)
    better = await publish_programme(tx, OPERATOR, tier("welcome", conditions=NewMerchant(30), rate_ppm=Ppm(0)), NOW)

    assert await fee(tx, shop_id, NOW + DAY) == Fee(Ppm(0), better.id)
    assert await fee(tx, shop_id, NOW + 40 * DAY) == Fee(Ppm(10_000), 11)
