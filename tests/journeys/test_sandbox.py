"""Payments with the real sandbox provider: its own process, spoken to over real HTTP, misbehaving as it is told to."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import msgspec
import psycopg
import pytest
from msgspec.structs import replace

from fairwind.identity import SESSION_COOKIE, NewPerson, Role, create_people, open_sessions
from fairwind.kernel import Database, Platform, Refused, Settings, ShiftedClock, SystemClock, accepted, secret, uuid7
from fairwind.kernel.schema import upgrade
from fairwind.payments import (
    Draft,
    Notice,
    Part,
    Payment,
    Payments,
    Recorded,
    RefundRequest,
    SandboxProcess,
    create,
    record,
    request_refunds,
)
from fairwind.payments import sandbox_process as sandbox_of
from fairwind.payments.sandbox.messages import OrderStatus
from fairwind.payments.signature import CALLBACK, signed
from fairwind.web import build, contexts
from fairwind.web.server import listen, serve

SHOP = 7
BUYER = 70


class Person(httpx.AsyncClient):
    """Somebody's browser."""

    def __init__(self, person_id: int, **options: Any) -> None:
        super().__init__(**options)
        self.person_id = person_id


class Till:
    """A Fairwind that only takes payments, with a sandbox provider beside it. `heard`: what notices did, in order."""

    def __init__(self, platform: Platform, sandbox: SandboxProcess, url: str, key: bytes) -> None:
        self.platform = platform
        self.clock: Any = platform.clock
        self.sandbox = sandbox
        self.key = key
        self.payments: Payments = platform.provided["payments"]
        self.http = httpx.AsyncClient(base_url=url, timeout=20)
        self.sandbox_url = f"http://127.0.0.1:{sandbox.port}"
        self.heard: list[Recorded | Refused] = []
        self.recording = platform.gate("record", self._record)
        self.payments.deliver_to(self.recording)

    async def _record(self, tx, shop_id, notices: Sequence[Notice], now):
        outcomes = await record(tx, shop_id, notices, now)
        self.heard += outcomes
        return outcomes

    def told(self, *payments: Payment) -> list[tuple[str, bool]]:
        """The state after each notice about these payments, and whether it changed."""
        ids = {payment.id for payment in payments}
        heard = [o for o in self.heard if isinstance(o, Recorded) and o.payment.id in ids]
        return [(recorded.payment.state, recorded.newly) for recorded in heard]

    async def someone(self, role: Role) -> Person:
        """A new person who has this role, signed in."""
        now = self.clock.now()
        async with self.platform.database.transaction() as tx:
            draft = NewPerson(uuid4().hex[:20], "Somebody", "no password", frozenset({role}))
            [person] = await create_people(tx, [draft], now)
            [token] = await open_sessions(tx, [accepted(person).id], now, timedelta(hours=1))
        return Person(accepted(person).id, base_url=self.http.base_url, cookies={SESSION_COOKIE: token}, timeout=20)

    async def payment(self, amount_fen: int = 12_800, ttl_s: int = 900, buyer_id: int = BUYER):
        """A new payment; its page is open."""
        now = self.clock.now()
        draft = Draft(uuid7(now), buyer_id, (Part(SHOP, uuid7(now), amount_fen),), now + timedelta(seconds=ttl_s))
        [payment] = await self.platform.database.run(lambda tx: create(tx, SHOP, [draft], now))
        return replace(payment, pay_url=await self.payments.open_page(SHOP, payment.id))

    async def paid(self, amount_fen: int = 12_800):
        payment = await self.payment(amount_fen)
        await self.pay(payment)
        await self.becomes(payment, "succeeded")
        return payment

    async def pay(self, payment, card: str = "debit") -> httpx.Response:
        return await self.http.post(payment.pay_url, data={"card": card})

    async def state(self, payment) -> str:
        return (await self.payments.payment(SHOP, payment.id)).state

    async def becomes(self, payment, state: str) -> None:
        await eventually(lambda: self._is(payment, state))

    async def _is(self, payment, state: str) -> bool:
        return await self.state(payment) == state

    async def switch(self, **switches: Any) -> None:
        (await self.http.put(f"{self.sandbox_url}/switches", json=switches)).raise_for_status()

    async def counts(self) -> dict[str, int]:
        return (await self.http.get(f"{self.sandbox_url}/health")).json()

    async def call_back(self, payment, *, key: bytes | None = None, at=None, **changes: Any) -> httpx.Response:
        """A callback as the provider would send it, or with something wrong in it."""
        now = SystemClock().now()
        status = OrderStatus(f"{SHOP}-{payment.id}", "SBX1", "succeeded", payment.amount_fen, now, payment.pay_url)
        body = msgspec.json.encode(replace(status, **changes))
        return await self.post_callback(body, signed(key or self.key, CALLBACK, body, at or now))

    async def post_callback(self, body: bytes, headers: dict[str, str]) -> httpx.Response:
        return await self.http.post("/payments/callbacks/sandbox", content=body, headers=headers)

    async def refund(self, payment, amount_fen: int):
        now = self.clock.now()
        request = RefundRequest(uuid7(now), SHOP, payment.id, payment.parts[0].order_id, amount_fen)
        [refused] = await self.platform.database.run(lambda tx: request_refunds(tx, SHOP, [request], now))
        assert refused is None
        return request

    async def refund_is(self, request, state: str) -> bool:
        async with self.platform.database.transaction() as tx:
            row = await tx.row("SELECT state FROM payments.refund WHERE id = %s", (request.id,))
        return row.state == state

    async def refunded_events(self) -> list[dict[str, Any]]:
        async with self.platform.database.transaction() as tx:
            rows = await tx.rows("SELECT payload FROM kernel.outbox WHERE topic = 'payments.refunded' ORDER BY id")
        return [row.payload for row in rows]


