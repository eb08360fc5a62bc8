"""Fixtures of the journeys: see served.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from served import Server
from world import World

from databases import set_up_database


@pytest.fixture(scope="session")
def database_url(server_url: str) -> Iterator[str]:
    """The server's database, apart from other tests': its periodic work goes by the real time, not theirs."""
    with set_up_database(server_url) as url:
        yield url


@pytest.fixture(scope="session")
def server(database_url: str) -> Iterator[Server]:
    """One server for all journeys of a worker: tests make people and shops of their own in it."""
    with Server(database_url).running() as running:
        yield running


@pytest.fixture(scope="session")
def world(server_url: str) -> Iterator[World]:
    """A server of its own: whoever tries every operation changes what holds for all shops, such as fees."""
    with set_up_database(server_url) as url, Server(url).running() as server:
        yield World(server)
