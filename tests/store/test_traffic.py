"""The feed, exposures, policies and suspensions on the real database."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from databases import set_up_database
from exposures import LOOSE, hosts_added, seen, showing
from fairwind.identity import Caller
from fairwind.kernel import (
    Database,
    EventId,
    IdReused,
    Invalid,
    LiveSessionId,
    NotFound,
    PersonId,
    Platform,
    ProductId,
    Refused,
    Settings,
    ShiftedClock,
    ShopId,
    day_in_china,
    uuid7,
)
from fairwind.kernel.audit import audit
from fairwind.kernel.outbox import Event
from fairwind.traffic import Count, Why
from fairwind.traffic.commands import policies
from fairwind.traffic.commands.exposures import Report, count_orders, take_in
from fairwind.traffic.counts import IMPRESSIONS
from fairwind.traffic.exposure import Exposure, ExposureDraft, TokenInvalid, Told
from fairwind.traffic.feed import Answer, Feed
from fairwind.traffic.host import AlreadySuspended, HostKind, Subject, Suspension, SuspensionDraft
from fairwind.traffic.jobs import Leading
from fairwind.traffic.publishing import PolicyDraft, Published
from fairwind.traffic.serving import Serving
from fairwind.traffic.showing import ItemKind, live_item, product_item, product_of
from fairwind.traffic.store import hosts as host_store
from fairwind.traffic.store import policies as policy_store
from fairwind.traffic.traffic import Traffic
from market import NOW, Shop, open_shop

OPERATOR = PersonId(1)
ANYBODY = Caller(None)
HERE = "203.0.113.7"
AT_ONCE = 8


@pytest.fixture
async def database(server_url: str) -> AsyncIterator[Database]:
    """A database of each test's own: a feed shows all that there is in it."""
    with set_up_database(server_url) as url:
        async with Database(url) as database:
            yield database


async def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    async with database.transaction() as tx:
        return [tuple(row) for row in await tx.rows(sql)]  # type: ignore[arg-type]


async def change(database: Database, sql: str, *parameters: Any) -> None:
    met = await database.run(lambda tx: tx.execute(sql, parameters))  # type: ignore[arg-type]
    assert met > 0, "it changes nothing"


async def audited(database: Database) -> list[str]:
    """The invariants of traffic that do not hold."""
    findings = (await audit(database, ["fairwind.traffic"])).findings
    return [finding.invariant for finding in findings if finding.offending]


class TurnedClock:
    """A clock that is set by hand, also back."""

    def __init__(self, now: datetime = NOW) -> None:
        self.time = now

    def now(self) -> datetime:
        return self.time


# Taking in.


