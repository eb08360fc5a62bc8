"""Schema versions: each context's tables, brought up to date step by step and never past what the code knows.

A context keeps its tables in `schema.sql`, cut into steps by lines `-- version N`; a step that was released is never
edited, a change is a new step. `kernel.schema_version` remembers which steps a database has. A line
`-- distribute context.table by column` spreads that table over the workers where Citus is installed, a line
`-- reference context.table` keeps a copy of it on each; both mean nothing elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import LiteralString, cast

import psycopg

from fairwind.kernel.database import DatabaseError, Transaction, shown

_VERSION = re.compile(r"^-- version (\d+)$", re.MULTILINE)
_REFERENCE = re.compile(r"^-- reference (\w+\.\w+)$", re.MULTILINE)
_DISTRIBUTE = re.compile(r"^-- distribute (\w+\.\w+) by (\w+)$", re.MULTILINE)
_LOCK = 0x0FA1_2B1D
"""Advisory lock: of several servers that start at once, one upgrades and the others wait."""
_VERSIONS: LiteralString = "SELECT context, max(version) AS version FROM kernel.schema_version GROUP BY context"
_SERVER_MAJORS = range(16, 19)


class SchemaError(DatabaseError):
    """The database's tables do not fit this version of Fairwind."""


@dataclass(frozen=True)
class Step:
    """One version of one context's tables."""

    context: str
    version: int
    sql: str

    @property
    def name(self) -> str:
        return f"{self.context} {self.version}"


def steps_of(package: str) -> list[Step]:
    """The steps in package's schema.sql, in order."""
    context = package.rpartition(".")[2]
    text = files(package).joinpath("schema.sql").read_text(encoding="utf-8")
    _, *parts = _VERSION.split(text)
    steps = [Step(context, int(n), sql) for n, sql in zip(parts[::2], parts[1::2], strict=True)]
    assert [step.version for step in steps] == list(range(1, len(steps) + 1)), f"{package}: versions count from 1"
    return steps


def missing(url: str, packages: Sequence[str]) -> list[Step]:
    """The steps that the database at url has yet to take; SchemaError when it is newer than this code."""
    with _connect(url) as connection:
        return _missing(connection, packages)


def upgrade(url: str, packages: Sequence[str], report: Callable[[Step], None] = lambda _: None) -> list[Step]:
    """Bring the database at url up to date, all steps in one transaction; answers the steps taken."""
    with _connect(url) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        steps = _missing(connection, packages)
        citus = connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'citus'").fetchone()
        for step in steps:
            report(step)
            try:
                _take(connection, step, distributed=citus is not None)
            except psycopg.Error as error:
                raise SchemaError(f"step {step.name} failed: {error}. Nothing was changed.") from error
        return steps


def _connect(url: str) -> psycopg.Connection[tuple[object, ...]]:
    where = shown(url)
    try:
        connection = psycopg.connect(url, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise DatabaseError(
            f"cannot connect to PostgreSQL at {where}: {str(error).strip()}. Check FAIRWIND_DATABASE_URL."
        ) from error
    major = connection.info.server_version // 10_000
    if major not in _SERVER_MAJORS:
        connection.close()
        raise DatabaseError(f"PostgreSQL {major} is not supported; Fairwind needs PostgreSQL 16, 17 or 18")
    return connection


async def still_missing(tx: Transaction, packages: Sequence[str]) -> list[Step]:
    """What `missing` answers, asked within tx of a database that has been set up: for who asks often."""
    return _left({row.context: row.version for row in await tx.rows(_VERSIONS)}, packages)


def _missing(connection: psycopg.Connection[tuple[object, ...]], packages: Sequence[str]) -> list[Step]:
    return _left(_versions(connection), packages)


def _left(there: Mapping[str, int], packages: Sequence[str]) -> list[Step]:
    known = {package.rpartition(".")[2]: steps_of(package) for package in packages}
    newer = [f"{context} {version}" for context, version in there.items() if version > len(known.get(context, ()))]
    if newer:
        raise SchemaError(
            f"the database was made by a newer Fairwind (it has {', '.join(sorted(newer))}); "
            "install that version or name another data folder. Nothing was changed."
        )
    return [step for context, steps in known.items() for step in steps[there.get(context, 0) :]]


def _versions(connection: psycopg.Connection[tuple[object, ...]]) -> dict[str, int]:
    found = connection.execute("SELECT to_regclass('kernel.schema_version') IS NOT NULL").fetchone()
    if found is None or not found[0]:
        return {}
    return {str(context): cast(int, version) for context, version in connection.execute(_VERSIONS)}


def _take(connection: psycopg.Connection[tuple[object, ...]], step: Step, *, distributed: bool) -> None:
    if step.version == 1:
        connection.execute(f"CREATE SCHEMA {step.context}")
    if step.name == "kernel 1":
        connection.execute(
            "CREATE TABLE kernel.schema_version ("
            " context text, version integer, taken_at timestamptz NOT NULL DEFAULT now(),"
            " PRIMARY KEY (context, version))"
        )
    connection.execute(step.sql)
    if distributed:
        for table in _REFERENCE.findall(step.sql):
            connection.execute("SELECT create_reference_table(%s)", (table,))
        for table, column in _DISTRIBUTE.findall(step.sql):
            connection.execute("SELECT create_distributed_table(%s, %s)", (table, column))
    connection.execute(
        "INSERT INTO kernel.schema_version (context, version) VALUES (%s, %s)", (step.context, step.version)
    )
