"""Databases for tests: one server for the whole run, and a database in it for each worker and for who asks.

The server is an embedded one in a temporary folder; FAIRWIND_TEST_DATABASE_URL names another to use instead. Under
pytest-xdist the controller starts it and tells the workers.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from databases import new_database, set_up_database
from fairwind.kernel import Database
from fairwind.kernel.postgres import EmbeddedPostgres

_STARTED = pytest.StashKey[ExitStack]()
_URL = pytest.StashKey[str]()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Called by pytest-xdist in the controller for each worker that it is about to start."""
    node.workerinput["server_url"] = _server(node.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    if _STARTED in config.stash:
        config.stash[_STARTED].close()


@pytest.fixture(scope="session")
def server_url(pytestconfig: pytest.Config) -> str:
    """The URL of a database whose user may create others."""
    told = getattr(pytestconfig, "workerinput", {})
    return told.get("server_url") or _server(pytestconfig)


@pytest.fixture(scope="session")
def database_url(server_url: str) -> Iterator[str]:
    """A database with every context's tables, shared by the tests of one worker."""
    with set_up_database(server_url) as url:
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Connections to that database."""
    async with Database(database_url) as database:
        yield database


@pytest.fixture
def empty_database_url(server_url: str) -> Iterator[str]:
    """A database of one test's own with nothing in it."""
    with new_database(server_url) as url:
        yield url


@pytest.fixture(scope="module")
def module_database_url(server_url: str) -> Iterator[str]:
    """A database of one module's own, with every context's tables."""
    with set_up_database(server_url) as url:
        yield url


def _server(config: pytest.Config) -> str:
    """The server's URL; started at the first call, stopped when pytest ends."""
    if url := os.environ.get("FAIRWIND_TEST_DATABASE_URL"):
        return url
    if _STARTED not in config.stash:
        config.stash[_STARTED] = ExitStack()
        config.stash[_URL] = config.stash[_STARTED].enter_context(_embedded()).url
    return config.stash[_URL]


@contextmanager
def _embedded() -> Iterator[EmbeddedPostgres]:
    with tempfile.TemporaryDirectory(prefix="fairwind-test-") as folder:
        Path(folder).chmod(0o711)  # started by root, the server runs as another user
        # These tests may lose their database, and are quicker for it. Those of durability start servers of their own.
        with EmbeddedPostgres(Path(folder, "data"), report=lambda _: None, durable=False) as postgres:
            yield postgres
