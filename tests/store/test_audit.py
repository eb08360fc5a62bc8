"""The audit finds what was planted, on one snapshot, and says where."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import psycopg
import pytest

from fairwind import audit as command
from fairwind.kernel import Database, DatabaseError
from fairwind.kernel.audit import Check, Finding, audit, checks_of
from fairwind.kernel.schema import upgrade
from fairwind.web.contexts import PACKAGES

TABLES = """
-- version 1
CREATE TABLE shelf.good (shop_id bigint, id bigint, price_fen bigint, title text, PRIMARY KEY (shop_id, id));
CREATE TABLE shelf.box (id bigint PRIMARY KEY);
"""
CHECKS = """
-- check: each price is above zero
SELECT shop_id, id, price_fen FROM shelf.good WHERE price_fen <= 0 ORDER BY id;

-- check: each title is in plain words, 100 % of them
SELECT good.shop_id, title AS "?column?", id -- a remark
FROM shelf.good JOIN shelf.box USING (id)
WHERE title LIKE '%;%' OR title IS DISTINCT FROM good.title;
"""
EVENT = "00000000-0000-7000-8000-000000000001"
PLANTED = ["fairwind.kernel", "plant.shelf"]


@pytest.fixture
async def shelf(empty_database_url: str, plant: Callable[..., None]) -> AsyncIterator[Database]:
    """A sound database with a planted context."""
    plant("shelf", schema=TABLES, audit=CHECKS)
    await asyncio.to_thread(upgrade, empty_database_url, PLANTED)
    async with Database(empty_database_url) as database:
        async with database.transaction() as tx:
            await tx.execute("INSERT INTO shelf.good SELECT 1, n, n, 'good' FROM generate_series(1, 100) AS n")
            await tx.execute("INSERT INTO shelf.box SELECT generate_series(1, 7)")
        yield database


async def change(database: Database, sql: Any) -> None:
    async with database.transaction() as tx:
        await tx.execute(sql)


async def broken(database: Database, packages: list[str] = PLANTED) -> list[Finding]:
    return [finding for finding in (await audit(database, packages)).findings if finding.offending]


def test_checks_are_read_with_their_context_and_invariant(plant: Callable[..., None]) -> None:
    plant("shelf", audit=CHECKS)

    first, second = checks_of("plant.shelf")
    assert (first.context, first.invariant) == ("shelf", "each price is above zero")
    assert first.sql == "SELECT shop_id, id, price_fen FROM shelf.good WHERE price_fen <= 0 ORDER BY id"
    assert second.invariant == "each title is in plain words, 100 % of them"


def test_a_context_without_checks_has_none(plant: Callable[..., None]) -> None:
    plant("shelf")

    assert checks_of("plant.shelf") == []


async def test_a_sound_database_breaks_nothing_and_what_was_examined_is_counted(shelf: Database) -> None:
    findings = await audit(shelf, PLANTED)

    assert findings.offending == 0
    assert [(finding.invariant, finding.examined, finding.rows) for finding in findings.findings[-2:]] == [
        ("each price is above zero", 100, []),
        ("each title is in plain words, 100 % of them", 107, []),
    ]


async def test_every_offending_row_is_counted_and_the_first_twenty_are_shown(shelf: Database) -> None:
    await change(shelf, "UPDATE shelf.good SET price_fen = 0 WHERE id > 70")

    [finding] = await broken(shelf)
    assert (finding.context, finding.invariant) == ("shelf", "each price is above zero")
    assert finding.offending == 30
    assert finding.rows == [{"shop_id": 1, "id": n, "price_fen": 0} for n in range(71, 91)]


async def test_one_broken_invariant_does_not_hide_another(shelf: Database) -> None:
    await change(shelf, "UPDATE shelf.good SET price_fen = -1, title = 'a; b' WHERE id = 3")

    assert [finding.rows for finding in await broken(shelf)] == [
        [{"shop_id": 1, "id": 3, "price_fen": -1}],
        [{"shop_id": 1, "?column?": "a; b", "id": 3}],
    ]


async def test_all_checks_see_one_moment_while_the_platform_goes_on(shelf: Database, empty_database_url: str) -> None:
    reported: list[tuple[str, int, int]] = []

    def break_everything(check: Check, done: int, total: int) -> None:
        reported.append((check.invariant, done, total))
        if done == 1:
            with psycopg.connect(empty_database_url) as other:
                other.execute("UPDATE shelf.good SET price_fen = 0, title = ';'")

    assert (await audit(shelf, PLANTED, break_everything)).offending == 0
    assert (await audit(shelf, PLANTED)).offending == 107
    assert [(done, total) for _, done, total in reported] == [(n, 5) for n in range(5)]


async def test_a_check_that_would_write_is_stopped(shelf: Database, plant: Callable[..., None]) -> None:
    plant("shelf", audit="-- check: tidy\nSELECT set_config('x.y', 'z', false), nextval('kernel.id')")

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        await audit(shelf, PLANTED)


async def test_a_check_that_cannot_run_is_named(shelf: Database, plant: Callable[..., None]) -> None:
    plant("shelf", audit="-- check: each wheel turns\nSELECT * FROM shelf.wheel WHERE NOT turns")

    with pytest.raises(psycopg.errors.UndefinedTable) as error:
        await audit(shelf, PLANTED)
    assert error.value.__notes__ == ["shelf checks: each wheel turns"]


# The kernel's own checks


@pytest.mark.parametrize(
    ("damage", "invariant", "row"),
    [
        (
            f"INSERT INTO kernel.outbox VALUES (7, '{EVENT}', 'a.b', '{{}}', now(), 10, true)",
            "every event was taken by its consumers before it had to be parked",
            {"shop_id": 7, "topic": "a.b", "event_id": EVENT, "attempts": 10},
        ),
        (
            f"INSERT INTO kernel.outbox VALUES (7, '{EVENT}', 'a.b', '{{}}', now() - interval '25 hours')",
            "no event waits in the outbox for more than a day",
            {"shop_id": 7, "topic": "a.b", "event_id": EVENT, "attempts": 0},
        ),
        (
            "UPDATE kernel.schema_version SET version = 2 WHERE context = 'shelf'",
            "each context took its schema versions without a gap",
            {"context": "shelf", "newest": 2, "taken": 1},
        ),
    ],
)
async def test_the_kernel_notices(shelf: Database, damage: str, invariant: str, row: dict[str, Any]) -> None:
    await change(shelf, damage)

    [finding] = await broken(shelf)
    assert (finding.context, finding.invariant) == ("kernel", invariant)
    [found] = finding.rows
    assert {name: found[name] for name in row} == row


async def test_the_kernel_lets_events_wait_for_a_while(shelf: Database) -> None:
    await change(
        shelf, "INSERT INTO kernel.outbox VALUES (7, gen_random_uuid(), 'a.b', '{}', now() - interval '23 hours', 9)"
    )

    assert await broken(shelf) == []


# The command


@pytest.fixture
def fairwind(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an installation without any goods, which the command is pointed at."""
    upgrade(empty_database_url, PACKAGES)
    monkeypatch.setenv("FAIRWIND_DATABASE_URL", empty_database_url)
    return empty_database_url


