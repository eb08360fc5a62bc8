"""A real server on a free port, and people who talk to it: what the journeys' fixtures hand out."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar
from uuid import uuid4

import httpx
from msgspec.structs import replace

from fairwind.identity import SESSION_COOKIE, NewPerson, Role, create_people, hash_password, open_sessions
from fairwind.kernel import PersonId, Platform, Settings, ShiftedClock, accepted
from fairwind.web.installation import serving
from fairwind.web.server import listen

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
        self.settings = Settings(host="127.0.0.1", port=0, sandbox_port=0, database_url=database_url, **settings)
        self.clock = ShiftedClock()
        self.url = ""
        self.platform: Platform
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._ready = threading.Event()
        self._failure: BaseException | None = None

    def client(self) -> Client:
        """Nobody."""
        return Client(base_url=self.url, timeout=30, verify=False)  # nothing to verify, and certificates load slowly

    def someone(self, *roles: str) -> Client:
        """A new person with roles, signed in. Through the database: quicker than hashing, and operators may be made."""
        login = f"{'-'.join(roles) or 'nobody'}-{uuid4().hex[:12]}"
        draft = NewPerson(login, f"No. {next(_numbers)}", _HASH, frozenset(map(Role, roles)))
        return self.signed_in(self.run(self._made(draft)))

    def signed_in(self, person_id: int) -> Client:
        """A new session of a person."""
        client = self.client()
        client.cookies.set(SESSION_COOKIE, self.session(person_id), domain="127.0.0.1", path="/")
        client.person = client.get("/people/me").raise_for_status().json()
        return client

    def session(self, person_id: int) -> str:
        """The token of a new session of a person."""
        return self.run(self._session(PersonId(person_id)))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work on the server's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _made(self, draft: NewPerson) -> int:
        async with self.platform.database.transaction() as tx:
            [person] = await create_people(tx, [draft], self.clock.now())
            return accepted(person).id

    async def _session(self, person_id: PersonId) -> str:
        async with self.platform.database.transaction() as tx:
            ttl = timedelta(seconds=self.settings.session_ttl_s)
            [token] = await open_sessions(tx, [person_id], self.clock.now(), ttl)
            return token

    @contextmanager
    def running(self) -> Iterator[Server]:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        self._ready.wait(60)
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
        with tempfile.TemporaryDirectory(prefix="fairwind-test-") as data, listen(self.settings) as listener:
            settings = replace(self.settings, data=data)
            async with serving(settings, settings.database_url, listener, self.clock) as self.platform:
                self.url = f"http://127.0.0.1:{self.platform.settings.port}"
                self._ready.set()
                await self._stop.wait()
