"""What was measured beside what it ought to be."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping

import msgspec
from rich.table import Table

Figures = Mapping[str, float]
"""What a benchmark measured, by name: what `--json` prints."""


class Goal(msgspec.Struct, frozen=True):
    """One line of the report. met: None for a figure without a goal."""

    name: str
    measured: str
    goal: str = ""
    met: bool | None = None


def goals(figures: Figures) -> list[Goal]:
    """The lines for what was measured, which may be of one benchmark or of several."""
    return [goal for name, of in _GOALS.items() if name in figures for goal in of(figures)]


def table(figures: Figures, rounds: int) -> Table:
    """The report at the terminal."""
    where = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    counted = f"Medians of {rounds} interleaved rounds" if rounds > 1 else "One round"
    shown = Table(title=f"{counted}; {where}", title_justify="left")
    shown.add_column("durable when acknowledged")
    shown.add_column("measured", justify="right")
    shown.add_column("goal", justify="right")
    shown.add_column("met")
    for goal in goals(figures):
        met = "" if goal.met is None else "[green]yes" if goal.met else "[red]no"
        shown.add_row(goal.name, goal.measured, goal.goal, met)
    return shown


def _placed(f: Figures) -> list[Goal]:
    return [
        Goal("one transaction per order, at its best", _per_s(f["naive_per_s"])),
        Goal("batched, one hot SKU", _per_s(f["intake_hot_per_s"])),
        Goal("batched, 1,000 SKUs evenly", _per_s(f["intake_uniform_per_s"])),
        Goal("bare inserts of the same rows", _per_s(f["ceiling_per_s"])),
        _at_least("hot SKU : one per transaction", f["hot_to_naive"], 10),
        _at_least("hot SKU : evenly", f["hot_to_uniform"], 0.9),
        _at_least("hot SKU : bare inserts", f["hot_to_ceiling"], 0.4),
        Goal("through HTTP", _per_s(f["http_per_s"]), "≥ 3,000 /s", f["http_per_s"] >= 3000),
        Goal("through HTTP, p99", f"{f['http_p99_ms']:,.0f} ms", "< 500 ms", f["http_p99_ms"] < 500),
        Goal("server memory", f"{f['server_rss_mb']:,.0f} MB", "< 400 MB", f["server_rss_mb"] < 400),
    ]


def _terms(f: Figures) -> list[Goal]:
    return [
        Goal("batched, with commission and subsidy", _per_s(f["intake_terms_per_s"])),
        _at_least("with commission and subsidy : without", f["terms_to_plain"], 0.7),
    ]


def _paid(f: Figures) -> list[Goal]:
    return [
        Goal("one transaction per callback, at its best", _per_s(f["paid_naive_per_s"])),
        Goal("batched callbacks", _per_s(f["paid_per_s"])),
        _at_least("batched : one per transaction", f["paid_to_naive"], 8),
        Goal("one transaction per shipment, at its best", _per_s(f["shipped_naive_per_s"])),
        Goal("batched shipments", _per_s(f["shipped_per_s"])),
        _at_least("batched shipping : one per transaction", f["shipped_to_naive"], 8),
    ]


def _settled(f: Figures) -> list[Goal]:
    return [
        Goal("settling, one transaction per order", _per_s(f["settle_naive_per_s"])),
        Goal("settling in batches, lines", _per_s(f["settle_per_s"])),
        _at_least("settling : one transaction per order", f["settle_to_naive"], 8),
        Goal("lines settled and audited", f"{f['settled_rows']:,.0f}"),
        Goal("memory while settling", f"{f['rss_mb']:,.0f} MB"),
    ]


def _one_run(f: Figures) -> list[Goal]:
    more_mb = f["one_run_rss_mb_max"] - f["one_run_rss_mb_at_tenth"]
    return [
        Goal("lines settled in one run", f"{f['one_run_rows']:,.0f}"),
        Goal("one run, lines", _per_s(f["one_run_per_s"])),
        Goal("one run, memory after a tenth", f"{f['one_run_rss_mb_at_tenth']:,.0f} MB"),
        Goal("one run, growth of memory after that", f"{more_mb:,.0f} MB", "< 20 MB", more_mb < 20),
    ]


_GOALS = {
    "naive_per_s": _placed,
    "intake_terms_per_s": _terms,
    "paid_per_s": _paid,
    "settle_per_s": _settled,
    "one_run_rows": _one_run,
}
"""The lines of each stage, by a figure that only it measures."""


def _at_least(name: str, ratio: float, goal: float) -> Goal:
    return Goal(name, f"{ratio:.2f} ×", f"≥ {goal:g} ×", ratio >= goal)


def _per_s(rate: float) -> str:
    return f"{rate:,.0f} /s"
