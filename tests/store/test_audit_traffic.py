"""Whatever is wrong with exposures, hosts, suspensions or policies, the audit finds it and names it.

See test_audit_orders.py: what is sound passes, then each kind of corruption is planted and rolled back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
import psycopg.rows
import pytest

from exposures import hosts_added, seen, showing
from fairwind.kernel import Database, PersonId, uuid7
from fairwind.kernel.audit import audit, checks_of
from fairwind.traffic import Why
from fairwind.traffic.commands.policies import publish
from fairwind.traffic.exposure import Told
from fairwind.traffic.host import HostKind, Suspension
from fairwind.traffic.publishing import PolicyDraft
from fairwind.traffic.store.hosts import suspension_saved
from fairwind.traffic.store.pricing import Priced, prices_published
from market import NOW

CHECKS = checks_of("fairwind.traffic")
DAY = timedelta(days=1)


class Plant(NamedTuple):
    """A corruption: statements that make it, and words from the invariants that it breaks."""

    what: str
    breaks: Sequence[str]
    sql: Sequence[str]


DAYS, ITEMS, NUMBERS, THERE = "each host's days", "known of each item", "without a gap", "a host that there is"
KEPT_OUT, ONCE, VERSIONS, WAITS = (
    "kept out of the feed, nor",
    "kept out once",
    "follow each other",
    "waits for the leader",
)

PLANTS = [
    Plant("an impression too many", [DAYS], ["UPDATE traffic.host_day SET impressions = impressions + 1"]),
    Plant("a click too few", [DAYS], ["UPDATE traffic.host_day SET clicks = clicks - 1 WHERE clicks > 0"]),
    Plant("an impression by another reason", [DAYS], ["UPDATE traffic.exposure SET why = 3 WHERE why = 1"]),
    Plant("a day that is gone", [DAYS], ["DELETE FROM traffic.host_day"]),
    Plant("an exposure that is gone", [DAYS], ["DELETE FROM traffic.exposure WHERE why = 1"]),
    Plant(
        "an item that was shown less than the log says",
        [ITEMS],
        ["UPDATE traffic.item SET impressions = 0, clicks = 0"],
    ),
    Plant(
        "a number that was left out",
        [NUMBERS, THERE],
        [
            "ALTER TABLE traffic.suspension DROP CONSTRAINT suspension_host_no_fkey",
            "UPDATE traffic.host SET no = 9 WHERE no = 0",
        ],
    ),
    Plant(
        "an exposure of nobody",
        [THERE, DAYS],
        ["UPDATE traffic.exposure SET host_no = 99 WHERE why = 1"],
    ),
    Plant(
        "a host that was shown while it was kept out",
        [KEPT_OUT],
        ["UPDATE traffic.suspension SET suspended_at = suspended_at - interval '3 days'"],
    ),
    Plant(
        "a host kept out twice at once",
        [ONCE],
        [
            "INSERT INTO traffic.suspension SELECT gen_random_uuid(), host_no, reason, suspended_by,"
            " suspended_at + interval '1 minute', until, lifted_by, lifted_at FROM traffic.suspension"
        ],
    ),
    Plant("a version that is gone", [VERSIONS], ["DELETE FROM traffic.policy WHERE version = 1"]),
    Plant(
        "a version before the one it follows",
        [VERSIONS],
        ["UPDATE traffic.policy SET published_at = '1999-01-01' WHERE version = 2"],
    ),
    Plant("counts that nobody takes", [WAITS], ["UPDATE traffic.delta SET made_at = made_at - interval '2 hours'"]),
]


async def _make(database: Database) -> None:
    await hosts_added(database, 2)
    for day in range(3):
        at = NOW + day * DAY
        told = [
            Told(showing(0, served_at=at), True, 100),
            Told(showing(1, why=Why.FLOOR, served_at=at), False, 0),
        ]
        await seen(database, *told, now=at + timedelta(seconds=9))
    out = Suspension(uuid7(NOW), HostKind.CREATOR, 1, "虚假宣传", PersonId(1), NOW + 2 * DAY + timedelta(hours=1), None)
    await database.run(lambda tx: tx.ask(suspension_saved(out, 0)))
    await database.run(lambda tx: publish(tx, uuid7(NOW), PolicyDraft({"floor_share": 0.2}), PersonId(1), NOW))
    priced = Priced(1, 1, NOW + 2 * DAY, b"")
    await database.run(lambda tx: tx.ask(prices_published(priced)))
    await database.run(lambda tx: tx.execute("DELETE FROM traffic.delta WHERE made_at < %s", (NOW + DAY * 2,)))


@pytest.fixture(scope="module")
def traffic_url(module_database_url: str) -> str:
    async def make() -> None:
        async with Database(module_database_url) as database:
            await _make(database)

    asyncio.run(make())
    return module_database_url


@pytest.fixture
def books(traffic_url: str) -> Iterator[psycopg.Connection[Any]]:
    """The database; what is done to it is undone."""
    with psycopg.connect(traffic_url, row_factory=psycopg.rows.dict_row) as connection:
        yield connection
        connection.rollback()


def invariant(words: str) -> str:
    """The one invariant with these words."""
    [check] = [check for check in CHECKS if words in check.invariant]
    return check.invariant


def test_what_is_sound_passes_every_check_and_each_has_something_to_look_at(traffic_url: str) -> None:
    async def run() -> list[Any]:
        async with Database(traffic_url) as database:
            return list((await audit(database, ["fairwind.traffic"])).findings)

    findings = asyncio.run(run())
    assert [finding.rows for finding in findings if finding.offending] == []
    assert [finding.invariant for finding in findings if not finding.examined] == []


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.what)
def test_what_is_wrong_is_found_and_named(books: psycopg.Connection[Any], plant: Plant) -> None:
    for sql in plant.sql:
        met = books.execute(sql).rowcount  # type: ignore[arg-type]
        assert sql.startswith("ALTER") or met > 0, "the corruption meets nothing"

    found = [check.invariant for check in CHECKS if books.execute(check.sql).fetchone()]  # type: ignore[arg-type]

    assert sorted(found) == sorted(map(invariant, plant.breaks))


def test_every_check_was_seen_to_find_something() -> None:
    found = {invariant(words) for plant in PLANTS for words in plant.breaks}
    assert [check.invariant for check in CHECKS if check.invariant not in found] == []