def park(url: str, count: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO kernel.outbox SELECT 7, gen_random_uuid(), 'a.b', '{}', now(), 10, true "
            "FROM generate_series(1, %s)",
            (count,),
        )


def test_the_command_checks_every_context_and_an_empty_installation_is_sound(
    fairwind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.audit() == 0

    told = capsys.readouterr().out
    checks = [check for package in PACKAGES for check in checks_of(package)]
    assert told.count("✓") == len(checks) > 10
    assert "✗" not in told
    assert f"All {len(checks)} invariants hold" in told


def test_the_command_shows_what_is_broken_and_fails(fairwind: str, capsys: pytest.CaptureFixture[str]) -> None:
    park(fairwind, 25)

    assert command.audit() == 1

    told = capsys.readouterr().out
    assert "✗ kernel: every event was taken by its consumers" in told
    assert told.count("shop_id=7 topic=a.b event_id=") == 20
    assert "and 5 more" in told
    assert "Broken: 1 of" in told


def test_the_command_answers_machines_in_json(fairwind: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    park(fairwind, 1)

    assert command.audit(json=True) == 1

    findings = json.loads(capfdbinary.readouterr().out)["findings"]
    assert [(finding["context"], finding["offending"]) for finding in findings if finding["rows"]] == [("kernel", 1)]
    assert {"context", "invariant", "examined", "offending", "rows"} == set(findings[0])


def test_the_command_asks_for_an_upgrade_first(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRWIND_DATABASE_URL", empty_database_url)

    with pytest.raises(DatabaseError, match=r"the tables lack kernel 1, .*; run fairwind db upgrade first"):
        command.audit()
