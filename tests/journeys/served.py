"""A real server on a free port, and people who talk to it: what the journeys' fixtures hand out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from fairwind.identity import NewPerson, Role, create_people, hash_password, open_sessions
from fairwind.kernel import Database, Platform, Settings, ShiftedClock, accepted
from fairwind.web import build
from fairwind.web.server import listen, serve

T = TypeVar("T")

PASSWORD = "correct horse battery"
_HASH = hash_password(PASSWORD)
_numbers = count(1)


class Client(httpx.Client):
    """A browser-like client of the server: keeps cookies; `person` is who signed in."""

    person: dict[str, Any]

    @property
    def id(self) -> int:
        return self.person["id"]


class Server:
    """A running server; `url` is where. Its clock can be moved ahead."""

    def __init__(self, database_url: str, **settings: Any) -> None:
        self.settings = Settings(host="127.0.0.1", port=0, database_url=database_url, **settings)
        self.clock = ShiftedClock()
        self.url = ""
        self.platform: Platform
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    def client(self) -> Client:
        """Nobody."""
        return Client(base_url=self.url, timeout=30)

    def someone(self, *roles: str) -> Client:
        """A new person with roles, signed in. Through the database: quicker than hashing, and operators may be made."""
        login = f"{'-'.join(roles) or 'nobody'}-{uuid4().hex[:12]}"
        draft = NewPerson(login, f"No. {next(_numbers)}", _HASH, frozenset(map(Role, roles)))
        person_id, token = self.run(self._made(draft))
        client = self.client()
        client.cookies.set("fairwind_session", token, domain="127.0.0.1", path="/")
        client.person = client.get("/people/me").raise_for_status().json()
        assert client.person["id"] == person_id
        return client

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _made(self, draft: NewPerson) -> tuple[int, str]:
        async with self.platform.database.transaction() as tx:
            now, ttl = self.clock.now(), timedelta(seconds=self.settings.session_ttl_s)
            [person] = await create_people(tx, [draft], now)
            [token] = await open_sessions(tx, [accepted(person).id], now, ttl)
            return accepted(person).id, token

    @contextmanager
    def running(self) -> Iterator[Server]:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        self._ready.wait(30)
        if self._failure is not None:
            raise self._failure
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join(30)
            assert not thread.is_alive(), "the server did not stop"

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        listener = listen(self.settings)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with Database(self.settings.database_url) as database:
            self.platform = Platform(database, self.clock, self.settings)
            await serve(build(self.platform), listener, self.settings, self._stop, self._ready.set)
