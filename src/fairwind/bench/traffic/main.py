"""`fairwind bench traffic`: how useful and how even the allocator is, in tables, JSON and pictures."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from cyclopts import Parameter, validators
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from fairwind.bench.traffic import latency
from fairwind.bench.traffic.baselines import CPFair, PureUtility
from fairwind.bench.traffic.compared import Compared, compare
from fairwind.bench.traffic.files import BadFileError, Pair, pair
from fairwind.bench.traffic.guaranteed import CPFAIR_WEIGHT, Guaranteed
from fairwind.bench.traffic.published import Ranker
from fairwind.bench.traffic.report import Report, figures, rows, tables
from fairwind.bench.traffic.simulator import Feed, Size
from fairwind.bench.traffic.staleness import REPLICAS, STALENESS, Stale, stale_day
from fairwind.bench.traffic.watched import Watched, watch

Part = Literal["all", "published", "simulator", "staleness", "latency"]
Bar = Progress

_WIDE = 120
"""Columns of a table that nobody looks at in a terminal."""
_errors = Console(stderr=True)


def traffic(
    *,
    part: Part = "all",
    scores: Path | None = None,
    publishers: Path | None = None,
    k: Annotated[int, Parameter(name="--k", validator=validators.Number(gte=1, lte=1000))] = 10,
    requests: Annotated[int, Parameter(validator=validators.Number(gte=10_000, lte=10_000_000))] = 100_000,
    seed: Annotated[int, Parameter(validator=validators.Number(gte=0, lt=100))] = 1,
    pictures: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Measure and print.

    Parameters
    ----------
    part
        What to measure.
    scores
        Published scores: a SciPy sparse matrix of users and items, .npz. Without them the simulator runs alone.
    publishers
        Whose the items are: a JSON object of item and publisher.
    k
        Slots of a list of the published scores.
    requests
        Requests of the simulated day; there are a tenth as many hosts.
    seed
        Of the simulated day. Seeds from 100 on are for tuning, and not taken here.
    pictures
        A folder to draw into: frontier, Lorenz curves, and exposure of new hosts, as PNG and SVG.
    as_json
        Print one JSON object, of rows and tables, instead of tables.
    """
    try:
        published = _published(part, scores, publishers, k)
    except BadFileError as error:
        _errors.print(f"fairwind: {error}", style="red", markup=False, highlight=False)
        return 2
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=_errors, transient=True
    ) as bar:
        report = _measured(part, published, k, Size(requests=requests, hosts=requests // 10), seed, bar)
    if pictures:
        from fairwind.bench.traffic.pictures import draw  # it takes a second, and only pictures need it

        for path in draw(report, pictures):
            _told(f"drawn: {path}")
    if as_json:
        print(json.dumps({"rows": msgspec.to_builtins(rows(report)), "tables": figures(report)}, ensure_ascii=False))  # noqa: T201
    else:
        console = Console() if sys.stdout.isatty() else Console(width=_WIDE)
        for table in tables(report):
            console.print(table)
    return 0


def _published(part: Part, scores: Path | None, publishers: Path | None, k: int) -> Pair | None:
    """The files, when there are any to read. Raises BadFileError when they are not both given and sound."""
    if part not in ("all", "published"):
        return None
    if (scores is None) != (publishers is None):
        raise BadFileError("--scores and --publishers belong together: give both, or none for the simulator alone")
    if scores is None or publishers is None:
        if part == "published":
            raise BadFileError("--part published needs --scores and --publishers")
        _told("no published scores given (--scores, --publishers): the simulator runs alone")
        return None
    found = pair(scores, publishers)
    if k > found.items:
        raise BadFileError(f"{scores}: has {found.items:,} items, fewer than the {k} slots of --k")
    return found


def _measured(part: Part, published: Pair | None, k: int, size: Size, seed: int, bar: Bar) -> Report:
    report = Report(k=k, size=size, seed=seed)
    if published:
        report.compared = _compared(published, k, bar)
    if part in ("all", "simulator"):
        report.days = _days(Feed(size, seed), bar)
    if part in ("all", "staleness"):
        report.stale = _stale(size, seed, bar)
    if part in ("all", "latency"):
        report.latencies = _latencies(seed, bar)
    return report


def _compared(published: Pair, k: int, bar: Bar) -> Compared:
    task = bar.add_task("published scores", total=None)
    found = compare(published, k, lambda line: bar.update(task, description=line))
    bar.remove_task(task)
    return found


def _days(feed: Feed, bar: Bar) -> list[Watched]:
    made: list[Callable[[], Ranker]] = [
        PureUtility,
        lambda: CPFair(feed.size.hosts, weight=CPFAIR_WEIGHT * feed.size.hosts / Size().hosts),
        lambda: Guaranteed(feed),
    ]
    days = []
    for make in made:
        ranker = make()
        task = bar.add_task(f"simulated day: {ranker.name}", total=feed.size.requests)
        days.append(watch(feed, ranker, partial(bar.advance, task)))
        bar.remove_task(task)
    return days


def _stale(size: Size, seed: int, bar: Bar) -> list[Stale]:
    found = []
    for replicas in REPLICAS:
        for staleness in STALENESS:
            task = bar.add_task(f"{replicas} replicas, counts {100 * staleness:g} % old", total=size.requests)
            found.append(stale_day(size, seed, replicas, staleness, progress=partial(bar.advance, task)))
            bar.remove_task(task)
    return found


def _latencies(seed: int, bar: Bar) -> list[latency.Latency]:
    task = bar.add_task("latency", total=None)
    found = [latency.ranking(candidates, 2000, seed) for candidates in latency.CANDIDATES]
    found += [latency.ranking(candidates, 500, seed, refused=True) for candidates in latency.CANDIDATES]
    found += [latency.refreshing(hosts, 200, seed) for hosts in latency.HOSTS]
    bar.remove_task(task)
    return found


def _told(line: str) -> None:
    _errors.print(f"[dim]{line}", highlight=False)