def viewing(dice: random.Random, count: int) -> list[Told]:
    """What viewers tell of, some of it again and again."""
    shown = [
        replace(
            showing(dice.randrange(4), viewer=dice.randrange(1, 4), why=dice.choice(list(Why)), slot=slot % 8),
            served_at=NOW - timedelta(hours=dice.choice((0, 20))),
        )
        for slot in range(count // 2)
    ]
    return [Told(dice.choice(shown), dice.random() < 0.3, dice.randrange(9000)) for _ in range(count)]


async def told_in_groups(database: Database, dice: random.Random, told: Sequence[Told]) -> None:
    """Each is told of within an hour of being served, in reports and transactions of any size."""
    for age in {each.showing.served_at for each in told}:
        waiting = [each for each in told if each.showing.served_at == age]
        while waiting:
            size = dice.randrange(1, 9)
            batch, waiting = waiting[:size], waiting[size:]
            middle = dice.randrange(len(batch) + 1)
            reports = [Report(batch[:middle], PersonId(1), 1), Report(batch[middle:], None, 2)]
            now = age + timedelta(seconds=5)
            await database.run(lambda tx, reports=reports, now=now: take_in(tx, reports, LOOSE, lambda _: 7, now))


TABLES = ("exposure", "host_day", "item", "affinity", "delta")


async def counted(database: Database) -> list[list[tuple[Any, ...]]]:
    return [sorted(await rows(database, f"SELECT * FROM traffic.{table}"), key=repr) for table in TABLES]


@pytest.mark.parametrize("seed", range(3))
async def test_log_days_items_and_deltas_agree_and_telling_again_changes_nothing(database: Database, seed: int) -> None:
    dice = random.Random(seed)
    await hosts_added(database, 4)
    told = viewing(dice, 80)
    await told_in_groups(database, dice, told)

    slots = {(each.showing.feed_id, each.showing.slot): each.showing for each in told}
    clicked = {(each.showing.feed_id, each.showing.slot) for each in told if each.clicked}
    watched: dict[tuple[UUID, int], int] = {}
    for each in told:
        key = each.showing.feed_id, each.showing.slot
        watched[key] = max(watched.get(key, 0), min(each.watch_ms, 5000))
    days: dict[tuple[int, Any], list[int]] = {}
    items: dict[int, list[int]] = {}
    whys: dict[int, list[int]] = {}
    for key, shown in slots.items():
        day = days.setdefault((shown.host_no, day_in_china(shown.served_at)), [0] * 6)
        day[0] += 1
        if shown.why is not Why.UTILITY:
            day[shown.why] += 1
        day[4] += key in clicked
        day[5] += watched[key]
        item = items.setdefault(shown.host_no, [0] * 3)
        of_prices = whys.setdefault(shown.host_no, [0] * len(Count))
        of_prices[shown.why] += 1
        of_prices[Count.UTILITY_MICRO] += 250_000
        of_prices[Count.CLICKS] += key in clicked
        for place, count in enumerate((1, key in clicked, watched[key])):
            item[place] += count

    assert await rows(database, "SELECT feed_id, slot FROM traffic.exposure ORDER BY 1, 2") == sorted(slots)
    kept = await rows(
        database,
        "SELECT host_no, day, impressions, by_floor, by_stage, by_welfare, clicks, watch_ms FROM traffic.host_day",
    )
    assert {row[:2]: list(row[2:]) for row in kept} == days
    known = await rows(database, "SELECT host_no, impressions, clicks, watch_ms FROM traffic.item")
    assert {row[0]: list(row[1:]) for row in known} == items
    sums: dict[int, list[int]] = {}
    for hosts, counts in await rows(database, "SELECT host_nos, counts FROM traffic.delta"):
        for place, host in enumerate(hosts):
            mine = sums.setdefault(host, [0] * len(Count))
            for column in range(len(Count)):
                mine[column] += counts[place * len(Count) + column]
    assert sums == whys
    assert await audited(database) == []

    before = await counted(database)
    await told_in_groups(database, dice, told)
    assert await counted(database) == before


async def test_what_nobody_signed_in_tells_of_is_nobody_s_taste(database: Database) -> None:
    await hosts_added(database, 1)
    await seen(database, Told(showing(), True, 0), category_id=7)
    assert await rows(database, "SELECT * FROM traffic.affinity") == []

    await seen(database, Told(showing(), True, 0), category_id=7, person_id=PersonId(5))
    await seen(database, Told(showing(), False, 0), category_id=7, person_id=PersonId(5))
    await seen(database, Told(showing(), False, 0), category_id=None, person_id=PersonId(5))
    assert await rows(database, "SELECT * FROM traffic.affinity") == [(5, 7, 2, 1, 0)]


def paid_event(*lines: dict[str, Any]) -> Event:
    payload = msgspec.Raw(msgspec.json.encode({"order_id": str(uuid7(NOW)), "lines": lines}))
    return Event(EventId(uuid7(NOW)), ShopId(3), "orders.paid", payload, NOW)


async def test_paid_orders_count_for_what_was_shown_and_for_nothing_else(database: Database) -> None:
    await hosts_added(database, 2)
    session_id = LiveSessionId(uuid7(NOW))
    live, product = live_item(session_id), product_item(ShopId(3), ProductId(8))
    await seen(database, Told(showing(0, item=live), False, 0), Told(showing(1, item=product), False, 0))
    events = [
        paid_event({"product_id": 8, "quantity": 2, "live_session_id": str(session_id)}, {"product_id": 9}),
        paid_event({"product_id": 8}),
        paid_event(),
    ]
    await database.run(lambda tx: count_orders(tx, ShopId(3), events, NOW))
    await database.run(lambda tx: count_orders(tx, ShopId(3), [], NOW))
    await database.run(lambda tx: count_orders(tx, ShopId(4), [paid_event({"product_id": 8})], NOW))
    assert await rows(database, "SELECT kind, orders FROM traffic.item ORDER BY kind") == [(1, 1), (2, 2)]


# Policies.


async def versions(database: Database) -> list[Published]:
    async with database.transaction() as tx:
        return await tx.ask(policy_store.policies(10**6, 100))


async def publish(database: Database, request_id: UUID, now: datetime = NOW, **settings: Any) -> Published:
    draft = PolicyDraft(settings, "试试")
    return await database.run(lambda tx: policies.publish(tx, request_id, draft, OPERATOR, now))


async def go_back(database: Database, request_id: UUID, version: int) -> Published:
    return await database.run(lambda tx: policies.go_back(tx, request_id, version, OPERATOR, NOW))


async def test_a_policy_is_published_once_for_a_request_and_never_edited(database: Database) -> None:
    request = uuid7(NOW)
    published = await publish(database, request, floor_share=0.2)
    assert (published.version, published.settings) == (2, {"floor_share": 0.2})
    assert await publish(database, request, floor_share=0.2) == published
    with pytest.raises(IdReused):
        await publish(database, request, floor_share=0.3)
    with pytest.raises(IdReused):
        await go_back(database, request, 1)
    assert [each.version for each in await versions(database)] == [2, 1]


async def test_going_back_publishes_what_an_earlier_version_said_once(database: Database) -> None:
    await publish(database, uuid7(NOW), floor_share=0.2, stage_impressions=[10, 20, 30])
    await publish(database, uuid7(NOW), floor_share=0.3)
    request = uuid7(NOW)
    back = await go_back(database, request, 2)
    assert (back.version, back.settings) == (4, {"floor_share": 0.2, "stage_impressions": [10, 20, 30]})
    assert back.policy.stage_impressions == (10, 20, 30)
    assert await go_back(database, request, 2) == back
    with pytest.raises(IdReused):
        await go_back(database, request, 3)
    with pytest.raises(NotFound):
        await go_back(database, uuid7(NOW), 9)
    assert len(await versions(database)) == 4
    assert await audited(database) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"floor_share": 2},
        {"floor_share": "0.2"},
        {"floor_share": None},
        {"floor_share": True},
        {"floor_share": [0.2]},
        {"floors_hare": 0.2},
        {"stage_impressions": [3, 2, 1]},
        {"stage_impressions": [1, 2]},
        {"stage_impressions": {"a": 1}},
        {"refresh_s": 0},
        {"exposure_unit": "clicks"},
    ],
    ids=repr,
)
async def test_a_policy_that_cannot_be_is_refused_and_changes_nothing(database: Database, wrong: Any) -> None:
    before = await versions(database)
    with pytest.raises(Invalid):
        await publish(database, uuid7(NOW), **wrong)
    assert await versions(database) == before


