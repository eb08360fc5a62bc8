"""The one way to the database: a pool, transactions with bounded retries, and the statements that stores run.

A `Transaction` is what commands and stores are given. It commits when its block ends and rolls back when it raises, so
nothing is acknowledged before commit. Only stores and a few modules of the kernel import the driver.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, Generic, LiteralString, TypeVar
from urllib.parse import urlsplit

import psycopg
from psycopg import errors
from psycopg.rows import namedtuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from fairwind.kernel import metrics
from fairwind.kernel.refusals import Refused

__all__ = ["Database", "DatabaseError", "Query", "Row", "Transaction", "Unavailable", "statement"]

T = TypeVar("T")
Row = Any
"""A named tuple with the statement's columns."""
Parameters = Sequence[Any] | Mapping[str, Any]

_RETRIED = (errors.SerializationFailure, errors.DeadlockDetected, errors.UniqueViolation)
_TRIES = 5


class DatabaseError(Exception):
    """The database cannot be used as configured; the message says what to do."""


class Unavailable(Refused):
    """The database did not answer. Whether the change was made is unknown: ask again with the same id."""

    code = "unavailable"
    status = 503


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
        async with self._connection.cursor(name="stream", scrollable=False) as cursor:
            cursor.itersize = size
            await cursor.execute(sql, parameters)
            async for row in cursor:
                yield row


class Database:
    """A pool of connections to one PostgreSQL 16 to 18.

    url: a libpq URL or conninfo. connections_max: the most connections held open at once.
    """

    def __init__(self, url: str, *, connections_max: int = 16, wait_max_s: float = 10.0) -> None:
        self._url = url
        self._pool = AsyncConnectionPool(
            url,
            open=False,
            min_size=min(4, connections_max),
            max_size=connections_max,
            timeout=wait_max_s,
            kwargs={"row_factory": namedtuple_row, "autocommit": False, "prepare_threshold": 2},
            configure=_configure,
        )

    async def open(self) -> None:
        """Connect; DatabaseError says what to do when that fails."""
        try:
            await self._pool.open(wait=True)
        except PoolTimeout as error:
            await self._pool.close()
            raise DatabaseError(
                f"cannot connect to PostgreSQL at {shown(self._url)}: check that it runs and that the "
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
                started = perf_counter()
                await connection.commit()
                metrics.COMMIT_S.observe(perf_counter() - started)
        except PoolTimeout as error:
            raise Unavailable("the database is busy; try again in a moment") from error
        except psycopg.OperationalError as error:
            if isinstance(error, _RETRIED):
                raise
            raise Unavailable("the database did not answer; ask again with the same id") from error

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """work in one transaction, tried again a few times when another transaction got in its way.

        A collision (deadlock, serialization failure, a unique key that someone else just took) rolls everything back,
        so that work must start from what it reads inside the transaction.
        """
        for attempt in range(_TRIES):
            try:
                async with self.transaction() as tx:
                    return await work(tx)
            except _RETRIED as error:
                metrics.RETRIES.labels(error.sqlstate or "").inc()
                if attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311
        raise AssertionError("unreachable")


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    # Dates and times travel as UTC whatever the server's or the user's setting is.
    await connection.execute("SET timezone TO 'UTC'")
    await connection.commit()


def shown(url: str) -> str:
    """url without its password, for messages."""
    parts = urlsplit(url)
    if not parts.hostname:
        return url if "password" not in url.lower() else "the given address"
    return f"{parts.scheme}://{parts.hostname}:{parts.port or 5432}{parts.path}"
