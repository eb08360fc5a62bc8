"""`fairwind bench`: measures on this machine and prints a table or JSON."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Annotated, Literal

import uvloop
from cyclopts import Parameter, validators
from rich.console import Console

from fairwind.bench import stage as stages
from fairwind.bench.load import Load, Request, measure
from fairwind.bench.orders import SHOP, SKUS, Bench
from fairwind.bench.rates import NAIVE_CONNECTIONS, Rates, Report, best_of
from fairwind.bench.report import Figures, table
from fairwind.bench.settlement import Settling
from fairwind.identity import NewPerson, Role, create_people, open_sessions
from fairwind.kernel import Database, SystemClock, Transaction, accepted
from fairwind.web import collect_rarely

Stage = Literal["placed", "paid"]
SettlementStage = Literal["rates", "memory"]
Rounds = Annotated[int, Parameter(validator=validators.Number(gte=1, lte=1000))]
Json = Annotated[bool, Parameter(name="--json", negative="")]

_CONNECTIONS = 256
_BUYERS = 1000
_LINES = {"rates": 100_000, "memory": 1_000_000}
_errors = Console(stderr=True)


def orders(
    *,
    stage: Stage = "placed",
    rounds: Rounds = 5,
    count: Annotated[int, Parameter(validator=validators.Number(gte=2000, lte=1_000_000))] = 20_000,
    seconds: Annotated[float, Parameter(validator=validators.Number(gt=0, lte=600))] = 10.0,
    as_json: Json = False,
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
    figures = uvloop.run(_orders(stage, rounds, count, seconds, _told))
    return _printed(figures, rounds, as_json=as_json)


def settlement(
    *,
    stage: SettlementStage = "rates",
    rounds: Rounds = 5,
    lines: Annotated[int, Parameter(validator=validators.Number(gte=5000, lte=10_000_000))] | None = None,
    as_json: Json = False,
) -> int:
    """Measure and print.

    Parameters
    ----------
    stage
        What to measure: how many lines settle in a second, or what memory it takes to settle very many in one run.
    rounds
        Rounds; each settles its part of the lines by the job, and some with a transaction for each order.
    lines
        Lines to settle by the job; 100,000 unless told, and 1,000,000 in one run.
    as_json
        Print one JSON object instead of a table.
    """
    figures = uvloop.run(_settlement(stage, rounds, lines or _LINES[stage], _told))
    return _printed(figures, rounds if stage == "rates" else 1, as_json=as_json)


def _told(line: str) -> None:
    _errors.print(f"[dim]{line}")


def _printed(figures: Figures, rounds: int, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({name: round(figure, 2) for name, figure in figures.items()}))  # noqa: T201
    else:
        Console().print(table(figures, rounds))
    return 0


async def _orders(which: Stage, rounds: int, orders: int, seconds: float, report: Report) -> Figures:
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
        return {**figures, **await _http(url, cookies, seconds)}


async def _placed(bench: Bench, rounds: int, orders: int, report: Report) -> Figures:
    await bench.intake(2000, hot=True)
    await bench.intake_terms(2000)
    best = await best_of(lambda connections: bench.naive(orders // 40, connections), report)
    naive, hot, terms, uniform, ceiling = (Rates() for _ in range(5))
    for number in range(1, rounds + 1):
        naive.add(await bench.naive(orders // 20, best))
        hot.add(await bench.intake(orders, hot=True))
        terms.add(await bench.intake_terms(orders))
        uniform.add(await bench.intake(orders, hot=False))
        ceiling.add(await bench.ceiling(orders, 256))
        report(
            f"round {number} of {rounds}: naive {naive.last:,.0f}, hot {hot.last:,.0f}, "
            f"with terms {terms.last:,.0f}, uniform {uniform.last:,.0f}, ceiling {ceiling.last:,.0f} orders a second"
        )
    return {
        "naive_per_s": naive.median,
        "intake_hot_per_s": hot.median,
        "intake_terms_per_s": terms.median,
        "intake_uniform_per_s": uniform.median,
        "ceiling_per_s": ceiling.median,
        "hot_to_naive": hot.ratio(naive),
        "hot_to_uniform": hot.ratio(uniform),
        "hot_to_ceiling": hot.ratio(ceiling),
        "terms_to_plain": terms.ratio(hot),
    }


async def _paid(bench: Bench, rounds: int, orders: int, report: Report) -> Figures:
    best = await best_of(lambda connections: bench.paid_naive(orders // 40, connections), report)
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


async def _settlement(which: SettlementStage, rounds: int, lines: int, report: Report) -> Figures:
    with stages.database(report) as url:
        async with Database(url, connections_max=max(NAIVE_CONNECTIONS) + 4) as database:
            settling = Settling(database, url)
            collect_rarely()  # as the server does
            figures = await (
                _one_run(settling, lines, report) if which == "memory" else _settled(settling, rounds, lines, report)
            )
            report("auditing the books and the settlement")
            settled = await settling.verified()
    return figures if which == "memory" else {**figures, "settled_rows": settled}


async def _settled(settling: Settling, rounds: int, lines: int, report: Report) -> Figures:
    await settling.batched(2000)
    best = await best_of(lambda connections: settling.naive(lines // 100, connections), report)
    naive, batched = Rates(), Rates()
    rss_mb = 0.0
    for number in range(1, rounds + 1):
        naive.add(await settling.naive(lines // rounds // 10, best))
        batched.add(await settling.batched(lines // rounds))
        rss_mb = max(rss_mb, settling.rss_mb)
        report(f"round {number} of {rounds}: naive {naive.last:,.0f}, by the job {batched.last:,.0f} lines a second")
    return {
        "settle_per_s": batched.median,
        "settle_naive_per_s": naive.median,
        "settle_to_naive": batched.ratio(naive),
        "rss_mb": rss_mb,
    }


async def _one_run(settling: Settling, lines: int, report: Report) -> Figures:
    run = await settling.in_one_run(lines, report)
    return {
        "one_run_rows": run.rows,
        "one_run_per_s": run.rows / run.seconds,
        "one_run_rss_mb_at_start": run.rss_mb[0],
        "one_run_rss_mb_at_tenth": run.rss_mb[1],
        "one_run_rss_mb_max": max(run.rss_mb[1:]),
        "one_run_rss_mb_at_end": run.rss_mb[-1],
    }


async def _sign_in_buyers(database: Database) -> list[str]:
    now = SystemClock().now()

    async def work(tx: Transaction) -> list[str]:
        people = await create_people(tx, [_buyer(n) for n in range(_BUYERS)], now)
        return await open_sessions(tx, [accepted(person).id for person in people], now, timedelta(days=1))

    return [f"fairwind_session={token}" for token in await database.run(work)]


def _buyer(n: int) -> NewPerson:
    return NewPerson(f"bench-{n}", f"bench {n}", "!", frozenset({Role.BUYER}))


async def _http(url: str, cookies: list[str], seconds: float) -> Figures:
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