async def test_policies_published_at_once_follow_each_other_also_by_a_clock_that_goes_back(database: Database) -> None:
    again = uuid7(NOW)
    works = [
        publish(database, again if number < 2 else uuid7(NOW), NOW - timedelta(minutes=number), floor_share=0.1)
        for number in range(5)
    ]
    published = await asyncio.gather(*works)
    assert published[0] == published[1]
    assert sorted({each.version for each in published}) == [2, 3, 4, 5]
    assert await audited(database) == []


# Suspensions.


CREATOR = Subject(HostKind.CREATOR, 1)
FAKES = SuspensionDraft("虚假宣传")


async def test_a_host_is_kept_out_once_and_let_in_again(database: Database) -> None:
    await hosts_added(database, 2)
    clock = TurnedClock()
    traffic = Traffic(Platform(database, clock, Settings()))
    first, second = uuid7(NOW), uuid7(NOW)
    suspension = await traffic.suspend(CREATOR, first, FAKES, OPERATOR)
    assert await traffic.suspend(CREATOR, first, FAKES, OPERATOR) == suspension
    with pytest.raises(IdReused):
        await traffic.suspend(CREATOR, first, SuspensionDraft("刷单"), OPERATOR)
    with pytest.raises(AlreadySuspended):
        await traffic.suspend(CREATOR, second, FAKES, OPERATOR)
    with pytest.raises(NotFound):
        await traffic.suspend(Subject(HostKind.SHOP, 1), second, FAKES, OPERATOR)

    clock.time += timedelta(hours=1)
    lifted = await traffic.lift(first, OPERATOR)
    assert (lifted.lifted_at, lifted.reason) == (clock.time, FAKES.reason)
    clock.time += timedelta(hours=1)
    assert await traffic.lift(first, PersonId(2)) == lifted
    with pytest.raises(NotFound):
        await traffic.lift(second, OPERATOR)
    assert (await traffic.suspend(CREATOR, second, FAKES, OPERATOR)).lifted_at is None
    assert await traffic.suspend(CREATOR, first, FAKES, OPERATOR) == lifted
    assert await audited(database) == []