async def leafed_through(who: Person, path: str) -> list[dict[str, Any]]:
    """A whole list, two items at a time."""
    items, cursor = [], {}
    while True:
        page = (await who.get(path, params={"limit": 2, **cursor})).raise_for_status().json()
        items += page["items"]
        if page["next_cursor"] is None:
            return items
        cursor = {"cursor": page["next_cursor"]}


async def eventually(check: Callable[[], Awaitable[bool]], within_s: float = 15) -> None:
    async with asyncio.timeout(within_s):
        while not await check():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def own_database_url(server_url: str) -> Iterator[str]:
    """A database of its own: the reconciliation of another server would take turns with this one's."""
    name = f"fairwind_test_{uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        url = urlsplit(server_url)._replace(path=f"/{name}").geturl()
        upgrade(url, ["fairwind.kernel", "fairwind.identity", "fairwind.payments"])
        yield url
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
async def running_till(own_database_url: str, tmp_path_factory) -> AsyncIterator[Till]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(contexts, "CONTEXTS", ("identity", "payments"))
        async with Database(own_database_url) as database:
            settings = Settings(host="127.0.0.1", port=0, sandbox_port=0, log_format="text", log_level="warning")
            async with (
                await sandbox_of(database, settings, tmp_path_factory.mktemp("sandbox")) as sandbox,
                _serving(database, settings, sandbox) as till,
            ):
                yield till


@asynccontextmanager
async def _serving(database: Database, settings: Settings, sandbox: SandboxProcess) -> AsyncIterator[Till]:
    listener = listen(settings)
    settings = replace(settings, port=listener.getsockname()[1], sandbox_port=sandbox.port)
    platform = Platform(database, ShiftedClock(), settings)
    platform.relay.run = _nothing  # nobody consumes payments.refunded here
    app = build(platform)
    till = Till(platform, sandbox, f"http://127.0.0.1:{settings.port}", await _key(database))
    stop, ready = asyncio.Event(), asyncio.Event()
    serving = asyncio.create_task(serve(app, listener, settings, stop, ready.set))
    await asyncio.wait_for(ready.wait(), 20)
    try:
        yield till
    finally:
        stop.set()
        await serving
        await till.http.aclose()


@pytest.fixture
async def till(running_till: Till) -> Till:
    """The till with all switches off, and nothing heard yet."""
    await running_till.switch()
    running_till.heard.clear()
    async with running_till.platform.database.transaction() as tx:
        await tx.execute("DELETE FROM kernel.outbox")
    return running_till


async def _nothing() -> None: ...


async def _key(database: Database) -> bytes:
    async with database.transaction() as tx:
        return await secret(tx, "payments.sandbox")


async def test_the_buyer_pays_on_the_providers_page_and_comes_back(till: Till):
    payment = await till.payment(amount_fen=128_800)

    page = await till.http.get(payment.pay_url, headers={"accept-language": "zh-CN"})
    assert "沙箱环境 · 不会产生真实扣款" in page.text
    assert "1,288" in page.text
    assert str(payment.parts[0].order_id)[-12:] in page.text
    assert await till.payments.open_page(SHOP, payment.id) == payment.pay_url

    answer = await till.pay(payment)
    assert answer.status_code == 303
    assert answer.headers["location"].endswith(f"/payments/{SHOP}/{payment.id}")
    await till.becomes(payment, "succeeded")
    assert till.told(payment) == [("succeeded", True)]
    with pytest.raises(Refused, match="nothing left to pay"):
        await till.payments.open_page(SHOP, payment.id)


