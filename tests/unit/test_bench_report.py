"""The benchmark's report: rates of rounds, goals, and what their rows are called."""

from __future__ import annotations

import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

from fairwind.bench.rates import NAIVE_CONNECTIONS, Rates, best_of, timed
from fairwind.bench.report import goals
from fairwind.kernel import NotFound

CHINESE = tomllib.loads((Path(__file__).parents[2] / "docs" / "chinese.toml").read_text(encoding="utf-8"))["benchmark"]
FIRST_FIGURES = ("naive_per_s", "intake_terms_per_s", "paid_per_s", "settle_per_s", "one_run_rows")
"""One figure of each stage: what is measured of it comes with that."""


def rates(*per_s: float) -> Rates:
    found = Rates()
    for rate in per_s:
        found.add(rate)
    return found


def measured(**figures: float) -> defaultdict[str, float]:
    """These figures, and 1 for every other of their stages."""
    return defaultdict(lambda: 1.0, figures)


def test_ways_are_compared_within_a_round_so_that_a_slow_one_harms_neither() -> None:
    quick, slow = rates(100, 10, 120), rates(50, 5, 40)

    assert quick.ratio(slow) == 2
    assert (quick.median, quick.last) == (100, 120)


async def test_every_item_is_taken_once_and_a_refusal_stops_the_measurement() -> None:
    taken: list[int] = []

    async def take(item: int) -> None:
        taken.append(item)

    async def refuse(_: int) -> list[NotFound]:
        return [NotFound("not there")]

    assert await timed(range(10), 3, take) > 0
    assert sorted(taken) == list(range(10))
    with pytest.raises(AssertionError):
        await timed(range(10), 3, refuse)


async def test_the_naive_way_runs_with_the_connections_that_suit_it_best() -> None:
    told: list[str] = []

    async def naive(connections: int) -> float:
        return -abs(connections - 30)

    assert 32 in NAIVE_CONNECTIONS
    assert await best_of(naive, told.append) == 32
    assert told == ["naive is at its best with 32 connections"]


@pytest.mark.parametrize("first", FIRST_FIGURES)
def test_a_stage_shows_its_own_rows_and_every_row_has_a_name_in_chinese(first: str) -> None:
    rows = goals(measured(**{first: 1.0}))

    assert rows
    assert {row.name for row in rows} <= CHINESE.keys()


def test_figures_of_several_stages_make_one_table_without_a_row_twice() -> None:
    together = [row.name for row in goals(measured(**dict.fromkeys(FIRST_FIGURES, 1.0)))]
    apart = [row.name for first in FIRST_FIGURES for row in goals(measured(**{first: 1.0}))]

    assert together == apart
    assert len(set(together)) == len(together)


def test_a_goal_is_met_from_its_bound_on() -> None:
    def met(name: str, **figures: float) -> bool | None:
        first = (
            "naive_per_s" if name == "through HTTP, p99" else "settle_per_s" if "settling" in name else "one_run_rows"
        )
        [row] = [row for row in goals(measured(**{first: 1.0}, **figures)) if row.name == name]
        return row.met

    assert met("settling : one transaction per order", settle_to_naive=8.0) is True
    assert met("settling : one transaction per order", settle_to_naive=7.99) is False
    assert met("through HTTP, p99", http_p99_ms=500) is False
    assert met("one run, growth of memory after that", one_run_rss_mb_at_tenth=100, one_run_rss_mb_max=119) is True
    assert met("one run, growth of memory after that", one_run_rss_mb_at_tenth=100, one_run_rss_mb_max=121) is False
    assert met("settling in batches, lines") is None