async def test_a_suspension_ends_by_itself_and_another_may_follow(database: Database) -> None:
    await hosts_added(database, 1)
    clock = TurnedClock()
    traffic = Traffic(Platform(database, clock, Settings()))
    until = NOW + timedelta(hours=1)
    await traffic.suspend(CREATOR, uuid7(NOW), SuspensionDraft("刷单", until), OPERATOR)
    clock.time = until - timedelta(microseconds=1)
    with pytest.raises(AlreadySuspended):
        await traffic.suspend(CREATOR, uuid7(NOW), FAKES, OPERATOR)
    clock.time = until
    await traffic.suspend(CREATOR, uuid7(NOW), FAKES, OPERATOR)
    assert await audited(database) == []


async def test_of_many_suspensions_at_once_one_is_made(database: Database) -> None:
    await hosts_added(database, 1)
    traffic = Traffic(Platform(database, TurnedClock(), Settings()))
    made = await asyncio.gather(
        *(traffic.suspend(CREATOR, uuid7(NOW), FAKES, OPERATOR) for _ in range(AT_ONCE)), return_exceptions=True
    )
    assert sum(isinstance(each, Suspension) for each in made) == 1
    assert sum(isinstance(each, AlreadySuspended) for each in made) == AT_ONCE - 1


async def test_an_id_that_keeps_another_host_out_is_refused(database: Database) -> None:
    await hosts_added(database, 2)
    traffic = Traffic(Platform(database, TurnedClock(), Settings()))
    used = uuid7(NOW)
    await traffic.suspend(CREATOR, used, FAKES, OPERATOR)
    lifted = await traffic.lift(used, OPERATOR)
    with pytest.raises(IdReused):
        await traffic.suspend(Subject(HostKind.CREATOR, 2), used, FAKES, OPERATOR)
    assert await traffic.lift(used, OPERATOR) == lifted


async def test_a_suspension_that_is_over_before_it_begins_is_refused(database: Database) -> None:
    await hosts_added(database, 1)
    traffic = Traffic(Platform(database, TurnedClock(), Settings()))
    with pytest.raises(Refused):
        await traffic.suspend(CREATOR, uuid7(NOW), SuspensionDraft("刷单", NOW - timedelta(days=1)), OPERATOR)


def test_a_time_without_a_zone_is_no_end_of_a_suspension() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"reason": "x", "until": "2030-01-01T00:00:00"}', type=SuspensionDraft)


async def test_a_server_whose_clock_is_behind_suspends_after_the_last_lifting(database: Database) -> None:
    """As when a request waits a moment for the host while its suspension is lifted."""
    await hosts_added(database, 1)
    clock = TurnedClock()
    traffic = Traffic(Platform(database, clock, Settings()))
    first = uuid7(NOW)
    await traffic.suspend(CREATOR, first, FAKES, OPERATOR)
    clock.time += timedelta(seconds=2)
    await traffic.lift(first, OPERATOR)
    clock.time -= timedelta(seconds=1)
    await traffic.suspend(CREATOR, uuid7(NOW), FAKES, OPERATOR)
    assert await audited(database) == []


