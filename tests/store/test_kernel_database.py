"""Transactions on a real server: collisions are tried again, and what was not committed is never answered."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg
import pytest
from prometheus_client import REGISTRY
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from fairwind.kernel import Database, DatabaseError, NotFound, Query, Transaction, Unavailable, statement
from fairwind.kernel.database import shown
from fairwind.kernel.postgres import EmbeddedPostgres

Work = Callable[[Transaction], Awaitable[Any]]
Runner = Callable[[Work], Awaitable[Any]]


@pytest.fixture
async def notes(database: Database) -> AsyncIterator[Database]:
    """A database with a table to write into, empty at first."""
    async with database.transaction() as tx:
        await tx.execute("CREATE TABLE note (id bigint PRIMARY KEY, text text NOT NULL DEFAULT '')")
    yield database
    async with database.transaction() as tx:
        await tx.execute("DROP TABLE note")


async def write(tx: Transaction, *ids: int) -> None:
    await tx.execute("INSERT INTO note (id) SELECT unnest(%s::bigint[])", (list(ids),))


async def written(database: Database) -> list[int]:
    async with database.transaction() as tx:
        return [row.id for row in await tx.rows("SELECT id FROM note ORDER BY id")]


def retries(sqlstate: str) -> float:
    return REGISTRY.get_sample_value("fairwind_transaction_retries_total", {"sqlstate": sqlstate}) or 0


def unretried(database: Database) -> Runner:
    """The naive twin of Database.run: it tries once."""

    async def run(work: Work) -> Any:
        async with database.transaction() as tx:
            return await work(tx)

    return run


# What a transaction leaves behind


async def test_a_transaction_commits_when_its_work_ends(notes: Database) -> None:
    await notes.run(lambda tx: write(tx, 1, 2))

    assert await written(notes) == [1, 2]


@pytest.mark.parametrize("error", [NotFound("no"), ValueError("oh"), KeyboardInterrupt()])
async def test_whatever_work_raises_leaves_nothing_and_comes_out(notes: Database, error: BaseException) -> None:
    async def work(tx: Transaction) -> None:
        await write(tx, 1)
        raise error

    with pytest.raises(type(error)):
        await notes.run(work)
    assert await written(notes) == []


async def test_work_that_swallows_an_error_of_the_database_is_not_answered_as_done(notes: Database) -> None:
    async def work(tx: Transaction) -> str:
        await write(tx, 1)
        with suppress(Exception):
            await tx.execute("SELECT 1 / 0")
        return "done"

    with pytest.raises(errors.InFailedSqlTransaction, match="swallowed"):
        await notes.run(work)
    assert await written(notes) == []


async def test_a_cancelled_transaction_leaves_nothing_and_gives_its_connection_back(database_url: str) -> None:
    async with Database(database_url, connections_max=1, wait_max_s=5) as database:
        started = asyncio.Event()

        async def work(tx: Transaction) -> None:
            await tx.execute("CREATE TABLE never (id bigint)")
            started.set()
            await tx.execute("SELECT pg_sleep(60)")

        task = asyncio.create_task(database.run(work))
        await started.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        async with database.transaction() as tx:
            row = await tx.row("SELECT to_regclass('never') AS never")
        assert row == (None,)


# Collisions


async def cross(run: Runner) -> None:
    """Two transactions take the same two rows in opposite orders; at their first try neither is ahead."""
    meeting = asyncio.Barrier(2)

    def crossing(first: int, second: int) -> Work:
        tries = 0

        async def work(tx: Transaction) -> None:
            nonlocal tries
            tries += 1
            await tx.execute("UPDATE note SET text = text || 'x' WHERE id = %s", (first,))
            if tries == 1:
                await meeting.wait()
            await tx.execute("UPDATE note SET text = text || 'x' WHERE id = %s", (second,))

        return work

    await asyncio.gather(run(crossing(1, 2)), run(crossing(2, 1)))


async def test_a_deadlock_is_tried_again(notes: Database) -> None:
    await notes.run(lambda tx: write(tx, 1, 2))
    before = retries("40P01")

    await cross(notes.run)

    async with notes.transaction() as tx:
        assert [row.text for row in await tx.rows("SELECT text FROM note")] == ["xx", "xx"]
    assert retries("40P01") == before + 1


async def test_a_naive_twin_dies_of_the_deadlock(notes: Database) -> None:
    await notes.run(lambda tx: write(tx, 1, 2))

    with pytest.raises(errors.DeadlockDetected):
        await cross(unretried(notes))


async def raise_one_note(run: Runner) -> None:
    """Two transactions read a number from one snapshot each and write it back raised."""
    meeting = asyncio.Barrier(2)
    tries = 0

    async def work(tx: Transaction) -> None:
        nonlocal tries
        tries += 1
        await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        [row] = await tx.rows("SELECT text FROM note WHERE id = 1")
        if tries <= 2:
            await meeting.wait()
        await tx.execute("UPDATE note SET text = %s WHERE id = 1", (row.text + "x",))

    await asyncio.gather(run(work), run(work))


async def test_a_serialization_failure_is_tried_again_from_a_new_snapshot(notes: Database) -> None:
    await notes.run(lambda tx: write(tx, 1))

    await raise_one_note(notes.run)

    async with notes.transaction() as tx:
        assert await tx.row("SELECT text FROM note") == ("xx",)


async def write_once(run: Runner) -> list[str]:
    """Two requests with one id: each looks whether it was there, then writes it."""
    meeting = asyncio.Barrier(2)
    tries = 0

    async def work(tx: Transaction) -> str:
        nonlocal tries
        tries += 1
        there = await tx.row("SELECT 1 FROM note WHERE id = 7")
        if tries <= 2:
            await meeting.wait()
        if there:
            return "was there"
        await write(tx, 7)
        return "written"

    return sorted(await asyncio.gather(run(work), run(work)))


async def test_a_key_that_someone_else_just_took_is_found_at_the_second_try(notes: Database) -> None:
    assert await write_once(notes.run) == ["was there", "written"]


@pytest.mark.parametrize("scenario", [raise_one_note, write_once])
async def test_a_naive_twin_dies_of_the_collision(
    notes: Database, scenario: Callable[[Runner], Awaitable[object]]
) -> None:
    await notes.run(lambda tx: write(tx, 1))

    with pytest.raises((errors.SerializationFailure, errors.UniqueViolation)):
        await scenario(unretried(notes))


async def test_a_collision_inside_a_pipeline_is_tried_again(notes: Database) -> None:
    tries = 0

    async def work(tx: Transaction) -> list[Any]:
        nonlocal tries
        tries += 1
        fails = statement("DO $$ BEGIN RAISE 'collision' USING ERRCODE = '40001'; END $$", ())
        insert = statement("INSERT INTO note (id) VALUES (1)", ())
        return await tx.together(insert, *([fails] if tries < 3 else []))

    assert await notes.run(work) == [None]
    assert tries == 3
    assert await written(notes) == [1]


@pytest.mark.parametrize(
    ("sqlstate", "raised"), [("40001", Unavailable), ("40P01", Unavailable), ("23505", errors.UniqueViolation)]
)
async def test_a_collision_that_stays_is_given_up_after_a_few_tries(
    database: Database, sqlstate: str, raised: type[Exception]
) -> None:
    tries = 0

    async def work(tx: Transaction) -> None:
        nonlocal tries
        tries += 1
        await tx.execute(f"DO $$ BEGIN RAISE 'collision' USING ERRCODE = '{sqlstate}'; END $$")

    with pytest.raises(raised):
        await database.run(work)
    assert tries == 5


# A statement at fault is not an absent server


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("CREATE TEMP TABLE wide ON COMMIT DROP AS SELECT string_agg(md5(n::text), '') AS text "
         "FROM generate_series(1, 1000) AS n; CREATE INDEX ON wide (text)", errors.ProgramLimitExceeded),
        ("SET LOCAL statement_timeout = 20; SELECT pg_sleep(10)", errors.QueryCanceled),
        ("SELECT 1 / 0", errors.DivisionByZero),
    ],
)  # fmt: skip
async def test_a_failed_statement_is_raised_as_what_it_is(database: Database, sql: Any, error: type[Exception]) -> None:
    async def work(tx: Transaction) -> None:
        for part in sql.split(";"):
            await tx.execute(part)

    with pytest.raises(error):
        await database.run(work)


# Lost connections


async def end_connection_of(tx: Transaction, url: str) -> None:
    row = await tx.row("SELECT pg_backend_pid() AS pid")
    assert row is not None
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as other:
        await other.execute("SELECT pg_terminate_backend(%s, 5000)", (row.pid,))


async def test_a_connection_lost_in_the_middle_is_unavailable_and_leaves_nothing(
    notes: Database, database_url: str
) -> None:
    async def work(tx: Transaction) -> None:
        await write(tx, 1)
        await end_connection_of(tx, database_url)
        await write(tx, 2)

    with pytest.raises(Unavailable):
        await notes.run(work)
    assert await written(notes) == [], "and the pool has recovered"


async def test_a_connection_lost_before_the_commit_is_unavailable_and_leaves_nothing(
    notes: Database, database_url: str
) -> None:
    async def work(tx: Transaction) -> None:
        await write(tx, 1)
        await end_connection_of(tx, database_url)

    with pytest.raises(Unavailable):
        await notes.run(work)
    assert await written(notes) == []


async def test_a_connection_lost_in_a_pipeline_is_unavailable(notes: Database, database_url: str) -> None:
    async def work(tx: Transaction) -> None:
        await end_connection_of(tx, database_url)
        await tx.together(statement("SELECT 1", ()), statement("SELECT 2", ()))

    with pytest.raises(Unavailable):
        await notes.run(work)


@asynccontextmanager
async def a_line_to(url: str, cut: asyncio.Event) -> AsyncIterator[str]:
    """An address that leads to url; when cut is set, the next answer is lost with the connection it came through."""
    parts = conninfo_to_dict(url)
    host, port = str(parts.get("host", "localhost")), int(parts.get("port") or 5432)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)

    async def carry_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (data := await reader.read(65536)) and not cut.is_set():
            writer.write(data)
        cut.clear()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = (
            await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
            if host.startswith("/")
            else await asyncio.open_connection(host, port)
        )
        ways = [asyncio.create_task(carry(reader, back)), asyncio.create_task(carry_back(there, writer))]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        back.close()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        own_port = str(server.sockets[0].getsockname()[1])
        yield make_conninfo(url, host="127.0.0.1", port=own_port, sslmode="disable", gssencmode="disable")


async def test_a_commit_whose_answer_was_lost_is_unavailable_and_can_be_asked_again(
    notes: Database, database_url: str
) -> None:
    async def write_idempotently(tx: Transaction) -> str:
        if await tx.row("SELECT 1 FROM note WHERE id = 1"):
            return "was there"
        await write(tx, 1)
        cut.set()
        return "written"

    cut = asyncio.Event()
    async with a_line_to(database_url, cut) as url, Database(url, connections_max=1) as on_the_line:
        with pytest.raises(Unavailable, match="ask again with the same id"):
            await on_the_line.run(write_idempotently)
        assert await on_the_line.run(write_idempotently) == "was there"
    assert await written(notes) == [1]


async def test_waiting_too_long_for_a_connection_is_unavailable(database_url: str) -> None:
    async with Database(database_url, connections_max=1, wait_max_s=0.1) as database:
        async with database.transaction():
            with pytest.raises(Unavailable, match="busy"):
                async with database.transaction():
                    pass
        async with database.transaction() as tx:
            assert await tx.row("SELECT 1 AS one") == (1,)


async def test_a_closed_database_is_unavailable(database_url: str) -> None:
    async with Database(database_url) as database:
        pass

    with pytest.raises(Unavailable):
        async with database.transaction():
            pass


@pytest.fixture
def own_server() -> Iterator[EmbeddedPostgres]:
    """A server that a test may kill."""
    with tempfile.TemporaryDirectory(prefix="fairwind-test-") as folder:
        Path(folder).chmod(0o711)
        with EmbeddedPostgres(Path(folder, "data"), report=lambda _: None) as postgres:
            yield postgres


async def test_a_killed_server_loses_nothing_that_was_answered_and_is_found_again(own_server: EmbeddedPostgres) -> None:
    answered: list[int] = []
    failed = 0
    over = False

    async def load(first: int) -> None:
        nonlocal failed
        for number in count(first, 4):
            if over:  # Python 3.11 may lose a cancellation that meets the end of a wait
                return
            try:
                await database.run(lambda tx, number=number: write(tx, number))
            except Unavailable:
                failed += 1
                await asyncio.sleep(0.02)
            else:
                answered.append(number)

    async def goes_on() -> None:
        goal = len(answered) + 50
        async with asyncio.timeout(30):
            while len(answered) < goal:  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    async with Database(own_server.url, wait_max_s=1) as database:
        async with database.transaction() as tx:
            await tx.execute("CREATE TABLE note (id bigint PRIMARY KEY)")
            row = await tx.row("SELECT pg_backend_pid() AS backend, pg_read_file('postmaster.pid') AS postmaster")
        assert row is not None

        async with asyncio.TaskGroup() as group:
            for first in range(4):
                group.create_task(load(first))
            await goes_on()
            for pid in (row.backend, int(row.postmaster.split()[0])):
                os.kill(pid, signal.SIGKILL)
                await goes_on()
            over = True

        assert failed > 0
        assert set(answered) <= set(await written(database))


# Opening


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://shop:hunter2@127.0.0.1:1/db",
        "postgresql://shop:hunter2@127.0.0.1:x/db",
        "host=127.0.0.1 port=1 password=hunter2",
    ],
)
async def test_a_server_that_cannot_be_reached_is_told_soon_and_without_the_password(url: str) -> None:
    started = monotonic()
    with pytest.raises(DatabaseError, match=r"cannot connect to PostgreSQL at .*host=127.0.0.1") as refused:
        await Database(url, wait_max_s=0.3).open()

    assert monotonic() - started < 3
    assert "hunter2" not in str(refused.value)


def test_what_is_no_address_is_refused_at_once_and_not_repeated() -> None:
    with pytest.raises(DatabaseError, match="not an address such as") as refused:
        Database("postgresql//shop:hunter2@db")

    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("postgresql://shop:hunter2@db.example:6432/sales?sslmode=require", "dbname=sales host=db.example port=6432"),
        ("postgresql://shop:hunter2@/sales", "dbname=sales"),
        ("postgresql:///sales?host=/run/pg&password=hunter2", "dbname=sales host=/run/pg"),
        ("postgresql://u:hunter2@one:1,two:2/sales", "dbname=sales host=one,two port=1,2"),
        ("postgresql://u:hunter2@", "the default address"),
    ],
)
def test_an_address_is_shown_without_who_enters_and_how(url: str, where: str) -> None:
    assert shown(url) == where


# Statements


async def test_rows_come_as_named_tuples(notes: Database) -> None:
    await notes.run(lambda tx: write(tx, 1, 2))

    async with notes.transaction() as tx:
        assert [row.id for row in await tx.rows("SELECT id FROM note ORDER BY id")] == [1, 2]
        assert await tx.row("SELECT id FROM note WHERE id = %(id)s", {"id": 3}) is None
        assert await tx.execute("DELETE FROM note") == 2


async def test_queries_asked_together_answer_in_order(notes: Database) -> None:
    numbers: Query[list[int]] = Query(
        "SELECT n FROM generate_series(1, %s) AS n", (3,), lambda rows: [r.n for r in rows]
    )
    insert = statement("INSERT INTO note (id) VALUES (%(id)s)", {"id": 1})

    async with notes.transaction() as tx:
        assert await tx.together(numbers, insert, numbers) == [[1, 2, 3], None, [1, 2, 3]]
        assert await tx.ask(numbers) == [1, 2, 3]
        assert await tx.ask(statement("DELETE FROM note", ())) is None


async def test_of_queries_asked_together_the_one_at_fault_is_named(notes: Database) -> None:
    fine = statement("SELECT 1", ())
    for place in range(3):
        queries = [fine, fine, fine]
        queries[place] = statement("SELECT 1 / 0", ())
        with pytest.raises(errors.DivisionByZero):
            async with notes.transaction() as tx:
                await tx.together(*queries)


async def test_many_rows_are_copied_in_and_streamed_out(notes: Database) -> None:
    async with notes.transaction() as tx:
        await tx.copy_in("COPY note (id, text) FROM STDIN", ((n, "\\\t\n") for n in range(5000)))

    async with notes.transaction() as tx:
        streamed = [row async for row in tx.stream("SELECT * FROM note ORDER BY id", size=100)]
    assert [row.id for row in streamed] == list(range(5000))
    assert {row.text for row in streamed} == {"\\\t\n"}


async def test_streams_do_not_get_in_each_others_way(database: Database) -> None:
    numbers = "SELECT n FROM generate_series(1, %s) AS n"
    async with database.transaction() as tx:
        async for row in tx.stream(numbers, (100,), size=5):
            if row.n == 7:
                break
        found = [
            (outer.n, inner.n) async for outer in tx.stream(numbers, (2,)) async for inner in tx.stream(numbers, (2,))
        ]

    assert found == [(1, 1), (1, 2), (2, 1), (2, 2)]


async def test_times_come_in_utc_whatever_the_servers_zone(database_url: str) -> None:
    url = make_conninfo(database_url, options="-c timezone=Asia/Shanghai")
    async with Database(url) as database, database.transaction() as tx:
        row = await tx.row("SELECT '2020-06-18 20:00+08'::timestamptz AS at")

    assert row is not None
    assert row.at.isoformat() == "2020-06-18T12:00:00+00:00"
