"""The one way to the database: a pool, transactions with bounded retries, and the statements that stores run.

A `Transaction` is what commands and stores are given. It commits when its block ends and rolls back when it raises, so
nothing is acknowledged before commit. Only stores and a few modules of the kernel import the driver.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from time import perf_counter
from typing import Any, Generic, LiteralString, TypeVar

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.rows import namedtuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from fairwind.kernel import metrics
from fairwind.kernel.refusals import Unavailable

__all__ = ["Database", "DatabaseError", "Query", "Row", "Transaction", "Unavailable", "statement"]

T = TypeVar("T")
Row = Any
"""A named tuple with the statement's columns."""
Parameters = Sequence[Any] | Mapping[str, Any]

_RETRIED = (errors.SerializationFailure, errors.DeadlockDetected, errors.UniqueViolation)
_TRIES = 5
_GONE = ("08", "53", "57P", "58")
"""SQLSTATEs that speak of the connection or the server, not of the statement."""
_RECONNECT_S = 2
"""After each vain attempt to connect the pool waits twice as long; when it gives up, the next request begins anew. It
gives up early, so that a server that is back is found soon."""
_LINE = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "tcp_user_timeout": 20_000}
"""Unless the url says otherwise, a server that vanished without a word is noticed in seconds, not in hours."""
_stream_numbers = count()


class DatabaseError(Exception):
    """The database cannot be used as configured; the message says what to do."""


class Query(Generic[T]):
    """A statement with its parameters and how to read its rows: what a store offers to be asked with others.

    Hot paths ask several stores in one round trip (`Transaction.together`); a statement that answers nothing reads
    to None.
    """

    __slots__ = ("parameters", "read", "sql")

    def __init__(self, sql: LiteralString, parameters: Parameters, read: Callable[[list[Row]], T]) -> None:
        self.sql = sql
        self.parameters = parameters
        self.read = read


def statement(sql: LiteralString, parameters: Parameters) -> Query[None]:
    """A query that answers nothing."""
    return Query(sql, parameters, lambda _: None)


class Transaction:
    """One open transaction. Its methods take SQL with named or positional parameters (%(name)s, %s)."""

    __slots__ = ("_connection",)

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def rows(self, sql: LiteralString, parameters: Parameters = ()) -> list[Row]:
        """All rows of the answer, as named tuples."""
        return await (await self._connection.execute(sql, parameters)).fetchall()

    async def row(self, sql: LiteralString, parameters: Parameters = ()) -> Row | None:
        """The first row of the answer, or None."""
        return await (await self._connection.execute(sql, parameters)).fetchone()

    async def execute(self, sql: LiteralString, parameters: Parameters = ()) -> int:
        """Run a statement; answers how many rows it touched."""
        return (await self._connection.execute(sql, parameters)).rowcount

    async def ask(self, query: Query[T]) -> T:
        """The answer to one query."""
        return query.read(await self._fetch(await self._connection.execute(query.sql, query.parameters)))

    async def together(self, *queries: Query[Any]) -> list[Any]:
        """The answers to several queries, in one round trip."""
        async with self._connection.pipeline():
            cursors = [await self._connection.execute(query.sql, query.parameters) for query in queries]
        # Inside the pipeline a cursor does not know yet that it has rows.
        answers = [await self._fetch(cursor) for cursor in cursors]
        return [query.read(rows) for query, rows in zip(queries, answers, strict=True)]

    async def _fetch(self, cursor: psycopg.AsyncCursor[Any]) -> list[Row]:
        return await cursor.fetchall() if cursor.description else []

    async def copy_in(self, sql: LiteralString, rows: Iterable[Sequence[Any]]) -> None:
        """COPY … FROM STDIN: the fastest way to bring in many rows."""
        async with self._connection.cursor().copy(sql) as copy:
            for row in rows:
                await copy.write_row(row)

    async def stream(self, sql: LiteralString, parameters: Parameters = (), *, size: int = 1000) -> AsyncIterator[Row]:
        """Rows through a server-side cursor, `size` at a time: memory does not grow with the answer."""
        name = f"stream_{next(_stream_numbers)}"
        async with self._connection.cursor(name, scrollable=False) as cursor:
            cursor.itersize = size
            await cursor.execute(sql, parameters)
            async for row in cursor:
                yield row


