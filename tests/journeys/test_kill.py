"""kill -9 in the middle of a load: of the app, of its PostgreSQL, of everything. What was acknowledged is there, once.

The buyers are what real clients should be: a request that was not answered, or answered with 503, is sent again with
the same id until it is.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from fairwind.demo.client import Answer, Client
from fairwind.identity import NewPerson, Role, create_people, open_sessions
from fairwind.kernel import Database, Transaction, accepted, uuid7
from fairwind.kernel.audit import audit
from fairwind.kernel.postgres import EmbeddedPostgres
from fairwind.kernel.postgres.configuration import free_port
from fairwind.web.contexts import PACKAGES
from market import Shop, open_shop

SERVE = [sys.executable, "-c", "from fairwind.cli import main; main()", "serve"]
BUYERS = 24
PLENTY, FEW = 1_000_000, 150
READY_S_MAX = 60
SHOPPING_S_MAX = 200
AGAIN_S = 0.05
ADDRESS = {"name": "王小明", "phone": "13800000000", "region": "110105", "detail": "建国路 1 号"}
LATER = {429, 502, 503}
"""What says: come again with the same id."""


class App:
    """`fairwind serve` in a process of its own, with a PostgreSQL of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url, self.provider_url = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        port, sandbox_port = (url.rpartition(":")[2] for url in (self.url, self.provider_url))
        settings = {"DATA": self.folder, "PORT": port, "SANDBOX_PORT": sandbox_port, "LOG_LEVEL": "error"}
        environment = os.environ | {f"FAIRWIND_{name}": str(value) for name, value in settings.items()}
        self._process = subprocess.Popen(SERVE, env=environment, stdout=subprocess.DEVNULL)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """Its exit status."""
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(60)
        finally:
            self._process.kill()

    @property
    def database_url(self) -> str:
        return (self.folder / "database-url").read_text()

    @property
    def postgres(self) -> int | None:
        """The pid of the database's first process; None between two lives."""
        try:
            return int((self.folder / "postgres" / "postmaster.pid").read_text().split()[0])
        except (FileNotFoundError, IndexError):
            return None


def family(pid: int | None) -> list[int]:
    """A process and its children."""
    assert pid is not None
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
    return [pid, *(child for child, parent in parents.items() if parent == pid)]


