"""Counting exposures, numbering hosts and making prices when many do it at once, beside twins that must fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from databases import set_up_database
from exposures import hosts_added, seen, showing
from fairwind.kernel import Database, PersonId, Platform, Refused, Settings, ShiftedClock, Transaction, uuid7
from fairwind.traffic import Count
from fairwind.traffic.commands import exposures as commands
from fairwind.traffic.commands.policies import publish
from fairwind.traffic.counts import IMPRESSIONS
from fairwind.traffic.exposure import Bounds, Exposure, Told, ViewerLimit
from fairwind.traffic.host import HostKind, Newcomer, Subject
from fairwind.traffic.jobs import LEASE_S, Leading
from fairwind.traffic.policy import TrafficPolicy
from fairwind.traffic.publishing import PolicyDraft
from fairwind.traffic.saved import leader_restored
from fairwind.traffic.serving import Serving
from fairwind.traffic.store import hosts as host_store
from fairwind.traffic.store.exposures import viewers_locked
from fairwind.traffic.store.pricing import saved_state
from fairwind.traffic.wiring import TURN_PAUSE_S
from market import NOW

CALLS = 12


@pytest.fixture
async def database(server_url: str) -> AsyncIterator[Database]:
    """A database of each test's own: there is one leader and one log in it."""
    with set_up_database(server_url) as url:
        async with Database(url) as database:
            await database.run(lambda tx: publish(tx, uuid7(NOW), PolicyDraft({"refresh_s": 1}), PersonId(1), NOW))
            yield database


async def row(database: Database, sql: str) -> Any:
    async with database.transaction() as tx:
        return await tx.row(sql)  # type: ignore[arg-type]


# Exposures.


async def test_a_token_counts_once_however_many_servers_are_told_of_it(database: Database) -> None:
    await hosts_added(database, 1)
    shown = showing()
    await asyncio.gather(*(seen(database, Told(shown, number % 2 == 0, number)) for number in range(CALLS)))

    day = await row(database, "SELECT impressions, clicks, watch_ms FROM traffic.host_day")
    item = await row(database, "SELECT impressions, clicks, watch_ms FROM traffic.item")
    sent = await row(database, "SELECT sum(counts[1]) AS impressions, sum(counts[6]) AS clicks FROM traffic.delta")
    assert tuple(day) == tuple(item) == (1, 1, CALLS - 1)
    assert tuple(sent) == (1, 1)


async def _at_its_bound(database: Database) -> list[Exposure | Refused]:
    """A viewer who may see a host three times, and tells of many at once."""
    await hosts_added(database, 1)
    told = [seen(database, Told(showing(), False, 0), bounds=Bounds(100, 3)) for _ in range(CALLS)]
    return [outcome for outcomes in await asyncio.gather(*told) for outcome in outcomes]


async def test_a_viewer_counts_so_often_and_no_more_also_at_once(database: Database) -> None:
    outcomes = await _at_its_bound(database)

    assert sum(isinstance(outcome, Exposure) for outcome in outcomes) == 3
    assert sum(isinstance(outcome, ViewerLimit) for outcome in outcomes) == CALLS - 3
    assert (await row(database, "SELECT impressions FROM traffic.host_day")).impressions == 3


async def test_without_the_viewers_lock_it_would_count_more_often(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands.store, "viewers_locked", lambda _: viewers_locked([]))

    outcomes = await _at_its_bound(database)

    assert sum(isinstance(outcome, Exposure) for outcome in outcomes) > 3


# Hosts.


async def _numbered(database: Database) -> list[int]:
    works = [
        database.run(
            lambda tx, number=number: host_store.add_hosts(
                tx, [Newcomer(Subject(HostKind.SHOP, number + each), NOW) for each in range(3)]
            )
        )
        for number in range(CALLS)
    ]
    await asyncio.gather(*works)
    async with database.transaction() as tx:
        return [host.no for host in await tx.ask(host_store.hosts())]


async def test_hosts_are_numbered_without_a_gap_by_many_servers_at_once(database: Database) -> None:
    assert await _numbered(database) == list(range(CALLS + 2))