# The feed.


class Market:
    """Rooms that are live and a shop with goods, and the feed of a server that shows them."""

    def __init__(self, database: Database, sessions: Sequence[LiveSessionId], shop: Shop) -> None:
        self.database, self.sessions, self.shop = database, sessions, shop
        self.clock = ShiftedClock()
        platform = Platform(database, self.clock, Settings())
        self.serving = Serving()
        self.feed, self.traffic = Feed(platform, self.serving), Traffic(platform)
        self.leading = Leading(platform, self.serving)

    async def page(
        self, kind: ItemKind | None = None, seen: Sequence[int] = (), slots: int = 50, caller: Caller = ANYBODY
    ) -> Answer:
        return await self.feed.answer(caller, HERE, kind, seen, slots)

    async def shown(self, kind: ItemKind | None = None) -> set[Any]:
        """Sessions and product ids on a page that has a slot for all."""
        items = [each.showing.item for each in (await self.page(kind)).items]
        assert len(set(items)) == len(items)
        return {item.id if item.kind is ItemKind.LIVE else product_of(item)[1] for item in items}


async def go_live(database: Database, first: int, count: int, since: timedelta = timedelta(days=90)) -> list[Any]:
    """Creators first, first + 1, … with a room each that is live."""
    now = datetime.now(UTC)
    sessions = [LiveSessionId(uuid7(now)) for _ in range(count)]
    for number, session_id in enumerate(sessions, first):
        await change(
            database,
            "INSERT INTO identity.person (id, login, login_key, name, password_hash, created_at)"
            " VALUES (%s, %s, %s, '主播', '!', %s)",
            *(number, f"host-{number}", f"host-{number}", now),
        )
        await change(
            database,
            "INSERT INTO content.room (id, host_id, title, created_at) VALUES (%s, %s, '直播间', %s)",
            *(number, number, now - since),
        )
        await change(
            database,
            "INSERT INTO content.live_session (id, room_id, host_id, title, state, started_at)"
            " VALUES (%s, %s, %s, '晚场', 'live', %s)",
            *(session_id, number, number, now),
        )
    return sessions


@pytest.fixture
async def market(database: Database) -> Market:
    market = Market(database, await go_live(database, 1, 6), await open_shop(database, 5, 5, 5))
    await market.feed.look_around()
    return market


END = "UPDATE content.live_session SET state = 'ended', ended_at = started_at WHERE id = %s"


async def test_all_that_can_be_shown_is_shown_and_each_kind_alone(market: Market) -> None:
    sessions, products = set(market.sessions), set(market.shop.product_ids)
    assert await market.shown() == sessions | products
    assert await market.shown(ItemKind.LIVE) == sessions
    assert await market.shown(ItemKind.PRODUCT) == products


async def test_pages_repeat_nothing_and_end_when_all_was_shown(market: Market) -> None:
    codes: list[int] = []
    items = []
    for _ in range(5):
        page = await market.page(seen=codes, slots=2)
        items += [each.showing.item for each in page.items]
        codes += page.codes
    assert len(set(items)) == len(items) == 9
    assert (await market.page(seen=codes, slots=2)).items == []


async def test_a_session_that_has_ended_is_not_shown_by_a_view_from_before(market: Market) -> None:
    ended = market.sessions[0]
    await change(market.database, END, ended)
    assert await market.shown(ItemKind.LIVE) == set(market.sessions) - {ended}


async def test_what_is_gone_gives_its_slot_to_what_is_there(market: Market) -> None:
    for session_id in market.sessions[:2]:
        await change(market.database, END, session_id)
    for _ in range(10):
        assert len((await market.page(ItemKind.LIVE, slots=2)).items) == 2