async def test_a_declined_card_and_a_cancelled_payment_cost_nothing_and_may_be_paid_after_all(till: Till):
    payment = await till.payment()

    declined = await till.pay(payment, card="declined")
    assert declined.status_code == 402
    assert "another card" in declined.text
    assert await till.state(payment) == "created"

    assert (await till.http.post(f"{payment.pay_url}/cancellation")).status_code == 303
    await till.becomes(payment, "closed")
    await till.pay(payment)
    await till.becomes(payment, "succeeded")
    assert till.told(payment) == [("closed", True), ("succeeded", True)]


async def test_the_page_keeps_the_language_that_the_buyer_chose(till: Till):
    payment = await till.payment()
    page = await till.http.get(f"{payment.pay_url}?lang=zh", headers={"accept-language": "en"})
    [action] = re.findall(r'action="(/pay/[^"/]+)"', page.text)

    declined = await till.http.post(
        f"{till.sandbox_url}{action}", data={"card": "declined"}, headers={"accept-language": "en"}
    )

    assert "银行拒绝了这次付款" in declined.text


async def test_buyers_do_not_reach_the_switches(till: Till):
    from_elsewhere = {"x-forwarded-for": "192.0.2.7"}

    refused = await till.http.put(f"{till.sandbox_url}/switches", json={"loss_ppm": 1_000_000}, headers=from_elsewhere)

    assert refused.status_code == 403
    seen = await till.http.get(f"{till.sandbox_url}/switches", headers={"accept": "application/json"})
    assert seen.json()["loss_ppm"] == 0


async def test_repeated_reordered_and_delayed_callbacks_pay_once(till: Till):
    await till.switch(duplicates=3, reorder=True, delay_s=0.3, seed=5)
    payments = await asyncio.gather(*(till.payment() for _ in range(8)))

    await asyncio.gather(*(till.http.post(f"{payment.pay_url}/cancellation") for payment in payments))
    await asyncio.gather(*map(till.pay, payments))

    await eventually(lambda: _all_called_back(till))
    assert [await till.state(payment) for payment in payments] == ["succeeded"] * 8
    told = till.told(*payments)
    assert len(told) == 8 * 2 * 4
    assert told.count(("succeeded", True)) == 8
    assert 0 < told.count(("closed", True)) < 8, "some successes overtook the cancellation before them"


async def _all_called_back(till: Till) -> bool:
    return (await till.counts())["callbacks"] == 0


async def test_a_payment_whose_callback_is_lost_is_asked_for(till: Till):
    await till.switch(loss_ppm=1_000_000)
    paid, unpaid = await till.payment(), await till.payment()
    await till.pay(paid)

    await asyncio.sleep(0.3)
    assert await till.state(paid) == "created"
    till.clock.advance(timedelta(seconds=20))
    await till.becomes(paid, "succeeded")

    assert await till.state(unpaid) == "created"
    assert till.told(paid, unpaid) == [("succeeded", True)]


async def test_a_payment_that_the_provider_never_heard_of_is_closed_when_it_has_expired(till: Till):
    now = till.clock.now()
    draft = Draft(uuid7(now), BUYER, (Part(SHOP, uuid7(now), 100),), now + timedelta(seconds=60))
    [payment] = await till.platform.database.run(lambda tx: create(tx, SHOP, [draft], now))

    till.clock.advance(timedelta(seconds=30))
    await asyncio.sleep(1.5)
    assert await till.state(payment) == "created"
    till.clock.advance(timedelta(seconds=60))
    await till.becomes(payment, "closed")


async def test_a_payment_that_nobody_pays_in_time_is_closed_by_the_provider(till: Till):
    payment = await till.payment(ttl_s=1)

    await till.becomes(payment, "closed")
    late = await till.pay(payment)

    assert late.status_code == 402
    assert "run out" in late.text


async def test_kill_9_of_the_provider_between_paying_and_calling_back_loses_nothing(till: Till):
    await till.switch(delay_s=0.5)
    payment = await till.payment()
    before = till.sandbox.pid
    await till.pay(payment)
    os.kill(before, signal.SIGKILL)

    await till.becomes(payment, "succeeded")

    assert till.sandbox.pid != before
    assert till.told(payment) == [("succeeded", True)]
    assert (await till.pay(payment)).status_code == 303, "the page is where it was"


