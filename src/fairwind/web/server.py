"""The HTTP server in this process: uvicorn, stopped by an event and not by signals of its own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import socket
from collections.abc import Callable, Iterator

import uvicorn
from litestar import Litestar

from fairwind.kernel import Settings
from fairwind.web.connection import Connection


class AddressInUse(Exception):  # noqa: N818  the sentence says it all
    """The address is taken; the message says what to do."""


def listen(settings: Settings) -> socket.socket:
    """A socket on the settings' host and port, taken before anything else is started. Raises AddressInUse."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        what_to_do = (
            "stop what uses it, or choose another with --port or FAIRWIND_PORT"
            if error.errno == errno.EADDRINUSE
            else "FAIRWIND_HOST is to be an address of this machine, and the port one that you may use"
        )
        raise AddressInUse(
            f"cannot listen on {settings.host}:{settings.port} ({error.strerror}); {what_to_do}"
        ) from error
    return listener


async def serve(
    app: Litestar, listener: socket.socket, settings: Settings, stop: asyncio.Event, ready: Callable[[], None]
) -> None:
    """Serve app on listener until stop is set, then finish what is in flight (settings.shutdown_s at most)."""
    server = _Server(
        uvicorn.Config(
            app,
            lifespan="on",
            http=Connection,
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=75,  # longer than proxies keep theirs, so that they close first
            timeout_graceful_shutdown=settings.shutdown_s,
        ),
        ready,
    )
    serving = asyncio.create_task(server.serve([listener]))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopping.cancel()


def collect_rarely() -> None:
    """Leave what the app is made of to itself, and look for cycles among requests' objects less often.

    Requests leave next to no cycles behind, and going through everything each few hundred allocations cost a third of
    the throughput and doubled p99.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            collect_rarely()
            self._ready()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The command line handles signals: after the server, the database is still to be stopped.
        yield