async def test_when_all_is_gone_the_page_is_empty(market: Market) -> None:
    for session_id in market.sessions:
        await change(market.database, END, session_id)
    for slots in (1, 2, 6):
        assert (await market.page(ItemKind.LIVE, slots=slots)).items == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE catalog.product SET on_shelf = false WHERE id = %s",
        "UPDATE catalog.product SET price_fen = NULL WHERE id = %s",
    ],
)
async def test_a_product_that_cannot_be_bought_any_more_is_not_shown(market: Market, sql: str) -> None:
    gone, *left = market.shop.product_ids
    await change(market.database, sql, gone)
    assert await market.shown(ItemKind.PRODUCT) == set(left)


async def test_no_product_of_a_closed_shop_is_shown(market: Market) -> None:
    await change(market.database, "UPDATE catalog.shop SET state = 'closed' WHERE shop_id = %s", market.shop.id)
    assert await market.shown() == set(market.sessions)


async def test_a_suspended_host_is_out_at_once_and_back_when_it_is_lifted(market: Market) -> None:
    creator, shop = uuid7(NOW), uuid7(NOW)
    await market.traffic.suspend(CREATOR, creator, FAKES, OPERATOR)
    await market.traffic.suspend(Subject(HostKind.SHOP, market.shop.id), shop, FAKES, OPERATOR)
    left = set(market.sessions[1:])
    assert await market.shown() == left
    await market.feed.look_around()
    assert await market.shown() == left
    assert [subject_id for [subject_id] in await rows(market.database, "SELECT id FROM traffic.suspension")]

    await market.traffic.lift(creator, OPERATOR)
    await market.traffic.lift(shop, OPERATOR)
    await market.feed.look_around()
    assert await market.shown() == set(market.sessions) | set(market.shop.product_ids)


async def test_a_suspension_that_ended_by_itself_keeps_nobody_out(market: Market) -> None:
    until = market.clock.now() + timedelta(hours=1)
    await market.traffic.suspend(CREATOR, uuid7(NOW), SuspensionDraft("刷单", until), OPERATOR)
    assert market.sessions[0] not in await market.shown()
    market.clock.advance(timedelta(hours=2))
    await market.feed.look_around()
    assert market.sessions[0] in await market.shown()


async def test_a_host_that_came_after_the_prices_is_shown(market: Market) -> None:
    await market.leading.turn()
    later = await go_live(market.database, 20, 2)
    await market.feed.look_around()
    assert market.serving.snapshot.hosts == 7
    assert await market.shown(ItemKind.LIVE) == {*market.sessions, *later}


async def test_where_nothing_is_offered_the_feed_is_empty(database: Database) -> None:
    feed = Feed(Platform(database, ShiftedClock(), Settings()), Serving())
    assert (await feed.answer(ANYBODY, HERE, None, (), 8)).items == []


async def viewer_of(market: Market, caller: Caller, address: str) -> int:
    answer = await market.feed.answer(caller, address, None, (), 1)
    return answer.items[0].showing.viewer


async def test_who_has_signed_in_is_one_viewer_and_nobody_is_one_for_each_network(market: Market) -> None:
    one, two = Caller(PersonId(1)), Caller(PersonId(2))
    assert await viewer_of(market, one, HERE) == await viewer_of(market, one, "198.51.100.9")
    assert await viewer_of(market, ANYBODY, HERE) == await viewer_of(market, ANYBODY, HERE)
    found = [
        await viewer_of(market, one, HERE),
        await viewer_of(market, two, HERE),
        await viewer_of(market, ANYBODY, HERE),
        await viewer_of(market, ANYBODY, "198.51.100.9"),
        await viewer_of(market, ANYBODY, ""),
    ]
    assert len(set(found)) == len(found)


async def test_what_was_served_counts_and_other_tokens_are_told_apart(market: Market) -> None:
    page = await market.page(slots=3)
    tokens = [each.token for each in page.items]
    told = [ExposureDraft(token, clicked=True) for token in (tokens[0], "x" * len(tokens[0]), tokens[1], tokens[0])]
    first, forged, second, again = await market.feed.take_in(ANYBODY, HERE, told)
    assert isinstance(forged, TokenInvalid)
    assert isinstance(first, Exposure)
    assert isinstance(second, Exposure)
    assert again == first
    assert (first.showing, second.showing) == tuple(each.showing for each in page.items[:2])
    other = Feed(Platform(market.database, market.clock, Settings()), Serving())
    [same] = await other.take_in(ANYBODY, HERE, told[:1])
    assert isinstance(same, Exposure)
    assert (same.key, same.seen_at, same.clicked) == (first.key, first.seen_at, True)
    assert await rows(market.database, "SELECT count(*) FROM traffic.exposure") == [(2,)]