@dataclass
class Crowd:
    """Buyers who order without pause, and what was said to them."""

    client: Client
    provider: Client
    shop: Shop
    sessions: list[str]
    placed: dict[str, dict[str, Any]] = field(default_factory=dict)
    cancelled: set[str] = field(default_factory=set)
    paid: set[str] = field(default_factory=set)
    turned_away: int = 0
    cut_off: int = 0
    """Requests that no answer came to, or none that says what happened."""
    _closing: asyncio.Event = field(default_factory=asyncio.Event)
    _numbers: Iterator[int] = field(default_factory=count)

    @asynccontextmanager
    async def shopping(self) -> AsyncIterator[None]:
        """At the end nobody begins anything new, and everybody gets the answer that they wait for."""
        async with asyncio.timeout(SHOPPING_S_MAX), asyncio.TaskGroup() as buyers:
            for session in self.sessions:
                buyers.create_task(self._buy(session))
            yield
            self._closing.set()

    async def until(self, happened: Callable[[], bool]) -> None:
        while not happened():  # noqa: ASYNC110  what it waits for, many do
            await asyncio.sleep(0.01)

    async def more(self, orders: int = 150) -> None:
        """Wait for so many more to be placed."""
        wanted = len(self.placed) + orders
        await self.until(lambda: len(self.placed) >= wanted)

    async def _buy(self, session: str) -> None:
        while not self._closing.is_set():
            number = next(self._numbers)
            scarce = number % 4 == 0
            order: dict[str, Any] = {"id": new_id(), "address": ADDRESS}
            order["lines"] = [{"sku_id": self.shop.sku_ids[scarce], "quantity": 1}]
            path = f"/shops/{self.shop.id}/orders"
            answer = await self._answered(lambda: self.client.ask("POST", path, order, session=session))  # noqa: B023
            if not answer.ok:
                assert scarce, answer
                assert answer.code == "out_of_stock", answer
                self.turned_away += 1
                continue
            self.placed[order["id"]] = answer.json()
            if number % 7 == 1 and not scarce:
                await self._cancel(f"{path}/{order['id']}/cancellation", order["id"], session)
            elif number % 7 == 2:
                await self._pay(order["id"], session)

    async def _cancel(self, path: str, order_id: str, session: str) -> None:
        assert (await self._answered(lambda: self.client.ask("PUT", path, session=session))).ok
        self.cancelled.add(order_id)

    async def _pay(self, order_id: str, session: str) -> None:
        payment = {"id": new_id(), "orders": [{"shop_id": self.shop.id, "order_id": order_id}]}
        started = await self._answered(lambda: self.client.ask("POST", "/payments", payment, session=session))
        assert started.ok, started
        page = urlsplit(started.json()["pay_url"]).path
        assert (await self._answered(lambda: self.provider.send_form(page, {"card": "debit"}))).ok
        self.paid.add(order_id)

    async def _answered(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer, asked for again and again."""
        while True:
            try:
                answer = await ask()
                if answer.status not in LATER:
                    return answer
            except (OSError, TimeoutError):
                pass
            self.cut_off += 1
            await asyncio.sleep(AGAIN_S)


def new_id() -> str:
    return str(uuid7(datetime.now(UTC)))


@pytest.fixture
def app() -> Iterator[App]:
    with tempfile.TemporaryDirectory(prefix="fw-") as place:
        Path(place).chmod(0o711)  # started by root, the database runs as another user
        app = App(Path(place, "data"))
        app.start()
        yield app
        app.stop()


@pytest.mark.timeout(300)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes where Linux shows them")
async def test_whatever_is_killed_what_was_acknowledged_is_there_once(app: App) -> None:
    client = Client(app.url)
    await ready(client)
    crowd = await gathered(app, client)
    async with crowd.shopping():
        await crowd.more()
        app.kill()
        await cut_off(crowd)
        app.start()
        await crowd.more()
        killed = app.postgres
        os.kill(killed, signal.SIGKILL)
        await crowd.until(lambda: app.postgres not in (killed, None))
        await crowd.more()
        for pid in (*family(app.postgres), app.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        await cut_off(crowd)
        app.kill()
        app.start()
        await crowd.more()
    await all_heard(app, crowd)
    crowd.client.close()
    crowd.provider.close()
    assert app.stop() == 0
    with EmbeddedPostgres(app.folder, report=lambda _: None) as database:
        await compare(database.url, crowd)


async def ready(client: Client) -> None:
    until = time.monotonic() + READY_S_MAX
    while time.monotonic() < until:
        with suppress(OSError):
            if (await client.ask("GET", "/health/ready")).ok:
                return
        await asyncio.sleep(0.05)
    raise AssertionError("the app did not start")


async def gathered(app: App, client: Client) -> Crowd:
    """A shop with plenty of one thing and few of another, and buyers who have signed in."""
    async with Database(app.database_url) as database:
        shop = await open_shop(database, PLENTY, FEW)

        async def work(tx: Transaction) -> list[str]:
            now, buyer = datetime.now(UTC), frozenset({Role.BUYER})
            drafts = [NewPerson(f"buyer-{number}", "小王", "-", buyer) for number in range(BUYERS)]
            people = [accepted(person).id for person in await create_people(tx, drafts, now)]
            return await open_sessions(tx, people, now, timedelta(days=1))

        return Crowd(client, Client(app.provider_url), shop, await database.run(work))


async def cut_off(crowd: Crowd) -> None:
    """See that the blow fell in the middle of the load."""
    before = crowd.cut_off
    await crowd.until(lambda: crowd.cut_off > before + BUYERS // 2)


async def all_heard(app: App, crowd: Crowd) -> None:
    """See every payment that the provider took pay its order; where the word was lost, the app asks."""
    async with Database(app.database_url) as database, asyncio.timeout(READY_S_MAX):
        while True:
            async with database.transaction() as tx:
                row = await tx.row("SELECT count(*) AS orders FROM orders.shop_order WHERE state = 'paid'")
            if row is not None and row.orders >= len(crowd.paid):
                return
            await asyncio.sleep(0.2)


async def compare(url: str, crowd: Crowd) -> None:
    async with Database(url) as database:
        async with database.transaction() as tx:
            orders = await tx.rows(
                "SELECT id::text, state, total_fen, count(line_no) AS lines FROM orders.shop_order"
                " JOIN orders.line ON line.shop_id = shop_order.shop_id AND order_id = id GROUP BY 1, 2, 3"
            )
            stock = await tx.rows("SELECT sku_id, held_quantity, sold_quantity FROM inventory.stock")
        found = {row.id: row for row in orders}
        assert found.keys() == crowd.placed.keys()
        for order_id, row in found.items():
            assert (row.total_fen, row.lines) == (crowd.placed[order_id]["total_fen"], 1)
            states = {"cancelled": order_id in crowd.cancelled, "paid": order_id in crowd.paid}
            assert row.state == next((state for state, so in states.items() if so), "placed")
        taken = {row.sku_id: row.held_quantity + row.sold_quantity for row in stock}
        assert crowd.turned_away > 0
        assert taken[crowd.shop.sku_ids[1]] == FEW
        assert sum(taken.values()) == len(crowd.placed) - len(crowd.cancelled)
        assert sum(row.sold_quantity for row in stock) == len(crowd.paid) > 0
        assert [each for each in (await audit(database, PACKAGES)).findings if each.offending] == []