async def test_without_the_table_s_lock_they_would_take_each_other_s_number(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = Transaction.execute

    async def lockless(self: Transaction, sql: Any, parameters: Any = ()) -> int:
        return 0 if sql.startswith("LOCK TABLE") else await execute(self, sql, parameters)

    monkeypatch.setattr(Transaction, "execute", lockless)
    monkeypatch.setattr(Database, "run", _once)
    with pytest.raises(psycopg.errors.UniqueViolation):
        await _numbered(database)


async def _once(self: Database, work: Any) -> Any:
    """As `Database.run`, without trying again."""
    async with self.transaction() as tx:
        outcome = await work(tx)
        await asyncio.sleep(0.05)
        return outcome


# Leading.


class Server:
    """A server's part in making prices; its time goes on by a second with each turn."""

    def __init__(self, database: Database) -> None:
        self.database, self.clock = database, ShiftedClock()
        self.serving = Serving()
        self.leading = Leading(Platform(database, self.clock, Settings()), self.serving)
        self.serving.show([0, 1])

    async def turn(self, seconds: float = 1) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        await self.leading.turn()


async def dies(database: Database) -> None:
    """Whoever leads is heard of no more."""
    await database.run(lambda tx: tx.execute("UPDATE traffic.leader SET until = clock_timestamp() - interval '1 s'"))


async def told_of(database: Database, server: Server, *hosts: int) -> None:
    """A viewer each tells of these hosts."""
    now = server.clock.now()
    told = [Told(showing(host, viewer=number + 2, served_at=now), True, 0) for number, host in enumerate(hosts)]
    await seen(database, *told, now=now)


async def counted(database: Database) -> list[tuple[int, int]]:
    """Impressions and clicks of both hosts, as saved and as they wait."""
    async with database.transaction() as tx:
        saved = await tx.ask(saved_state())
        waiting = await tx.rows("SELECT host_nos, counts FROM traffic.delta")
    sums = [[0, 0], [0, 0]]
    if saved is not None:
        leader = leader_restored(TrafficPolicy(), saved[1], 2)
        sums = [
            [int(leader.exposure.counts[no, IMPRESSIONS].sum()), int(leader.exposure.counts[no, Count.CLICKS])]
            for no in (0, 1)
        ]
    for delta in waiting:
        for place, host in enumerate(delta.host_nos):
            of_host = delta.counts[place * len(Count) : (place + 1) * len(Count)]
            sums[host][0] += sum(of_host[IMPRESSIONS])
            sums[host][1] += of_host[Count.CLICKS]
    return [tuple(each) for each in sums]  # type: ignore[misc]


async def test_one_server_leads_the_other_follows_and_takes_over_what_was_counted(database: Database) -> None:
    await hosts_added(database, 2)
    first, second = Server(database), Server(database)
    await first.turn()
    await second.turn()
    assert (first.leading.leads, second.leading.leads) == (True, False)
    assert second.serving.price_version == first.serving.price_version > 0

    await told_of(database, first, 0, 0, 1)
    await first.turn()
    await told_of(database, first, 1)
    assert await counted(database) == [(2, 2), (2, 2)]

    await dies(database)
    await second.turn()
    assert second.leading.leads
    assert second.serving.term > first.serving.term
    assert second.serving.price_version > first.serving.price_version
    await second.turn(11)
    assert await counted(database) == [(2, 2), (2, 2)]
    assert (await row(database, "SELECT count(*) AS waiting FROM traffic.delta")).waiting == 0

    # The first was only slow. It is not heard, and follows.
    await first.turn()
    assert not first.leading.leads
    assert first.serving.term == second.serving.term


async def test_whatever_turn_a_leader_dies_in_nothing_is_lost_and_nothing_counted_twice(database: Database) -> None:
    await hosts_added(database, 2)
    total = 0
    for number in range(8):
        server = Server(database)
        server.clock.advance(timedelta(minutes=number))
        for _ in range(number % 4 + 1):
            await told_of(database, server, 0, 1)
            total += 1
            await server.turn(4)
        assert await counted(database) == [(total, total)] * 2
        await dies(database)
    last = Server(database)
    last.clock.advance(timedelta(hours=1))
    await last.turn()
    assert await counted(database) == [(total, total)] * 2


async def test_hosts_that_came_after_the_last_save_are_newcomers_to_the_next_leader(database: Database) -> None:
    await hosts_added(database, 1)
    first, second = Server(database), Server(database)
    await first.turn()
    await host_store_add(database, 2, ShiftedClock().now())
    await dies(database)
    await second.turn()
    leader = second.leading._leader
    assert leader is not None
    assert [leader.stage_of(no) for no in (0, 1)] == ["graduated", "first"]


async def host_store_add(database: Database, number: int, since: datetime) -> None:
    await database.run(lambda tx: host_store.add_hosts(tx, [Newcomer(Subject(HostKind.CREATOR, number), since)]))


async def test_a_server_that_does_not_know_who_shows_something_makes_no_prices(database: Database) -> None:
    await hosts_added(database, 2)
    blind = Server(database)
    blind.serving = Serving()
    blind.leading = Leading(Platform(database, blind.clock, Settings()), blind.serving)
    await blind.turn()
    assert not blind.leading.leads
    blind.serving.show([0])
    await blind.turn()
    assert blind.leading.leads


async def test_a_new_policy_is_served_by_at_the_next_turn(database: Database) -> None:
    await hosts_added(database, 2)
    server = Server(database)
    slow = PolicyDraft({"refresh_s": 3600})
    await database.run(lambda tx: publish(tx, uuid7(NOW), slow, PersonId(1), NOW))
    await server.turn()
    quick = PolicyDraft({"refresh_s": 3600, "floor_share": 0.3})
    version = await database.run(lambda tx: publish(tx, uuid7(NOW), quick, PersonId(1), NOW))
    await server.turn()
    assert (server.serving.policy_version, server.serving.policy.floor_share) == (version.version, 0.3)


async def test_a_leader_whose_term_is_over_publishes_nothing(database: Database) -> None:
    await hosts_added(database, 2)
    slow, quick = Server(database), Server(database)
    await slow.turn()
    await dies(database)
    await quick.turn()
    before = await row(database, "SELECT version, term FROM traffic.price")

    slow.clock.advance(timedelta(seconds=1))
    await slow.leading._lead()

    assert await row(database, "SELECT version, term FROM traffic.price") == before
    assert not slow.leading.leads


async def test_an_orderly_end_hands_the_lead_over_at_once(database: Database) -> None:
    await hosts_added(database, 2)
    first, second = Server(database), Server(database)
    await first.turn()
    await first.leading.give_up()
    await second.turn()
    assert second.leading.leads


def test_a_leader_that_was_killed_is_replaced_within_five_seconds() -> None:
    assert LEASE_S + TURN_PAUSE_S < 5


async def test_new_hosts_come_through_their_first_stage_also_over_a_change_of_leader(database: Database) -> None:
    await hosts_added(database, 1)
    fresh = [Newcomer(Subject(HostKind.CREATOR, 2), ShiftedClock().now())]
    await database.run(lambda tx: host_store.add_hosts(tx, fresh))
    for half in range(2):
        server = Server(database)
        server.clock.advance(timedelta(minutes=half * 5))
        await server.turn()
        for _ in range(6):
            await told_of(database, server, *[1] * 10)
            await server.turn(11)
        await dies(database)
    ended = await row(
        database, "SELECT host_no, stage, decision ->> 'impressions' AS impressions FROM traffic.stage_end"
    )
    assert (ended.host_no, ended.stage) == (1, "first")
    assert int(ended.impressions) >= 100


async def saved(database: Database) -> dict[str, Any]:
    """What the leader saved last, by name."""
    async with database.transaction() as tx:
        found = await tx.ask(saved_state())
    assert found is not None
    return leader_restored(TrafficPolicy(), found[1], 0).arrays()


async def test_counts_stages_and_floors_survive_the_leader(database: Database) -> None:
    await hosts_added(database, 1)
    fresh = [Newcomer(Subject(HostKind.CREATOR, 2), ShiftedClock().now())]
    await database.run(lambda tx: host_store.add_hosts(tx, fresh))
    first, second = Server(database), Server(database)
    await first.turn()
    await told_of(database, first, *[0] * 9, 1, 1)
    await first.turn(11)
    before = await saved(database)
    await dies(database)
    second.clock.advance(timedelta(seconds=30))
    await second.turn()
    after = await saved(database)
    assert before["floor_due"].sum() > 0
    assert before["stage"].tolist() == [3, 0]
    for name in ("counts", "stage", "stage_since_s", "at_joining", "floor_due", "floor_shown", "active"):
        assert (before[name] == after[name]).all(), name
    assert (after["impressions"] <= before["impressions"]).all()


async def test_a_leader_that_dies_between_publishing_and_saving_has_counted_nothing(database: Database) -> None:
    await hosts_added(database, 2)
    first, second = Server(database), Server(database)
    await first.turn()
    state = await row(database, "SELECT saved_at FROM traffic.state")
    await told_of(database, first, 0, 0, 1)
    await first.turn()
    published = await row(database, "SELECT version FROM traffic.price")
    assert await row(database, "SELECT saved_at FROM traffic.state") == state, "published, and not saved"
    assert published.version == first.serving.price_version

    await dies(database)
    await second.turn()
    assert second.serving.price_version > published.version
    assert (await saved(database))["counts"][:, IMPRESSIONS].sum(axis=1).tolist() == [2, 1]
    assert (await row(database, "SELECT count(*) AS waiting FROM traffic.delta")).waiting == 0


async def test_a_leader_that_was_slow_for_a_lease_and_lost_nothing_goes_on(database: Database) -> None:
    await hosts_added(database, 2)
    server = Server(database)
    await server.turn()
    term = server.serving.term
    await told_of(database, server, 0, 1)
    for _ in range(3):
        await dies(database)
        await server.turn(11)
    assert server.leading.leads
    assert server.serving.term == term
    assert await counted(database) == [(1, 1), (1, 1)]


async def test_of_many_servers_that_begin_at_once_one_leads_and_all_follow_it(database: Database) -> None:
    await hosts_added(database, 2)
    servers = [Server(database) for _ in range(5)]
    await asyncio.gather(*(server.turn() for server in servers))
    await asyncio.gather(*(server.turn(0) for server in servers))
    assert sum(server.leading.leads for server in servers) == 1
    prices = {(server.serving.price_version, server.serving.term) for server in servers}
    assert len(prices) == 1


async def test_a_policy_is_served_by_within_a_turn_whatever_the_refresh_was(database: Database) -> None:
    await hosts_added(database, 2)
    slow = PolicyDraft({"refresh_s": 3600})
    await database.run(lambda tx: publish(tx, uuid7(NOW), slow, PersonId(1), NOW))
    leading, following = Server(database), Server(database)
    await leading.turn()
    await following.turn()
    new = PolicyDraft({"refresh_s": 3600, "floor_share": 0.5})
    await database.run(lambda tx: publish(tx, uuid7(NOW), new, PersonId(1), NOW))
    for server in (leading, following):
        await server.turn()
        assert server.serving.policy.floor_share == 0.5


async def test_the_end_of_a_stage_is_written_down_also_when_publishing_failed_at_first(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await hosts_added(database, 1)
    fresh = [Newcomer(Subject(HostKind.CREATOR, 2), ShiftedClock().now())]
    await database.run(lambda tx: host_store.add_hosts(tx, fresh))
    server = Server(database)
    await server.turn()
    for _ in range(12):
        await told_of(database, server, *[1] * 10)

    async def away(*_: object) -> bool:
        raise ConnectionError

    with monkeypatch.context() as broken:
        broken.setattr(server.leading, "_published", away)
        with pytest.raises(ConnectionError):
            await server.turn()
    await server.turn(11)
    assert (await row(database, "SELECT count(*) AS ended FROM traffic.stage_end")).ended == 1
