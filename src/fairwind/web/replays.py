"""Attribution at the terminal: placed lines decided again from their stored evidence, and what comes out different."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fairwind.alliance import REASONS, Difference, replay
from fairwind.kernel import Database, ShopId
from fairwind.kernel.settings import load
from fairwind.settlement import decided_count, decided_lines
from fairwind.web.installation import current_database
from fairwind.web.terminal import Data, run

_REPORT_EVERY = 1000

Report = Callable[[int, int], None]
"""Told how many lines are done, and how many there are."""


def replay_attribution(
    *,
    shop: Annotated[int | None, Parameter(help="Only lines of this shop")] = None,
    json: Annotated[bool, Parameter(help="Print each difference as one JSON object a line", negative="")] = False,
    data: Data = None,
) -> int:
    """Decide every placed line again. Exits with 1 when a line would go to somebody else."""
    settings = load(os.environ, data=data)
    besides = Console(stderr=True, highlight=False)
    show = print_json if json else _printing(Console(highlight=False))
    with current_database(settings, besides.print) as url, progress(besides) as report:
        lines, differences = run(_replay(url, None if shop is None else ShopId(shop), show, report))
    verdict = f"{differences:,} differ" if differences else "all are decided as they were"
    besides.print(f"{lines:,} lines with evidence: {verdict}")
    return 1 if differences else 0


async def _replay(
    url: str, shop_id: ShopId | None, show: Callable[[Difference], None], report: Report
) -> tuple[int, int]:
    async with Database(url, connections_max=1) as pool:
        return await replay_lines(pool, shop_id, show, report)


async def replay_lines(
    pool: Database, shop_id: ShopId | None, show: Callable[[Difference], None], report: Report = lambda *_: None
) -> tuple[int, int]:
    """Decide lines again on one snapshot; answers how many there were and how many came out different.

    show: told of each difference as it is found; nothing is gathered.
    """
    lines = differences = 0
    async with pool.transaction() as tx:
        await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        total = await decided_count(tx, shop_id)
        async for line in decided_lines(tx, shop_id):
            lines += 1
            difference = replay(line)
            if difference is not None:
                differences += 1
                show(difference)
            if lines % _REPORT_EVERY == 0:
                report(lines, total)
        report(lines, total)
    return lines, differences


@contextmanager
def progress(console: Console) -> Iterator[Report]:
    """Shows on console how far a replay is, when that is a terminal."""
    columns = (MofNCompleteColumn(), BarColumn(), TextColumn("lines"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def told(difference: Difference) -> str:
    """The difference as a sentence."""
    line, decision = difference.line, difference.decision
    return (
        f"shop {line.shop_id} order {line.order_id} line {line.line_no}: "
        f"went to {_whom(line.earner_id)} ({_why(line.reason)}), "
        f"now to {_whom(decision.creator_id)} ({_why(decision.reason)})"
    )


def print_json(difference: Difference) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(difference) + b"\n")


def _printing(console: Console) -> Callable[[Difference], None]:
    return lambda difference: console.print(told(difference), markup=False, soft_wrap=True)


def _whom(creator_id: int | None) -> str:
    return "nobody" if creator_id is None else f"creator {creator_id}"


def _why(reason: str) -> str:
    return f"{reason}: {REASONS[reason][0]}" if reason in REASONS else reason
