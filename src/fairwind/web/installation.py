"""An installation from end to end: its database, the payment provider beside it, the platform, and the HTTP server.

The command line, the demo and the benchmark start the same thing here. What is started last is stopped first, and what
was in flight is finished before the database goes.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from msgspec.structs import replace

from fairwind.kernel import Clock, Database, DatabaseError, Platform, Settings, SystemClock
from fairwind.kernel.postgres import DataFolder, DataFolderError, EmbeddedPostgres, default_data_folder
from fairwind.kernel.schema import missing, upgrade
from fairwind.payments import sandbox_process
from fairwind.web.app import build
from fairwind.web.contexts import PACKAGES
from fairwind.web.server import serve

Report = Callable[[str], None]
"""Takes sentences for whoever sits at the terminal."""


def data_folder(settings: Settings) -> Path:
    return Path(settings.data).expanduser() if settings.data else default_data_folder()


@contextmanager
def database(settings: Settings, report: Report, *, share: bool = False) -> Iterator[str]:
    """The URL of the installation's database, which runs for as long as the block.

    share: where another process runs the embedded one already, use that. DataFolderError says what to do.
    """
    if settings.database_url:
        yield settings.database_url
        return
    folder = data_folder(settings)
    postgres = EmbeddedPostgres(folder, report=report)
    try:
        postgres.start()
    except DataFolderError:
        url = _running(folder) if share else None
        if url is None:
            raise
        yield url
        return
    try:
        with _known(folder, postgres.url):
            yield postgres.url
    finally:
        postgres.stop()


@contextmanager
def existing_database(settings: Settings, report: Report) -> Iterator[str]:
    """The database as `database` shares it, for commands that look into one: DatabaseError when there is none yet."""
    folder = data_folder(settings)
    if not settings.database_url and not DataFolder(folder).cluster.exists():
        raise DatabaseError(
            f"there is no database in {folder}; name its data folder with --data (the demo says which is its own), or"
            " its address with FAIRWIND_DATABASE_URL"
        )
    with database(settings, report, share=True) as url:
        yield url


@contextmanager
def current_database(settings: Settings, report: Report) -> Iterator[str]:
    """An existing database whose tables fit this version; DatabaseError otherwise."""
    with existing_database(settings, report) as url:
        if steps := missing(url, PACKAGES):
            raise DatabaseError(
                f"the tables lack {', '.join(step.name for step in steps)}; run fairwind db upgrade first"
            )
        yield url


@contextmanager
def _known(folder: Path, url: str) -> Iterator[None]:
    """Tell other processes of the same user where the database of this folder listens."""
    note = folder / "database-url"
    with os.fdopen(os.open(note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(url)
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def _running(folder: Path) -> str | None:
    """Where the database of this folder listens, when another process runs it."""
    with suppress(OSError, DatabaseError):
        url = (folder / "database-url").read_text(encoding="utf-8")
        missing(url, PACKAGES)
        return url
    return None


def is_running(settings: Settings) -> bool:
    """Whether another process runs the embedded database of these settings."""
    return not settings.database_url and _running(data_folder(settings)) is not None


def bring_up_to_date(url: str, report: Report) -> None:
    """Upgrade the database's tables where they are older, and say so. SchemaError when they are newer."""
    steps = upgrade(url, PACKAGES)
    if any(step.name == "kernel 1" for step in steps):
        report("The database is set up")
    elif steps:
        report(f"The database was upgraded: {', '.join(step.name for step in steps)}")


@asynccontextmanager
async def serving(
    settings: Settings, database_url: str, listener: socket.socket, clock: Clock | None = None
) -> AsyncIterator[Platform]:
    """The platform, served on listener for as long as the block. Its settings hold the ports and the URL in use.

    The database is there and up to date. SettingsError and DatabaseError say what to do.
    """
    if settings.port == 0:  # whoever takes a free port wants no other port taken either
        settings = replace(settings, sandbox_port=0)
    settings = replace(settings, port=listener.getsockname()[1], database_url=database_url)
    async with (
        Database(database_url, connections_max=settings.database_connections_max) as pool,
        await sandbox_process(pool, settings, data_folder(settings) / "sandbox") as sandbox,
    ):
        settings = replace(settings, sandbox_port=sandbox.port)
        platform = Platform(pool, clock or SystemClock(), settings)
        stop, ready = asyncio.Event(), asyncio.Event()
        server = asyncio.create_task(serve(build(platform), listener, settings, stop, ready.set), name="http")
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({server, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        try:
            if not server.done():
                yield platform
        finally:
            stop.set()
            await server


def address(settings: Settings) -> str:
    """How people reach the server."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return settings.public_url or f"http://{host}:{settings.port}"
