"""The audit at the terminal: every invariant of every context, what was examined, and the rows that break one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from fairwind.kernel import Database
from fairwind.kernel.audit import Finding, Findings, Report
from fairwind.kernel.audit import audit as run_checks
from fairwind.kernel.settings import load
from fairwind.traffic import TrafficReport, day_reports
from fairwind.web.contexts import PACKAGES
from fairwind.web.installation import current_database
from fairwind.web.terminal import Data, run

_BARS = "▁▂▃▄▅▆▇█"


def audit(
    *,
    json: Annotated[bool, Parameter(help="Print the findings as one JSON object", negative="")] = False,
    data: Data = None,
) -> int:
    """Check every invariant over the whole database. Exits with 1 when one does not hold."""
    settings = load(os.environ, data=data)
    besides = Console(stderr=True, highlight=False)
    with current_database(settings, besides.print) as url, progress(besides) as report:
        findings = run(_ask(url, report))
    if json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(findings)) + b"\n")
    else:
        print_findings(findings, Console(highlight=False))
    return 1 if findings.offending else 0


def traffic(
    *,
    json: Annotated[bool, Parameter(help="Print the reports as JSON", negative="")] = False,
    data: Data = None,
) -> int:
    """Count the exposure log anew, day by day, beside what was promised. Exits with 1 when a promise was broken."""
    settings = load(os.environ, data=data)
    besides = Console(stderr=True, highlight=False)
    with current_database(settings, besides.print) as url:
        reports = run(_reports(url))
    if json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(reports)) + b"\n")
    else:
        print_reports(reports, Console(highlight=False))
    return 1 if any(promise.kept is False for each in reports for promise in each.promises) else 0


async def _reports(url: str) -> list[TrafficReport]:
    async with Database(url, connections_max=1) as pool:
        return await day_reports(pool)


def print_reports(reports: Sequence[TrafficReport], console: Console) -> None:
    """For each day how evenly it was shared, a Lorenz curve, and what was promised beside what it came to."""
    if not reports:
        console.print("The exposure log is empty: nobody has been shown anything yet")
    for each in reports:
        console.print(
            f"[bold]{each.day}[/]  {each.impressions:,} impressions · {each.hosts_shown:,} of {each.hosts:,} hosts"
            f" shown · Gini {each.gini:.3f} · head {each.head_share:.1%} · policy {each.policy_version}"
        )
        curve = "".join(_BARS[round(share * (len(_BARS) - 1))] for share in each.lorenz)
        why = " · ".join(f"{name} {share:.1%}" for name, share in each.why.items())
        console.print(f"  Lorenz {curve}  shown by {why}")
        for promise in each.promises:
            mark = {True: "[green]✓[/]", False: "[red]✗[/]", None: "·"}[promise.kept]
            measured = "not known" if promise.measured is None else f"{promise.measured:.3f}"
            console.print(f"  {mark} {promise.name}: promised {promise.promised:g}, measured {measured}")


async def _ask(url: str, report: Report) -> Findings:
    async with Database(url, connections_max=1) as pool:
        return await run_checks(pool, PACKAGES, report)


@contextmanager
def progress(console: Console) -> Iterator[Report]:
    """Shows on console how far an audit is, when that is a terminal."""
    columns = (MofNCompleteColumn(), BarColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda check, done, total: bar.update(
            task, description=f"{check.context}: {check.invariant}", completed=done, total=total
        )


def print_findings(findings: Findings, console: Console) -> None:
    """A table of the invariants, the rows that break them, and the verdict."""
    table = Table("", "context", "what must hold", "rows", box=None, pad_edge=False)
    table.columns[3].justify = "right"
    for finding in findings.findings:
        table.add_row(_mark(finding), finding.context, finding.invariant, f"{finding.examined:,}")
    console.print(table)

    broken = [finding for finding in findings.findings if finding.offending]
    for finding in broken:
        console.print(f"\n{_mark(finding)} {finding.context}: {finding.invariant}", soft_wrap=True)
        for row in finding.rows:
            console.print(
                "  " + " ".join(f"{name}={value}" for name, value in row.items()), markup=False, soft_wrap=True
            )
        if more := finding.offending - len(finding.rows):
            console.print(f"  and {more:,} more")

    count = len(findings.findings)
    verdict = f"[bold red]Broken: {len(broken)} of {count} invariants[/]" if broken else f"All {count} invariants hold"
    console.print(f"\n{verdict}")


def _mark(finding: Finding) -> str:
    return "[red]✗[/]" if finding.offending else "[green]✓[/]"
