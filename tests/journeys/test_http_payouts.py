"""Payouts with the real sandbox provider, over real HTTP: whatever it does, everyone is paid what is owed, once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import psutil
import pytest
from served import Client, Server

from databases import set_up_database
from fairwind.identity import grant_membership
from fairwind.kernel import PersonId, ShopId, SystemClock, secret, uuid7
from fairwind.kernel.audit import audit, checks_of
from fairwind.ledger import PAID_OUT, SERVICE_FEE, SHOP, Account, agency, creator
from fairwind.payments import PayoutStatus, SandboxClient
from fairwind.payments.signature import CALLBACK, signed
from fairwind.settlement import PayingOut
from fairwind.settlement.client import SandboxPayouts
from market import open_shop
from payables import CHECKS, book, post

ALL = 1_000_000
TIMEOUT_S = 0.5


class Till:
    """A server of its own, with the sandbox provider beside it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.platform = server.platform
        self.payouts = self.platform.provided["payouts"]
        self.paying_out = PayingOut(self.platform, self.payouts)
        self.operator = server.someone("operator")
        self.http = server.client()
        self.sandbox_url = f"http://127.0.0.1:{self.platform.settings.sandbox_port}"
        self.key: bytes = server.run(self._key())
        self._be_impatient()

    async def _key(self) -> bytes:
        return await self.platform.database.run(lambda tx: secret(tx, "payments.sandbox"))

    def _be_impatient(self) -> None:
        """Wait for the provider's answers for a moment only."""

        async def key() -> bytes:
            return self.key

        self.client = SandboxClient(self.sandbox_url, key, clock=SystemClock(), timeout_s=TIMEOUT_S)
        callback_url = f"{self.server.url}/payouts/callbacks/sandbox"
        self.payouts.providers = {"sandbox": SandboxPayouts(self.client, callback_url=callback_url)}

    def switch(self, **switches: Any) -> None:
        httpx.put(f"{self.sandbox_url}/switches", json=switches).raise_for_status()

    def counts(self) -> dict[str, int]:
        return httpx.get(f"{self.sandbox_url}/health").raise_for_status().json()

    @property
    def paid_fen(self) -> int:
        """What the provider has paid to anyone."""
        return self.counts()["paid_out_fen"]

    @property
    def pid(self) -> int:
        """The sandbox's process."""
        port = self.platform.settings.sandbox_port
        for child in psutil.Process().children():
            if any(each.laddr.port == port and each.status == psutil.CONN_LISTEN for each in child.net_connections()):
                return child.pid
        raise AssertionError("the sandbox does not run")

    def shop(self) -> ShopId:
        return self.server.run(open_shop(self.platform.database, 1)).id

    def member(self, shop_id: ShopId) -> Client:
        someone = self.server.someone("merchant")

        async def join() -> None:
            async with self.platform.database.transaction() as tx:
                await grant_membership(tx, shop_id, PersonId(someone.id), self.server.clock.now())

        self.server.run(join())
        return someone

    def earn(self, shop_id: ShopId, fen: dict[Account, int]) -> None:
        self.server.run(post(self.platform.database, shop_id, fen))

    def gather(self, days: int = 1) -> None:
        """Let the next turn come, sweep, and put payouts together."""
        self.server.clock.advance(timedelta(days=days))
        self.server.run(self.paying_out.gather())

    def book(self, shop_id: ShopId) -> dict[Account, int]:
        return self.server.run(book(self.platform.database, shop_id))

    def payout(self, payee: Client) -> dict[str, Any]:
        """The newest payout of somebody who earns."""
        return payee.get("/payouts/mine").raise_for_status().json()["items"][0]

    def becomes(self, payee: Client, state: str) -> dict[str, Any]:
        eventually(lambda: self.payout(payee)["state"] == state)
        return self.payout(payee)

    def paid(self, payee: Client, shop_id: ShopId, fen: int) -> dict[str, Any]:
        """The creator's newest payout, once it has succeeded and the shop's book has noted it."""
        payout = self.becomes(payee, "succeeded")
        eventually(lambda: self.book(shop_id).get(PAID_OUT, 0) == fen)
        return payout

    def sound(self) -> bool:
        """Whether the audit finds nothing in the books and payouts."""
        packages = ["fairwind.ledger", "fairwind.settlement"]
        findings = self.server.run(audit(self.platform.database, packages)).findings
        ours = {check.invariant for check in [*checks_of("fairwind.ledger"), *CHECKS.values()]}
        return not any(finding.offending for finding in findings if finding.invariant in ours)


