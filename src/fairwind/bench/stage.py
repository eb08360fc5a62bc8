"""Where a benchmark runs: a database of its own with every durability setting on, and a server in its own process."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep

import httpx
import psutil

from fairwind.kernel.postgres import EmbeddedPostgres, default_data_folder
from fairwind.kernel.schema import upgrade
from fairwind.web import PACKAGES

_START_S_MAX = 60.0


@contextmanager
def database(report: Callable[[str], None]) -> Iterator[str]:
    """A new embedded PostgreSQL beside the default data folder, so on the disk that real data would be on; removed."""
    folder = default_data_folder()
    folder = folder.with_name(f"{folder.name}-bench-{os.getpid()}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with EmbeddedPostgres(folder, report=report) as postgres:
            upgrade(postgres.url, PACKAGES)
            yield postgres.url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """A running `fairwind serve`."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        self._process = process
        self.url = url
        self.rss_mb_max = 0.0

    async def watch_memory(self) -> None:
        """Keep the largest resident memory of the server process, until cancelled."""
        process = psutil.Process(self._process.pid)
        while True:
            self.rss_mb_max = max(self.rss_mb_max, process.memory_info().rss / 2**20)
            await asyncio.sleep(0.5)


@contextmanager
def server(database_url: str) -> Iterator[Server]:
    """`fairwind serve` on a free port of the loopback, on the given database; stopped at the end."""
    port, sandbox_port = _free_port(), _free_port()
    given = {
        "FAIRWIND_DATABASE_URL": database_url,
        "FAIRWIND_HOST": "127.0.0.1",
        "FAIRWIND_PORT": str(port),
        "FAIRWIND_SANDBOX_PORT": str(sandbox_port),
        "FAIRWIND_LOG_LEVEL": "warning",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FAIRWIND_")}
    process = subprocess.Popen(
        [sys.executable, "-c", "from fairwind.cli import main; main()", "serve"],
        env=inherited | given,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _until_ready(process, url)
        yield Server(process, url)
    finally:
        process.terminate()
        process.wait()


def _until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = monotonic() + _START_S_MAX
    while monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(
                f"the server ended with {process.returncode} before it was ready; see its messages above"
            )
        try:
            httpx.get(f"{url}/health/ready", timeout=2).raise_for_status()
        except httpx.HTTPError:
            sleep(0.1)
        else:
            return
    raise RuntimeError(f"the server was not ready within {_START_S_MAX:.0f} s")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
