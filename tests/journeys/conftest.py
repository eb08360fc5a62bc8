"""Fixtures of the journeys: see served.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from served import Server
from world import World


@pytest.fixture(scope="session")
def server(database_url: str) -> Iterator[Server]:
    """One server for all journeys of a worker: tests make people and shops of their own in it."""
    with Server(database_url).running() as running:
        yield running


@pytest.fixture(scope="session")
def world(server: Server) -> World:
    return World(server)