async def test_callbacks_that_are_not_the_providers_change_nothing(till: Till):
    payment = await till.payment()
    now = SystemClock().now()
    genuine = await till.call_back(payment, state="closed")
    assert genuine.status_code == 200

    forged = await till.call_back(payment, key=os.urandom(32))
    replayed = await till.call_back(payment, at=now - timedelta(seconds=600))
    unsigned = await till.post_callback(b"{}", {})
    malformed = await till.post_callback(b"{}", signed(till.key, CALLBACK, b"{}", now))
    misused = await till.post_callback(b"{}", signed(till.key, "POST /v1/payments", b"{}", now))
    odd_shop = await till.call_back(payment, reference=f"0-{payment.id}")
    elsewhere = await till.http.post("/payments/callbacks/elsewhere", content=b"{}")

    assert [a.status_code for a in (forged, replayed, unsigned, misused)] == [401] * 4
    assert [a.status_code for a in (malformed, odd_shop)] == [400] * 2
    assert elsewhere.status_code == 404
    assert forged.json()["code"] == "callback_unsigned"
    assert await till.state(payment) == "closed"
    assert till.told(payment) == [("closed", True)]


async def test_money_that_does_not_fit_is_kept_for_an_operator_and_not_told_of_again(till: Till):
    payment = await till.payment()
    ghost = replace(payment, id=uuid7(till.clock.now()))

    for _ in range(2):
        short = await till.call_back(payment, amount_fen=payment.amount_fen - 1)
        assert (short.status_code, short.json()) == (200, {"recorded": False, "code": "amount_mismatch"})
    unknown = await till.call_back(ghost)
    assert unknown.json() == {"recorded": False, "code": "unknown_payment"}
    assert await till.state(payment) == "created"
    assert (await till.call_back(payment)).json() == {"recorded": True, "code": None}
    again = await till.call_back(payment, trade_no="SBX2")
    assert again.json() == {"recorded": False, "code": "paid_twice"}

    found = await till.payments.open_discrepancies((0, UUID(int=0)), 10)
    assert [(d.code, d.amount_fen) for d in found] == [
        ("amount_mismatch", payment.amount_fen - 1),
        ("unknown_payment", payment.amount_fen),
        ("paid_twice", payment.amount_fen),
    ]


async def test_a_callback_that_cannot_be_recorded_is_sent_again(till: Till):
    payment = await till.payment()
    failures = [OSError("no room on the disk")]

    async def flaky(shop_id, notice):
        if failures:
            raise failures.pop()
        await till.recording(shop_id, notice)

    till.payments.deliver_to(flaky)
    await till.pay(payment)
    await till.becomes(payment, "succeeded")
    till.payments.deliver_to(till.recording)

    assert failures == []


async def test_a_refund_is_sent_once_however_often_it_is_requested_and_sent(till: Till):
    before = (await till.counts())["refunds"]
    payment = await till.paid(amount_fen=1000)
    request = await till.refund(payment, 400)
    now = till.clock.now()
    await till.platform.database.run(lambda tx: request_refunds(tx, SHOP, [request, request], now))

    await eventually(lambda: till.refund_is(request, "succeeded"))
    async with till.platform.database.transaction() as tx:
        await tx.execute(
            "UPDATE payments.refund SET state = 'pending', finished_at = NULL, next_try_at = %s WHERE id = %s",
            (now, request.id),
        )  # as a restored backup would have it
    await eventually(lambda: till.refund_is(request, "succeeded"))
    rest = await till.refund(payment, 600)
    await eventually(lambda: till.refund_is(rest, "succeeded"))

    assert (await till.counts())["refunds"] == before + 2
    events = await till.refunded_events()
    assert {event["refund_id"] for event in events} == {str(request.id), str(rest.id)}
    assert events[0]["amount_fen"] == 400


async def test_a_slow_refund_is_asked_for_and_a_failed_one_waits_for_an_operator(till: Till):
    payment = await till.paid()
    await till.switch(delay_s=1, refund_failure_ppm=1_000_000)
    request = await till.refund(payment, 500)

    await eventually(lambda: till.refund_is(request, "sent"))
    till.clock.advance(timedelta(seconds=3))
    await eventually(lambda: till.refund_is(request, "failed"))
    [failed] = await till.payments.failed_refunds((0, UUID(int=0)), 10)
    assert failed.reason == "the buyer's bank refused it"
    assert await till.refunded_events() == []

    await till.switch()
    await till.payments.retry_refund(SHOP, request.id)
    await eventually(lambda: till.refund_is(request, "succeeded"))
    assert [event["amount_fen"] for event in await till.refunded_events()] == [500]
    assert (await till.payments.retry_refund(SHOP, request.id)).state == "succeeded"