def eventually(check: Callable[[], bool], within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def running_till(server_url: str) -> Iterator[Till]:
    with set_up_database(server_url) as url, Server(url).running() as server:
        till = Till(server)
        yield till
        server.run(till.client.close())


@pytest.fixture
def till(running_till: Till) -> Iterator[Till]:
    """The till with all switches off; at the end the books are audited."""
    running_till.switch()
    yield running_till
    running_till.switch()
    eventually(running_till.sound)


@pytest.fixture
def creator_there(till: Till) -> Client:
    return till.server.someone("creator", "agency")


def account(person: Client) -> Account:
    return creator(PersonId(person.id))


def test_what_was_earned_in_several_books_is_paid_at_once_less_what_is_owed_to_another(
    till: Till, creator_there: Client
) -> None:
    shops, before_fen = [till.shop() for _ in range(3)], till.paid_fen
    for shop_id, fen in zip(shops, (500, 300, -120), strict=True):
        till.earn(shop_id, {account(creator_there): fen})
    till.gather()

    payout = till.paid(creator_there, shops[0], 500)

    assert (payout["amount_fen"], payout["payee_kind"], payout["payee_id"]) == (680, "creator", creator_there.id)
    assert till.paid_fen == before_fen + 680
    items = creator_there.get(f"/payouts/{payout['id']}/items", params={"limit": 2}).json()
    more = creator_there.get(f"/payouts/{payout['id']}/items", params={"cursor": items["next_cursor"]}).json()
    found = [(item["shop_id"], item["amount_fen"]) for item in [*items["items"], *more["items"]]]
    assert found == list(zip(shops, (500, 300, -120), strict=True))
    eventually(lambda: till.book(shops[2])[PAID_OUT] == -120)


def test_a_shop_and_the_platform_are_paid_what_their_accounts_make_up(till: Till) -> None:
    shop_id = till.shop()
    merchant, stranger = till.member(shop_id), till.member(till.shop())
    till.earn(shop_id, {SHOP: 9000, SERVICE_FEE: 1000})
    till.gather()

    eventually(lambda: till.book(shop_id).get(PAID_OUT) == 10_000)
    [payout] = merchant.get(f"/shops/{shop_id}/payouts").json()["items"]
    assert (payout["state"], payout["amount_fen"]) == ("succeeded", 9000)
    assert merchant.get(f"/payouts/{payout['id']}").json() == payout
    platform = till.operator.get("/payouts", params={"state": "succeeded"}).json()["items"]
    assert ("platform", 1000) in {(each["payee_kind"], each["amount_fen"]) for each in platform}
    for path in (f"/payouts/{payout['id']}", f"/payouts/{payout['id']}/items"):
        assert stranger.get(path).status_code == 404
    assert stranger.get(f"/shops/{shop_id}/payouts").status_code == 403


def test_debts_and_small_amounts_are_carried_and_shown_to_who_owes_them(till: Till, creator_there: Client) -> None:
    shop_id = till.shop()
    merchant, agency_account = till.member(shop_id), agency(PersonId(creator_there.id))
    till.earn(shop_id, {account(creator_there): -250, agency_account: 99, SHOP: -70})
    till.gather()

    as_creator, as_agency = creator_there.get("/payouts/mine/carried").json()
    assert (as_creator["payee_kind"], as_creator["amount_fen"]) == ("creator", -250)
    assert (as_agency["payee_kind"], as_agency["amount_fen"]) == ("agency", 99)
    assert merchant.get(f"/shops/{shop_id}/payouts/carried").json()["amount_fen"] == -70
    debts = till.operator.get("/payouts/debts", params={"limit": 100}).json()["items"]
    owed = {(debt["payee_kind"], debt["payee_id"]): debt["amount_fen"] for debt in debts}
    assert (owed["creator", creator_there.id], owed["shop", shop_id]) == (-250, -70)
    assert creator_there.get("/payouts/mine").json()["items"] == []

    till.earn(shop_id, {account(creator_there): 400, agency_account: 1, SHOP: 500})
    till.gather()
    eventually(lambda: till.book(shop_id).get(PAID_OUT) == 150 + 100 + 430)
    found = creator_there.get("/payouts/mine").json()["items"]
    assert sorted((each["payee_kind"], each["amount_fen"]) for each in found) == [("agency", 100), ("creator", 150)]


def test_a_provider_that_answers_too_late_and_tells_everything_often_pays_once(
    till: Till, creator_there: Client
) -> None:
    """It takes the payout and lets us wait; then it tells of it four times, while we ask again."""
    till.switch(payout_hang_ppm=ALL, duplicates=3, reorder=True)
    before_fen, shop_id = till.paid_fen, till.shop()
    till.earn(shop_id, {account(creator_there): 500})
    till.gather()

    till.paid(creator_there, shop_id, 500)

    eventually(lambda: till.counts()["callbacks"] == 0)
    assert till.paid_fen == before_fen + 500
    assert till.book(shop_id)[PAID_OUT] == 500


def test_a_provider_that_answers_too_late_and_tells_nothing_is_asked_again(till: Till, creator_there: Client) -> None:
    till.switch(payout_hang_ppm=ALL, loss_ppm=ALL)
    before_fen, shop_id = till.paid_fen, till.shop()
    till.earn(shop_id, {account(creator_there): 500})
    till.gather()
    eventually(lambda: till.paid_fen == before_fen + 500)

    time.sleep(2 * TIMEOUT_S)
    assert till.payout(creator_there)["state"] == "pending"
    till.switch()
    till.server.clock.advance(timedelta(minutes=10))
    till.paid(creator_there, shop_id, 500)

    assert till.paid_fen == before_fen + 500


def test_a_slow_payout_is_asked_about(till: Till, creator_there: Client) -> None:
    till.switch(delay_s=1, loss_ppm=ALL)
    shop_id = till.shop()
    till.earn(shop_id, {account(creator_there): 500})
    till.gather()

    till.becomes(creator_there, "sent")
    time.sleep(1)
    till.server.clock.advance(timedelta(minutes=10))
    till.paid(creator_there, shop_id, 500)


def test_kill_9_of_the_provider_between_paying_and_answering_pays_once(till: Till, creator_there: Client) -> None:
    till.switch(payout_hang_ppm=ALL, delay_s=0.5)
    before_fen, before, shop_id = till.paid_fen, till.pid, till.shop()
    till.earn(shop_id, {account(creator_there): 500})
    till.gather()
    eventually(lambda: till.paid_fen == before_fen + 500)
    os.kill(before, signal.SIGKILL)

    eventually(lambda: _is_up(till))
    assert till.pid != before
    till.server.clock.advance(timedelta(minutes=10))
    till.paid(creator_there, shop_id, 500)

    assert till.paid_fen == before_fen + 500


def _is_up(till: Till) -> bool:
    try:
        return till.counts() != {}
    except httpx.HTTPError:
        return False


def test_an_operator_sends_a_failed_payout_again(till: Till, creator_there: Client) -> None:
    till.switch(payout_failure_ppm=ALL, duplicates=2)
    before_fen, shop_id = till.paid_fen, till.shop()
    till.earn(shop_id, {account(creator_there): 500})
    till.gather()
    payout = till.becomes(creator_there, "failed")

    failed = till.operator.get("/payouts", params={"state": "failed", "limit": 100}).json()["items"]
    assert [each["reason"] for each in failed if each["id"] == payout["id"]] == ["the payee's bank refused it"]
    assert creator_there.put(f"/payouts/{payout['id']}/retry").status_code == 403
    till.switch()
    assert till.operator.put(f"/payouts/{payout['id']}/retry").json()["state"] == "pending"
    till.paid(creator_there, shop_id, 500)

    assert till.paid_fen == before_fen + 500
    assert till.operator.put(f"/payouts/{payout['id']}/retry").json()["state"] == "succeeded"
    assert till.operator.put(f"/payouts/{payout['id']}/release").json()["code"] == "wrong_payout_state"


def test_a_released_payout_is_never_paid_and_the_next_one_pays_what_is_left(till: Till, creator_there: Client) -> None:
    till.switch(payout_failure_ppm=ALL)
    before_fen, shop_id = till.paid_fen, till.shop()
    till.earn(shop_id, {account(creator_there): 500})
    till.gather()
    released = till.becomes(creator_there, "failed")
    till.switch()

    for _ in range(2):
        assert till.operator.put(f"/payouts/{released['id']}/release").json()["state"] == "released"
    assert creator_there.get("/payouts/mine/carried").json()[0]["amount_fen"] == 500
    assert till.operator.put(f"/payouts/{released['id']}/retry").status_code == 409
    till.earn(shop_id, {account(creator_there): -120})
    till.gather()
    payout = till.paid(creator_there, shop_id, 380)

    assert (payout["amount_fen"], payout["id"] != released["id"]) == (380, True)
    assert till.paid_fen == before_fen + 380


def test_a_payout_that_was_paid_after_all_is_not_released(till: Till, creator_there: Client) -> None:
    """It failed, and an attempt that was long under way paid it since; nobody told us."""
    till.switch(payout_failure_ppm=ALL, loss_ppm=ALL)
    before_fen, shop_id = till.paid_fen, till.shop()
    till.earn(shop_id, {account(creator_there): 500})
    till.gather()
    failed = till.becomes(creator_there, "failed")
    till.switch(loss_ppm=ALL)
    late = till.server.run(till.payouts.payout(failed["id"]))
    till.server.run(till.payouts.providers["sandbox"].pay(late))

    assert till.operator.put(f"/payouts/{failed['id']}/release").json()["state"] == "succeeded"

    till.paid(creator_there, shop_id, 500)
    assert till.paid_fen == before_fen + 500


def test_nothing_is_released_while_the_provider_is_away(till: Till, creator_there: Client) -> None:
    till.switch(payout_failure_ppm=ALL)
    shop_id = till.shop()
    till.earn(shop_id, {account(creator_there): 500})
    till.gather()
    failed = till.becomes(creator_there, "failed")
    os.kill(till.pid, signal.SIGSTOP)
    try:
        assert till.operator.put(f"/payouts/{failed['id']}/release").json()["code"] == "provider_down"
    finally:
        os.kill(till.pid, signal.SIGCONT)
    assert till.payout(creator_there)["state"] == "failed"


def test_callbacks_that_are_not_the_providers_change_nothing(till: Till, creator_there: Client) -> None:
    till.switch(payout_failure_ppm=ALL)
    till.earn(till.shop(), {account(creator_there): 500})
    till.gather()
    payout = till.becomes(creator_there, "failed")
    now = SystemClock().now()

    def call_back(key: bytes = till.key, purpose: str = CALLBACK, provider: str = "sandbox", **changes: Any) -> int:
        status = PayoutStatus(str(payout["id"]), "succeeded", 500, 1)
        body = msgspec.json.encode(msgspec.structs.replace(status, **changes))
        headers = signed(key, purpose, body, now)
        return till.http.post(f"/payouts/callbacks/{provider}", content=body, headers=headers).status_code

    assert call_back(key=os.urandom(32)) == 401
    assert call_back(purpose="POST /v1/payouts") == 401
    assert call_back(id="no-id") == 400
    assert call_back(state="cancelled") == 400
    assert call_back(id=str(uuid7(now))) == 404
    assert call_back(provider="elsewhere") == 404
    assert call_back(state="failed", attempt=99) == 200
    assert till.payout(creator_there) == payout
