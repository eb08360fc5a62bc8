"""The audit: every context states its invariants as queries for whatever breaks them, and here they are asked.

A context keeps its checks in `audit.sql`, each a line `-- check: ` with the invariant as a sentence, then one SELECT
that answers the rows at fault. A context checks itself and what lies below it. All checks of one audit see the same
moment, so that it may run beside the busiest platform; it only reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

import msgspec

from fairwind.kernel.database import Database, Transaction

__all__ = ["Check", "Finding", "Findings", "audit", "checks_of"]

_CHECK = re.compile(r"^-- check: (\S.*)$", re.MULTILINE)
_SOURCE = re.compile(r"\b(?:FROM|JOIN)\s+(\w+\.\w+)", re.IGNORECASE)
_ROWS_SHOWN = 20


class Check(msgspec.Struct, frozen=True):
    """An invariant of a context, and the query that answers the rows which break it."""

    context: str
    invariant: str
    sql: str

    @property
    def sources(self) -> frozenset[str]:
        """What it may read from: its tables, and a column or two after `IS DISTINCT FROM`."""
        return frozenset(_SOURCE.findall(self.sql))


class Finding(msgspec.Struct, frozen=True):
    """What one check found. examined: the rows in the tables it read; rows: the first 20 of the offending ones."""

    context: str
    invariant: str
    examined: int
    offending: int
    rows: Sequence[dict[str, Any]]


class Findings(msgspec.Struct, frozen=True):
    """What an audit found, in the order of its checks."""

    findings: Sequence[Finding]

    @property
    def offending(self) -> int:
        return sum(finding.offending for finding in self.findings)


Report = Callable[[Check, int, int], None]
"""Told of each check before it runs: the check, how many are done, how many there are."""


def checks_of(package: str) -> list[Check]:
    """The checks in package's audit.sql, in order; none when it keeps none."""
    source = files(package).joinpath("audit.sql")
    if not source.is_file():
        return []
    _, *parts = _CHECK.split(source.read_text(encoding="utf-8"))
    context = package.rpartition(".")[2]
    return [
        Check(context, invariant, sql.strip().removesuffix(";"))
        for invariant, sql in zip(parts[::2], parts[1::2], strict=True)
    ]


async def audit(database: Database, packages: Sequence[str], report: Report = lambda *_: None) -> Findings:
    """Run every check of packages on one snapshot of the database, whose tables must be up to date."""
    checks = [check for package in packages for check in checks_of(package)]
    findings = []
    sizes: dict[str, int] = {}
    async with database.transaction() as tx:
        await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        for done, check in enumerate(checks):
            report(check, done, len(checks))
            for source in check.sources - sizes.keys():
                sizes[source] = await _size(tx, source)
            findings.append(await _run(tx, check, sum(sizes[source] for source in check.sources)))
    return Findings(findings)


async def _size(tx: Transaction, source: str) -> int:
    table = await tx.row("SELECT to_regclass(%s) AS name", (source,))
    rows = await tx.row(f"SELECT count(*) AS size FROM {source}") if table and table.name else None  # noqa: S608
    return int(rows.size) if rows else 0


async def _run(tx: Transaction, check: Check, examined: int) -> Finding:
    # MATERIALIZED: under the LIMIT alone the planner would hope for an early end, which a sound database never brings.
    sql = f"""
        WITH offender AS MATERIALIZED (
            {check.sql.replace("%", "%%")}
        )
        SELECT count(*) OVER () AS offending, row_to_json(offender) AS row FROM offender LIMIT {_ROWS_SHOWN}
        """  # noqa: S608
    try:
        rows = await tx.rows(sql)
    except Exception as error:
        error.add_note(f"{check.context} checks: {check.invariant}")
        raise
    offending = rows[0].offending if rows else 0
    return Finding(check.context, check.invariant, examined, offending, [row.row for row in rows])
