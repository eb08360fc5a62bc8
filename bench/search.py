"""The measurements of docs/decisions/0008: ways to find a part of a Chinese title.

    .venv/bin/python bench/search.py [postgresql://user@host/database]

It makes two databases beside the one named (characters as in the locale C, and as in C.UTF-8) and drops them. Without
an address an embedded PostgreSQL is started in a temporary folder.
"""

from __future__ import annotations

import csv
import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import psycopg

from fairwind.catalog.grams import grams, searched, wanted_grams, words
from fairwind.kernel.postgres import EmbeddedPostgres

PRODUCTS = 100_000
ROUNDS = 9
QUERIES = ["被", "羊毛", "羊毛被", "四件套", "水洗棉四件套", "无此商品"]

Way = tuple[str, Callable[[str], tuple[Any, ...]]]
HOLDS = "position(%s IN text) > 0"
WAYS: dict[str, Way] = {
    "no index": (f"WHERE {HOLDS}", lambda word: (word,)),
    "grams text[]": (f"WHERE grams @> %s::text[] AND {HOLDS}", lambda word: (wanted_grams([word]), word)),
    "grams bigint[]": (f"WHERE codes @> %s::bigint[] AND {HOLDS}", lambda word: (codes(wanted_grams([word])), word)),
    "pg_trgm": ("WHERE text LIKE %s", lambda word: (f"%{word}%",)),
}
INDEXES = {
    "grams text[]": "USING gin (grams)",
    "grams bigint[]": "USING gin (codes)",
    "pg_trgm": "USING gin (text gin_trgm_ops)",
}


def main(url: str) -> None:
    texts = made_up(PRODUCTS)
    with psycopg.connect(url, autocommit=True) as server:
        for ctype in ("C", "C.UTF-8"):
            name = f"search_{ctype.lower().replace('.', '_').replace('-', '')}"
            server.execute(f"DROP DATABASE IF EXISTS {name}")
            server.execute(f"CREATE DATABASE {name} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE '{ctype}'")
            try:
                with psycopg.connect(urlsplit(url)._replace(path=f"/{name}").geturl(), autocommit=True) as connection:
                    print(f"\n{PRODUCTS:,} products, LC_CTYPE {ctype}: ms, the least of {ROUNDS} rounds")
                    measure(connection, texts)
            finally:
                server.execute(f"DROP DATABASE {name}")


def measure(connection: psycopg.Connection[Any], texts: Sequence[str]) -> None:
    connection.execute("CREATE EXTENSION pg_trgm")
    connection.execute(
        'CREATE TABLE wording (id integer PRIMARY KEY, text text, grams text[] COLLATE "C", codes bigint[])'
    )
    with connection.cursor().copy("COPY wording FROM STDIN") as copy:
        for number, text in enumerate(texts):
            found = grams(text)
            copy.write_row((number, text, found, codes(found)))
    for number, (way, index) in enumerate(INDEXES.items()):
        started = perf_counter()
        connection.execute(f"CREATE INDEX index_{number} ON wording {index}")
        took_s = perf_counter() - started
        [size] = connection.execute(f"SELECT pg_size_pretty(pg_relation_size('index_{number}'))").fetchone() or ("",)
        print(f"  index of {way}: {size}, built in {took_s:.1f} s")
    connection.execute("ANALYZE wording")
    print(f"  {'':16}", *(f"{way:>16}" for way in WAYS), f"{'found':>9}")
    for query in QUERIES:
        [word] = words(query)
        times, counts = zip(*(asked(connection, way, word) for way in WAYS.values()), strict=True)
        assert len(set(counts)) == 1, "all ways find the same"
        print(f"  {query + '　' * (8 - len(query))}", *(f"{time:16.1f}" for time in times), f"{counts[0]:9,}")


def asked(connection: psycopg.Connection[Any], way: Way, word: str) -> tuple[float, int]:
    sql, parameters = way
    times, count = [], 0
    for _ in range(ROUNDS):
        started = perf_counter()
        [count] = connection.execute(f"SELECT count(*) FROM wording {sql}", parameters(word)).fetchone() or (0,)
        times.append((perf_counter() - started) * 1000)
    return min(times), count


def codes(grams: Sequence[str]) -> list[int]:
    """Each gram as a number: its code points side by side."""
    return [ord(gram[0]) if len(gram) == 1 else (ord(gram[0]) + 1 << 21) | ord(gram[1]) for gram in grams]


def made_up(count: int) -> list[str]:
    """What searches look through, for products whose titles are made of pieces of real ones."""
    draw = random.Random(7)
    with files("fairwind.demo").joinpath("sample_catalogue.csv").open(encoding="utf-8") as sample:
        rows = list(csv.DictReader(sample))
    pieces = [row["title"][at : at + 3] for row in rows for at in range(0, len(row["title"]), 3)]
    pieces += [piece for piece in QUERIES[:4] for _ in range(6)]
    return [
        searched("".join(draw.choices(pieces, k=draw.randint(3, 7))), draw.choice(rows)["brand"]) for _ in range(count)
    ]


@contextmanager
def server(given: Sequence[str]) -> Iterator[str]:
    if given:
        yield given[0]
        return
    with tempfile.TemporaryDirectory(prefix="fairwind-bench-") as folder:
        Path(folder).chmod(0o711)
        with EmbeddedPostgres(Path(folder, "data"), report=print) as postgres:
            yield postgres.url


if __name__ == "__main__":
    with server(sys.argv[1:]) as url:
        main(url)