async def test_candidacies_that_are_handed_over_reach_the_day_and_the_leader(market: Market) -> None:
    for _ in range(3):
        await market.page(ItemKind.LIVE)
    await market.feed.hand_over()
    await market.feed.hand_over()
    [[hosts, counts]] = await rows(market.database, "SELECT host_nos, counts FROM traffic.delta")
    could = dict(zip(hosts, counts[Count.CANDIDACIES :: len(Count)], strict=True))
    assert could == dict(await rows(market.database, "SELECT host_no, candidacies FROM traffic.host_day"))
    assert sorted(could.values()) == [3] * 6
    assert sum(counts[IMPRESSIONS]) == 0


async def test_what_could_not_be_handed_over_is_handed_over_later(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    await market.page(ItemKind.LIVE)

    async def away(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(Database, "run", away)
        with pytest.raises(ConnectionError):
            await market.feed.hand_over()
    await market.feed.hand_over()
    assert await rows(market.database, "SELECT sum(candidacies)::int FROM traffic.host_day") == [(6,)]


async def with_tastes(market: Market, *told_by: Caller) -> Counter[int]:
    """Impressions in the tastes of each, when person 1 was shown goods of a category and these tell of it."""
    category = "INSERT INTO catalog.category (id, depth, name) VALUES (7, 1, '雨具')"
    await change(market.database, category)
    await change(market.database, "UPDATE catalog.product SET category_id = 7")
    feed = Feed(Platform(market.database, market.clock, Settings()), Serving())
    page = await feed.answer(Caller(PersonId(1)), HERE, ItemKind.PRODUCT, (), 3)
    for caller in told_by:
        await feed.take_in(caller, HERE, [ExposureDraft(each.token) for each in page.items])
    return Counter(dict(await rows(market.database, "SELECT person_id, impressions FROM traffic.affinity")))


async def test_what_somebody_was_shown_and_tells_of_is_their_taste_once(market: Market) -> None:
    assert await with_tastes(market, Caller(PersonId(1)), Caller(PersonId(1)), Caller(PersonId(2))) == {1: 3}


async def test_what_somebody_else_was_shown_is_not_the_taste_of_who_tells_of_it(market: Market) -> None:
    assert await with_tastes(market, Caller(PersonId(2))) == {}


async def test_a_shop_that_closes_leaves_no_empty_page_where_there_are_others(database: Database) -> None:
    """Goods are looked at once a minute, so that a whole shop can be gone from what is there for so long."""
    market = Market(database, await go_live(database, 1, 6), await open_shop(database, *[5] * 20))
    liked = [product_item(market.shop.id, product_id) for product_id in market.shop.product_ids]
    await market.feed.look_around()
    async with database.transaction() as tx:
        number = (await tx.ask(host_store.host_of(Subject(HostKind.SHOP, market.shop.id)))).no  # type: ignore[union-attr]
    told = [Told(showing(number, item=item), True, 0) for item in liked for _ in range(30)]
    await seen(database, *told)
    market.clock.advance(timedelta(seconds=11))
    await market.feed.look_around()
    await change(database, "UPDATE catalog.shop SET state = 'closed' WHERE shop_id = %s", market.shop.id)
    for _ in range(5):
        assert len((await market.page(slots=4)).items) == 4


async def test_the_feed_goes_on_until_all_goods_of_a_shop_were_shown(database: Database) -> None:
    shop = await open_shop(database, *[5] * 20)
    market = Market(database, [], shop)
    codes: list[int] = []
    while True:
        page = await market.page(ItemKind.PRODUCT, codes, 8)
        codes += page.codes
        if not page.more:
            break
    assert len(codes) == 20
