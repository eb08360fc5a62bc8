"""Databases for tests, made in the run's server and dropped afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg

import fairwind
from fairwind.kernel.schema import upgrade


@contextmanager
def set_up_database(server_url: str) -> Iterator[str]:
    """A new database with every context's tables."""
    with new_database(server_url) as url:
        upgrade(url, _contexts())
        yield url


@contextmanager
def new_database(server_url: str) -> Iterator[str]:
    """A new database with nothing in it."""
    name = f"fairwind_test_{uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _contexts() -> list[str]:
    names = [schema.parent.name for schema in Path(fairwind.__file__).parent.glob("*/schema.sql")]
    return [f"fairwind.{name}" for name in sorted(names, key=lambda name: (name != "kernel", name))]
