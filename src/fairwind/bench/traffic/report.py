"""What was measured of the allocator, as tables for people, and as rows and figures for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from typing import Any

import msgspec
from rich.table import Table

from fairwind.bench.traffic.compared import LEVELS, Compared
from fairwind.bench.traffic.latency import Latency
from fairwind.bench.traffic.rows import Row, at_least, at_most
from fairwind.bench.traffic.simulator import Size
from fairwind.bench.traffic.staleness import Stale
from fairwind.bench.traffic.watched import Watched

_P50_P99_US = {1_000: (60, 200), 10_000: (150, 400), 100_000: (1_000, 2_000)}
_REFRESH_MS = {10_000: 2.0, 100_000: 20.0}
_STALE = 0.005
"""At which age of counts what is lost is bounded."""


class Report(msgspec.Struct, kw_only=True):
    """What was measured; the parts that were not are None or empty."""

    k: int
    size: Size
    seed: int
    compared: Compared | None = None
    days: list[Watched] = []
    stale: list[Stale] = []
    latencies: list[Latency] = []


def rows(report: Report) -> list[Row]:
    """Each target with what was measured, whether it is met or not."""
    return [
        *(report.compared.rows if report.compared else ()),
        *_day_rows(report.days),
        *_stale_rows(report.stale),
        *_latency_rows(report.latencies),
    ]


def figures(report: Report) -> dict[str, Any]:
    """The tables, each a list of objects, for JSON."""
    compared = report.compared
    return {
        "methods": msgspec.to_builtins(compared.scores) if compared else [],
        "shuffled": msgspec.to_builtins(compared.spreads) if compared else [],
        "frontier": msgspec.to_builtins(compared.frontier) if compared else [],
        "simulator": msgspec.to_builtins([day.outcome for day in report.days]),
        "staleness": msgspec.to_builtins(report.stale),
        "latency": msgspec.to_builtins(report.latencies),
    }


def tables(report: Report) -> Iterator[Table]:
    """What was measured, one table for each part, and the targets last."""
    if report.compared:
        yield from _compared_tables(report.compared, report.k)
    if report.days:
        yield _days_table(report)
    if report.stale:
        yield _stale_table(report.stale)
    if report.latencies:
        yield _latency_table(report.latencies)
    yield _targets_table(rows(report))


def _day_rows(days: list[Watched]) -> list[Row]:
    if not days:
        return []
    day = days[-1].outcome
    return [
        at_least("simulator: hosts with a tenth of an equal share", day.floors_held, 1),
        at_least("simulator: new hosts with 100 impressions", day.new_held, 1),
        at_most("simulator: share of the top 1 %", day.top_1, 0.3),
        at_least("simulator: utility kept", day.utility_kept, 0.91),
        at_most("simulator: Gini of exposure", day.gini, 0.81),
    ]


def _stale_rows(stale: list[Stale]) -> list[Row]:
    """Eight replicas with old counts, against one with none."""
    if not stale:
        return []
    fresh = next(each.outcome for each in stale if (each.replicas, each.staleness) == (1, 0.0))
    old = next(each.outcome for each in stale if (each.replicas, each.staleness) == (8, _STALE))
    return [
        at_most("8 replicas, 0.5 % stale: points of utility lost", 100 * (fresh.utility_kept - old.utility_kept), 0.5),
        at_least("8 replicas, 0.5 % stale: floors held", old.floors_held, 0.999),
    ]


def _latency_rows(latencies: list[Latency]) -> list[Row]:
    found = []
    for each in latencies:
        if each.what == "ranking":
            p50_us, p99_us = _P50_P99_US[each.size]
            found.append(at_most(f"ranking {each.size:,} candidates, p50", each.p50_us, p50_us, " µs"))
            found.append(at_most(f"ranking {each.size:,} candidates, p99", each.p99_us, p99_us, " µs"))
        elif each.what == "refresh":
            limit_ms = _REFRESH_MS[each.size]
            found.append(at_most(f"refresh of {each.size:,} hosts, p50", each.p50_us / 1000, limit_ms, " ms"))
    return found


def _compared_tables(compared: Compared, k: int) -> Iterator[Table]:
    shown = _table(f"Published scores, K = {k}, users in file order", "method", "nDCG", "U-MMF50 ↑", "U-Gini ↓")
    for name in ("E-Gini ↓", "worst · G ↑", "µs per request"):
        shown.add_column(name, justify="right")
    for score in compared.scores:
        even = (score.ndcg, score.u_mmf50, score.u_gini, score.e_gini)
        shown.add_row(
            score.name, *(f"{figure:.4f}" for figure in even), f"{score.worst:.3f}", _whole(score.us_per_request)
        )
    yield shown

    shown = _table("Five shuffled orders, mean ± deviation", "method", "nDCG", "U-MMF50 ↑", "U-Gini ↓")
    for spread in compared.spreads:
        shown.add_row(
            spread.name,
            f"{spread.ndcg:.4f} ± {spread.ndcg_spread:.4f}",
            f"{spread.u_mmf50:.4f} ± {spread.u_mmf50_spread:.4f}",
            f"{spread.u_gini:.4f} ± {spread.u_gini_spread:.4f}",
        )
    yield shown

    levels = [f"{level:g}" for level in LEVELS]
    shown = _table("Frontier: U-Gini (and nDCG had) when tuned to nDCG ≥", "method", *levels)
    for name in dict.fromkeys(point.name for point in compared.frontier):
        points = [point for point in compared.frontier if point.name == name]
        shown.add_row(name, *(f"{point.u_gini:.4f} ({point.ndcg:.4f})" for point in points))
    yield shown


def _days_table(report: Report) -> Table:
    size = report.size
    title = (
        f"Simulated day: {size.hosts:,} hosts, {size.new_hosts:,} new, {size.requests:,} requests, "
        f"{size.candidates} candidates, {size.slots} slots, seed {report.seed}"
    )
    names = ("utility kept", "Gini", "top 10 %", "top 1 %", "never shown", "≥ 0.1 equal share", "new ≥ 100", "clicks")
    shown = _table(title, "policy", *names)
    for day in (watched.outcome for watched in report.days):
        three = (day.utility_kept, day.gini, day.top_10, day.top_1, day.never_shown)
        held = (day.floors_held, day.new_held)
        shown.add_row(day.name, *(f"{x:.3f}" for x in three), *(f"{x:.4f}" for x in held), _whole(day.clicks))
    return shown


def _stale_table(stale: list[Stale]) -> Table:
    names = ("counts older by", "utility kept", "Gini", "top 1 %", "≥ 0.1 equal share", "new ≥ 100")
    shown = _table("Replica processes and the age of counts, of the shortest guarantee", "replicas", *names)
    for each in stale:
        day = each.outcome
        age = f"{100 * each.staleness:g} %"
        three = (f"{x:.3f}" for x in (day.utility_kept, day.gini, day.top_1))
        shown.add_row(str(each.replicas), age, *three, f"{day.floors_held:.4f}", f"{day.new_held:.4f}")
    return shown


def _latency_table(latencies: list[Latency]) -> Table:
    where = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    shown = _table(f"Latency; {where}", "what", "candidates or hosts", "p50", "p99")
    for each in latencies:
        shown.add_row(each.what, f"{each.size:,}", f"{_whole(each.p50_us)} µs", f"{_whole(each.p99_us)} µs")
    return shown


def _targets_table(found: list[Row]) -> Table:
    shown = _table("Targets", "target", "measured", "goal")
    shown.add_column("met")
    for row in found:
        shown.add_row(row.name, _four(row.measured), row.goal, "[green]yes" if row.met else "[red]no")
    return shown


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _whole(figure: float) -> str:
    return f"{figure:,.0f}"


def _four(figure: float) -> str:
    """With four decimals, or as many digits when it is large."""
    return f"{figure:.4f}" if abs(figure) < 10 else f"{figure:,.4g}"
