"""`fairwind bench`: measures on this machine and prints a table or JSON."""

from __future__ import annotations

import asyncio
import json
import os
import platform
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Literal

import msgspec
import uvloop
from cyclopts import Parameter, validators
from rich.console import Console
from rich.table import Table

from fairwind.bench import stage as stages
from fairwind.bench.load import Load, Request, measure
from fairwind.bench.orders import NAIVE_CONNECTIONS, SHOP, SKUS, Bench, Rates
from fairwind.identity import NewPerson, Role, create_people, open_sessions
from fairwind.kernel import Database, SystemClock, Transaction, accepted
from fairwind.web import collect_rarely

Stage = Literal["placed", "paid"]

_CONNECTIONS = 256
_BUYERS = 1000
_errors = Console(stderr=True)


class Goal(msgspec.Struct, frozen=True):
    """One line of the report."""

    name: str
    measured: str
    goal: str
    met: bool | None


def orders(
    *,
    stage: Stage = "placed",
    rounds: Annotated[int, Parameter(validator=validators.Number(gte=1, lte=1000))] = 5,
    count: Annotated[int, Parameter(validator=validators.Number(gte=2000, lte=1_000_000))] = 20_000,
    seconds: Annotated[float, Parameter(validator=validators.Number(gt=0, lte=600))] = 10.0,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Measure and print.

    Parameters
    ----------
    stage
        What to measure: placing orders, or what follows: the callbacks of their payments, and shipping.
    rounds
        Rounds; each measures every way once.
    count
        Orders per way and round; one by one takes a twentieth of them.
    seconds
        Seconds of load through HTTP.
    as_json
        Print one JSON object instead of a table.
    """
    figures = uvloop.run(_measure(stage, rounds, count, seconds, lambda line: _errors.print(f"[dim]{line}")))
    if as_json:
        print(json.dumps({name: round(figure, 2) for name, figure in figures.items()}))  # noqa: T201
        return 0
    goals = _placed_goals(figures) if stage == "placed" else _paid_goals(figures)
    Console().print(_table(goals, rounds))
    return 0


async def _measure(
    which: Stage, rounds: int, orders: int, seconds: float, report: Callable[[str], None]
) -> dict[str, float]:
    with stages.database(report) as url:
        async with Database(url, connections_max=max(NAIVE_CONNECTIONS) + 4) as database:
            bench = Bench(database, url)
            try:
                await bench.prepare(url)
                collect_rarely()  # as the server does
                if which == "paid":
                    return await _paid(bench, rounds, orders, report)
                figures = await _placed(bench, rounds, orders, report)
            finally:
                bench.close()
            cookies = await _sign_in_buyers(database)
        report(f"through HTTP: {_CONNECTIONS} connections for {seconds:.0f} s")
        return figures | await _http(url, cookies, seconds)


async def _placed(bench: Bench, rounds: int, orders: int, report: Callable[[str], None]) -> dict[str, float]:
    await bench.intake(2000, hot=True)
    trials = {n: await bench.naive(orders // 40, n) for n in NAIVE_CONNECTIONS}
    best = max(trials, key=lambda n: trials[n])
    report(f"naive is at its best with {best} connections")
    naive, hot, uniform, ceiling = (Rates() for _ in range(4))
    for number in range(1, rounds + 1):
        naive.add(await bench.naive(orders // 20, best))
        hot.add(await bench.intake(orders, hot=True))
        uniform.add(await bench.intake(orders, hot=False))
        ceiling.add(await bench.ceiling(orders, 256))
        report(
            f"round {number} of {rounds}: naive {naive.last:,.0f}, hot {hot.last:,.0f}, "
            f"uniform {uniform.last:,.0f}, ceiling {ceiling.last:,.0f} orders a second"
        )
    return {
        "naive_per_s": naive.median,
        "intake_hot_per_s": hot.median,
        "intake_uniform_per_s": uniform.median,
        "ceiling_per_s": ceiling.median,
        "hot_to_naive": hot.ratio(naive),
        "hot_to_uniform": hot.ratio(uniform),
        "hot_to_ceiling": hot.ratio(ceiling),
    }


async def _paid(bench: Bench, rounds: int, orders: int, report: Callable[[str], None]) -> dict[str, float]:
    trials = {n: await bench.paid_naive(orders // 40, n) for n in NAIVE_CONNECTIONS}
    best = max(trials, key=lambda n: trials[n])
    report(f"naive is at its best with {best} connections")
    naive, paid, ship_naive, shipped = (Rates() for _ in range(4))
    for number in range(1, rounds + 1):
        naive.add(await bench.paid_naive(orders // 20, best))
        paid.add(await bench.paid(orders))
        ship_naive.add(await bench.shipped_naive(orders // 20, best))
        shipped.add(await bench.shipped(orders))
        report(
            f"round {number} of {rounds}: callbacks naive {naive.last:,.0f}, batched {paid.last:,.0f}; "
            f"shipments naive {ship_naive.last:,.0f}, batched {shipped.last:,.0f} a second"
        )
    return {
        "paid_per_s": paid.median,
        "paid_naive_per_s": naive.median,
        "paid_to_naive": paid.ratio(naive),
        "shipped_per_s": shipped.median,
        "shipped_naive_per_s": ship_naive.median,
        "shipped_to_naive": shipped.ratio(ship_naive),
    }


async def _sign_in_buyers(database: Database) -> list[str]:
    now = SystemClock().now()

    async def work(tx: Transaction) -> list[str]:
        people = await create_people(tx, [_buyer(n) for n in range(_BUYERS)], now)
        return await open_sessions(tx, [accepted(person).id for person in people], now, timedelta(days=1))

    return [f"fairwind_session={token}" for token in await database.run(work)]


def _buyer(n: int) -> NewPerson:
    return NewPerson(f"bench-{n}", f"bench {n}", "!", frozenset({Role.BUYER}))


async def _http(url: str, cookies: list[str], seconds: float) -> dict[str, float]:
    body = {
        "id": "$new-id",
        "lines": [{"sku_id": SKUS[0], "quantity": 1}],
        "address": {"name": "王小明", "phone": "13800000000", "region": "110105", "detail": "建国路 1 号"},
    }
    request = Request("POST", f"/shops/{SHOP}/orders", json.dumps(body, ensure_ascii=False))
    with stages.server(url) as server:
        watch = asyncio.create_task(server.watch_memory())
        measured = await measure(
            Load(url=server.url, requests=[request], cookies=cookies, connections=_CONNECTIONS, seconds=seconds)
        )
        watch.cancel()
        if measured.unanswered or set(measured.statuses) - {201}:
            _errors.print(f"[yellow]not every order was placed: {measured.statuses}, {measured.samples}")
        return {
            "http_per_s": measured.acknowledged_per_s,
            "http_p50_ms": measured.p50_ms,
            "http_p99_ms": measured.p99_ms,
            "server_rss_mb": server.rss_mb_max,
        }


def _placed_goals(f: dict[str, float]) -> list[Goal]:
    return [
        Goal("one transaction per order, at its best", _per_s(f["naive_per_s"]), "", None),
        Goal("batched, one hot SKU", _per_s(f["intake_hot_per_s"]), "", None),
        Goal("batched, 1,000 SKUs evenly", _per_s(f["intake_uniform_per_s"]), "", None),
        Goal("bare inserts of the same rows", _per_s(f["ceiling_per_s"]), "", None),
        _at_least("hot SKU : one per transaction", f["hot_to_naive"], 10),
        _at_least("hot SKU : evenly", f["hot_to_uniform"], 0.9),
        _at_least("hot SKU : bare inserts", f["hot_to_ceiling"], 0.4),
        Goal("through HTTP", _per_s(f["http_per_s"]), "≥ 3,000 /s", f["http_per_s"] >= 3000),
        Goal("through HTTP, p99", f"{f['http_p99_ms']:,.0f} ms", "< 500 ms", f["http_p99_ms"] < 500),
        Goal("server memory", f"{f['server_rss_mb']:,.0f} MB", "< 400 MB", f["server_rss_mb"] < 400),
    ]


def _paid_goals(f: dict[str, float]) -> list[Goal]:
    return [
        Goal("one transaction per callback, at its best", _per_s(f["paid_naive_per_s"]), "", None),
        Goal("batched callbacks", _per_s(f["paid_per_s"]), "", None),
        _at_least("batched : one per transaction", f["paid_to_naive"], 8),
        Goal("one transaction per shipment, at its best", _per_s(f["shipped_naive_per_s"]), "", None),
        Goal("batched shipments", _per_s(f["shipped_per_s"]), "", None),
        _at_least("batched shipping : one per transaction", f["shipped_to_naive"], 8),
    ]


def _at_least(name: str, ratio: float, goal: float) -> Goal:
    return Goal(name, f"{ratio:.2f} ×", f"≥ {goal:g} ×", ratio >= goal)


def _per_s(rate: float) -> str:
    return f"{rate:,.0f} /s"


def _table(goals: list[Goal], rounds: int) -> Table:
    where = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    table = Table(title=f"Medians of {rounds} interleaved rounds; {where}", title_justify="left")
    table.add_column("orders, durable when acknowledged")
    table.add_column("measured", justify="right")
    table.add_column("goal", justify="right")
    table.add_column("met")
    for goal in goals:
        met = "" if goal.met is None else "[green]yes" if goal.met else "[red]no"
        table.add_row(goal.name, goal.measured, goal.goal, met)
    return table