class Database:
    """A pool of connections to one PostgreSQL 16 to 18.

    url: a libpq URL or conninfo; DatabaseError when it is neither. connections_max: the most connections held open at
    once. wait_max_s: the longest wait for one of them.
    """

    def __init__(self, url: str, *, connections_max: int = 16, wait_max_s: float = 10.0) -> None:
        self._shown = shown(url)
        self._wait_max_s = wait_max_s
        self._pool = AsyncConnectionPool(
            make_conninfo("", **(_LINE | conninfo_to_dict(url))),
            open=False,
            min_size=min(4, connections_max),
            max_size=connections_max,
            timeout=wait_max_s,
            reconnect_timeout=_RECONNECT_S,
            kwargs={"row_factory": namedtuple_row, "autocommit": False, "prepare_threshold": 2},
            configure=_configure,
        )

    async def open(self) -> None:
        """Connect; DatabaseError says what to do when that fails."""
        try:
            await self._pool.open(wait=True, timeout=self._wait_max_s)
        except PoolTimeout as error:
            await self._pool.close()
            raise DatabaseError(
                f"cannot connect to PostgreSQL at {self._shown}: check that it runs and that the "
                "user, password and database in FAIRWIND_DATABASE_URL are right"
            ) from error

    async def close(self) -> None:
        await self._pool.close()

    async def __aenter__(self) -> Database:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """One transaction, not retried; for reads, and for writes that cannot collide."""
        try:
            async with self._pool.connection() as connection:
                yield Transaction(connection)
                if connection.pgconn.transaction_status == TransactionStatus.INERROR:
                    # COMMIT would roll back without a word.
                    raise errors.InFailedSqlTransaction("a statement failed and its error was swallowed")
                started = perf_counter()
                await connection.commit()
                metrics.COMMIT_S.observe(perf_counter() - started)
        except PoolTimeout as error:
            raise Unavailable("the database is busy or away; try again in a moment") from error
        except psycopg.OperationalError as error:
            if error.sqlstate is None or error.sqlstate.startswith(_GONE):
                raise Unavailable("the database did not answer; ask again with the same id") from error
            raise

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """work in one transaction, tried again a few times when another transaction got in its way.

        A collision (deadlock, serialization failure, a unique key that someone else just took) rolls everything back,
        so that work must start from what it reads inside the transaction. A collision that stays is Unavailable; a
        unique key that stays taken is raised as it is, for it is work's own mistake.
        """
        for attempt in range(1, _TRIES + 1):
            try:
                async with self.transaction() as tx:
                    return await work(tx)
            except _RETRIED as error:
                metrics.RETRIES.labels(error.sqlstate or "").inc()
                if attempt == _TRIES:
                    if isinstance(error, errors.UniqueViolation):
                        raise
                    raise Unavailable("too many changes meet here at once; try again in a moment") from error
                await asyncio.sleep(random.uniform(0, 0.005 * 2**attempt))  # noqa: S311
        raise AssertionError("unreachable")


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    # Dates and times travel as UTC whatever the server's or the user's setting is.
    await connection.execute("SET timezone TO 'UTC'")
    await connection.commit()


def shown(url: str) -> str:
    """Where url leads, without who enters and how, for messages; DatabaseError when it is no address."""
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:  # its message quotes the url, and that may hold a password
        raise DatabaseError(
            "FAIRWIND_DATABASE_URL is not an address such as postgresql://user:password@host:5432/database"
        ) from None
    where = {name: value for name, value in parts.items() if name in ("host", "hostaddr", "port", "dbname")}
    return make_conninfo("", **where) or "the default address"
