"""The measurements of docs/decisions/0009: array literals against the driver's lists, and queries asked together.

    .venv/bin/python bench/parameters.py [postgresql://user@host/database]

It only reads. Without an address an embedded PostgreSQL is started in a temporary folder.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from uuid import UUID

import psycopg
from psycopg.adapt import PyFormat, Transformer

from fairwind.kernel import Database, Query, int_array, uuid_array
from fairwind.kernel.postgres import EmbeddedPostgres

BATCH = 256
ASKED = 8
ROUNDS, REPEATS = 15, 40

IDS = [int.from_bytes(os.urandom(5), "big") for _ in range(BATCH)]
UUIDS = [UUID(bytes=os.urandom(16)) for _ in range(BATCH)]


def main(url: str) -> None:
    with psycopg.connect(url) as connection:
        print(f"{BATCH} elements, µs, medians of {ROUNDS} interleaved rounds      driver's list   literal")
        for kind, values, literal in (("bigint", IDS, int_array), ("uuid", UUIDS, uuid_array)):
            row(f"{kind}: making the parameter", [_adapting(values), lambda v=values, f=literal: f(v)])
            asking = f"SELECT count(*) FROM unnest(%s::{kind}[])"
            row(f"{kind}: with the statement", [_asking(connection, asking, v) for v in (values, (literal, values))])
    asyncio.run(_round_trips(url))


def row(name: str, ways: Sequence[Callable[[], object]]) -> None:
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(ROUNDS):
        for way, times in zip(ways, taken, strict=True):
            started = perf_counter()
            for _ in range(REPEATS):
                way()
            times.append((perf_counter() - started) / REPEATS * 1e6)
    print(f"{name:48}", *(f"{median(times):14.0f}" for times in taken))


def _adapting(values: Sequence[Any]) -> Callable[[], object]:
    return lambda: Transformer().dump_sequence([values], [PyFormat.AUTO])


def _asking(connection: psycopg.Connection[Any], sql: str, given: Any) -> Callable[[], object]:
    if isinstance(given, tuple):
        literal, values = given
        return lambda: connection.execute(sql, (literal(values),), prepare=True).fetchone()
    return lambda: connection.execute(sql, (given,), prepare=True).fetchone()


async def _round_trips(url: str) -> None:
    query = Query("SELECT id FROM unnest(%s::bigint[]) AS id", ("{1,2,3}",), lambda rows: rows)
    async with Database(url) as database, database.transaction() as tx:
        singly: list[float] = []
        together: list[float] = []
        for _ in range(ROUNDS * REPEATS):
            started = perf_counter()
            for _ in range(ASKED):
                await tx.ask(query)
            singly.append(perf_counter() - started)
            started = perf_counter()
            await tx.together(*[query] * ASKED)
            together.append(perf_counter() - started)
    one_by_one, at_once = (median(times) * 1e6 for times in (singly, together))
    print(f"\n{ASKED} small queries, µs: one after another {one_by_one:.0f}, together {at_once:.0f}")


@contextmanager
def _embedded() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="fairwind-bench-") as folder:
        Path(folder).chmod(0o711)  # started by root, the server runs as another user
        with EmbeddedPostgres(Path(folder, "data"), report=lambda _: None) as postgres:
            yield postgres.url


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with _embedded() as own:
            main(own)