async def test_what_waits_while_the_provider_is_down_is_done_when_it_is_up_again(till: Till):
    payment = await till.paid()
    lost = await till.payment()
    await till.switch(loss_ppm=1_000_000)
    await till.pay(lost)
    await till.sandbox.stop()

    with pytest.raises(Refused, match="did not answer"):
        await till.payment()
    request = await till.refund(payment, 100)
    till.clock.advance(timedelta(seconds=20))
    await asyncio.sleep(1.5)
    assert await till.refund_is(request, "pending")
    assert await till.state(lost) == "created"

    await till.sandbox.start()
    with suppress(TimeoutError):
        await eventually(lambda: till.refund_is(request, "succeeded"), within_s=1)
    till.clock.advance(timedelta(seconds=60))
    await eventually(lambda: till.refund_is(request, "succeeded"))
    await till.becomes(lost, "succeeded")


async def test_a_provider_that_cannot_start_says_what_to_do(till: Till, tmp_path: Path):
    settings = replace(till.platform.settings, sandbox_port=till.sandbox.port)

    with pytest.raises(Exception, match=r"port \d+ is in use; set sandbox_port \(FAIRWIND_SANDBOX_PORT\)"):
        await (await sandbox_of(till.platform.database, settings, tmp_path / "other")).start()


async def test_the_providers_key_can_be_seen_from_nowhere_and_it_ends_with_its_parent(till: Till, tmp_path: Path):
    process = Path(f"/proc/{till.sandbox.pid}")
    for name in ("cmdline", "environ"):
        assert till.key.hex().encode() not in (process / name).read_bytes()

    command = (sys.executable, "-m", "fairwind.payments.sandbox", "--data", str(tmp_path), "--stop-with-parent")
    child = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    child.stdin.write(till.key.hex().encode() + b"\n")
    assert b"port" in await child.stdout.readline()
    child.stdin.close()  # as the system does for a parent that is killed

    assert await asyncio.wait_for(child.wait(), 10) == 0


async def test_a_payment_is_shown_to_its_buyer_and_to_operators_only(till: Till):
    buyer, stranger, operator = [await till.someone(role) for role in (Role.BUYER, Role.BUYER, Role.OPERATOR)]
    payment = await till.payment(buyer_id=buyer.person_id)
    path = f"/payments/{SHOP}/{payment.id}"

    answers = [await who.get(path) for who in (till.http, stranger, buyer, operator)]

    assert [answer.status_code for answer in answers] == [401, 404, 200, 200]
    assert answers[2].json()["pay_url"] == payment.pay_url
    assert (await buyer.get(f"/payments/{SHOP + 1}/{payment.id}")).status_code == 404


async def test_an_operator_sends_failed_refunds_again_and_settles_discrepancies(till: Till):
    buyer, operator = await till.someone(Role.BUYER), await till.someone(Role.OPERATOR)
    payment = await till.paid()
    await till.switch(refund_failure_ppm=1_000_000)
    request = await till.refund(payment, 500)
    await eventually(lambda: till.refund_is(request, "failed"))
    for amount_fen in (1, 2, 3):
        await till.call_back(payment, amount_fen=amount_fen)

    for path in ("/payments/refunds/failed", "/payments/discrepancies"):
        assert (await till.http.get(path)).status_code == 401
        assert (await buyer.get(path)).status_code == 403
    [failed] = (await operator.get("/payments/refunds/failed")).json()["items"]
    assert (failed["id"], failed["reason"]) == (str(request.id), "the buyer's bank refused it")
    await till.switch()
    retry = f"/payments/refunds/{SHOP}/{request.id}/retry"
    assert (await buyer.put(retry)).status_code == 403
    assert (await operator.put(retry)).json()["state"] == "pending"
    await eventually(lambda: till.refund_is(request, "succeeded"))
    assert (await operator.put(retry)).json()["state"] == "succeeded"
    assert (await operator.put(f"/payments/refunds/{SHOP + 1}/{request.id}/retry")).status_code == 404

    found = await leafed_through(operator, "/payments/discrepancies")
    kept, *others = [one for one in found if one["payment_id"] == str(payment.id)]
    assert (kept["code"], kept["amount_fen"]) == ("amount_mismatch", 1)
    assert [one["amount_fen"] for one in others] == [2, 3]
    settled = await operator.put(f"/payments/discrepancies/{SHOP}/{kept['id']}/settlement", json={"note": "sent back"})
    assert (settled.json()["note"], settled.json()["settled_by"]) == ("sent back", operator.person_id)
    left = await leafed_through(operator, "/payments/discrepancies")
    assert kept["id"] not in {one["id"] for one in left}
