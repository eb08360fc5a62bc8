"""The crowd of a live sale, in a process of its own: buyers and merchants that know the server by its HTTP API only.

`python -m fairwind.demo.crowd` reads a `Plan` as JSON from standard input and writes `News` to standard output, one
JSON object a line. Buyers watch the live session, and some come by a creator's links. When the host pins a product,
those who fancy it rush to order it; they pay on the provider's page, cancel, forget to pay, and later receive the goods
or send them back. Merchants ship and decide refunds meanwhile.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random
from time import perf_counter
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec
import uvloop

from fairwind.demo.client import Answer, Client
from fairwind.demo.people import Buyer, Fate, buyer
from fairwind.kernel import SystemClock, uuid7

RUSH_S = 0.7
"""How long after a product is pinned the average buyer orders it."""
INTEREST = 0.35
"""The part of the crowd that fancies a product."""
WANDERERS_PER_S = 0.02
"""The part of the crowd that orders something shown earlier, each second."""
FOLLOWERS = 0.4
"""The part of these that comes by a link from elsewhere."""
SETTLE_S = 25.0
_LOOK_EVERY_S = 0.4
_ASK_EVERY_S = 1.2
_NEWS_EVERY_S = 0.5
_OVER = ("cancelled", "refunded", "completed")
_PAYMENT_REQUIRED = 402
_PATIENCE = 12
"""How often a buyer looks for news of an order before giving up."""


class Merchant(msgspec.Struct, frozen=True):
    """A shop and the session of somebody who runs it."""

    shop_id: int
    session: str


class Linked(msgspec.Struct, frozen=True):
    """A short link that a creator spreads outside, and the SKUs that it leads to."""

    code: str
    shop_id: int
    skus: list[int]


class Plan(msgspec.Struct, frozen=True):
    """Who comes where, and for how long: orders begin for `seconds`, then those under way come to their end.

    buyers: session tokens. The seed draws who fancies what and what becomes of an order; who is quicker is not drawn.
    """

    url: str
    live_session_id: str
    buyers: list[str]
    merchants: list[Merchant]
    links: list[Linked]
    seconds: float
    seed: int


class News(msgspec.Struct, frozen=True):
    """What the crowd has met so far. p99_ms: of placing an order. failures: requests that got no
    answer. under_way: visits that have not come to their end.
    """

    requests: int
    refusals: dict[str, int]
    failures: int
    p99_ms: float
    under_way: int
    over: bool = False


class Goods(NamedTuple):
    """A product as a buyer sees it. source: where it was found, as a line of an order says it."""

    shop_id: int
    skus: list[int]
    source: dict[str, Any]


class Crowd:
    """Everybody at one live session."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._server = Client(plan.url)
        self._providers: dict[str, Client] = {}
        self._clock = SystemClock()
        self._buyers = [buyer(session, plan.seed, number) for number, session in enumerate(plan.buyers)]
        self._shown: list[Goods] = []
        self._visits: set[asyncio.Task[None]] = set()
        self._requests = 0
        self._failures = 0
        self._refusals: Counter[str] = Counter()
        self._placed_ms: list[float] = []

    async def run(self) -> None:
        """The whole sale."""
        telling = asyncio.create_task(self._tell())
        minding = [asyncio.create_task(self._mind_shop(merchant)) for merchant in self._plan.merchants]
        await self._watch()
        if self._visits:
            _, late = await asyncio.wait(self._visits, timeout=SETTLE_S)
            for visit in late:
                visit.cancel()
        for task in [telling, *minding]:
            task.cancel()
        await asyncio.gather(telling, *minding, return_exceptions=True)
        self._say(over=True)

    # What the crowd sees and does.

    async def _watch(self) -> None:
        """Look at the live session until the sale is over, and send buyers to what is shown."""
        dice = Random(self._plan.seed)  # noqa: S311
        seen: set[tuple[int, int, str]] = set()
        until = perf_counter() + self._plan.seconds
        while perf_counter() < until:
            session = await self._ask("GET", f"/live-sessions/{self._plan.live_session_id}")
            for pin in session.json()["pins"] if session.ok else ():
                key = (pin["shop_id"], pin["product_id"], pin["pinned_at"])
                if key not in seen and (goods := await self._look_at(pin)):
                    seen.add(key)
                    self._shown.append(goods)
                    for one in self._buyers:
                        if one.dice.random() < INTEREST:
                            self._send(self._visit(one, goods, one.dice.expovariate(1 / RUSH_S)))
            wanderers = len(self._buyers) * WANDERERS_PER_S * _LOOK_EVERY_S
            for one in dice.sample(self._buyers, round(wanderers)) if self._shown else ():
                pause_s = dice.uniform(0, _LOOK_EVERY_S)
                if self._plan.links and dice.random() < FOLLOWERS:
                    self._send(self._follow(one, dice.choice(self._plan.links), pause_s))
                else:
                    self._send(self._visit(one, dice.choice(self._shown), pause_s))
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _look_at(self, pin: dict[str, Any]) -> Goods | None:
        product = await self._ask("GET", f"/shops/{pin['shop_id']}/products/{pin['product_id']}")
        if not product.ok:
            return None
        skus = [sku["id"] for sku in product.json()["skus"] if sku["on_shelf"]]
        return Goods(pin["shop_id"], skus, {"placement": pin["placement"]}) if skus else None

    async def _follow(self, one: Buyer, link: Linked, after_s: float) -> None:
        """Come by a link from elsewhere, and order what it leads to."""
        answer = await self._ask("GET", f"/l/{link.code}", session=one.session)
        if click := parse_qs(urlsplit(answer.location).query).get("click"):
            await self._visit(one, Goods(link.shop_id, link.skus, {"clicks": click}), after_s)

    def _send(self, visit: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(visit)
        self._visits.add(task)
        task.add_done_callback(self._visits.discard)

    async def _visit(self, one: Buyer, goods: Goods, after_s: float) -> None:
        await asyncio.sleep(after_s)
        placed = await (self._check_out(one, goods) if one.dice.random() < 0.04 else self._place(one, goods))
        if not placed:
            return
        fate = one.fate()
        if fate is Fate.CANCELS:
            await asyncio.sleep(one.dice.uniform(0.3, 2))
            for order in placed:
                await self._ask("PUT", f"{_path(order)}/cancellation", session=one.session)
        elif fate is not Fate.FORGETS:
            await asyncio.sleep(one.dice.uniform(0.2, 1.5))
            if await self._pay(one, placed):
                await self._afterwards(one, placed[0], fate)

    async def _place(self, one: Buyer, goods: Goods) -> list[dict[str, Any]]:
        started = perf_counter()
        draft = self._draft(one, goods)
        answer = await self._ask("POST", f"/shops/{goods.shop_id}/orders", draft, one.session)
        self._placed_ms.append((perf_counter() - started) * 1000)
        return [answer.json()] if answer.ok else []

    async def _check_out(self, one: Buyer, goods: Goods) -> list[dict[str, Any]]:
        """Order from two shops at once, to be paid together."""
        other = one.dice.choice(self._shown)
        if other.shop_id == goods.shop_id:
            return await self._place(one, goods)
        drafts = [{"shop_id": each.shop_id, "order": self._draft(one, each)} for each in (goods, other)]
        answer = await self._ask("POST", "/checkouts", {"orders": drafts}, one.session)
        return list(answer.json()["orders"]) if answer.ok else []

    def _draft(self, one: Buyer, goods: Goods) -> dict[str, Any]:
        quantity = 2 if one.dice.random() < 0.2 else 1
        line = {"sku_id": one.dice.choice(goods.skus), "quantity": quantity} | goods.source
        return {"id": self._new_id(), "lines": [line], "address": one.address}

    async def _pay(self, one: Buyer, placed: list[dict[str, Any]]) -> bool:
        """Pay on the provider's page; a declined card is not the end."""
        keys = [{"shop_id": order["shop_id"], "order_id": order["id"]} for order in placed]
        payment = await self._ask("POST", "/payments", {"id": self._new_id(), "orders": keys}, one.session)
        if not payment.ok or not (page := payment.json()["pay_url"]):
            return False
        if one.dice.random() < 0.03:
            await self._send_form(page, {"card": "declined"})
        return (await self._send_form(page, {"card": "debit"})).ok

    async def _afterwards(self, one: Buyer, order: dict[str, Any], fate: Fate) -> None:
        if fate is Fate.PAYS:
            return
        if fate is Fate.HAS_SECOND_THOUGHTS:
            if await self._wait_for(one, order, "paid", "shipped"):
                await self._ask_back(one, order, "refund_only", "不想要了")
            return
        if not await self._wait_for(one, order, "shipped"):
            return
        await asyncio.sleep(one.dice.uniform(0.2, 1))
        received = await self._ask("PUT", f"{_path(order)}/receipt", session=one.session)
        if received.ok and fate is Fate.SENDS_ALL_BACK:
            await self._ask_back(one, order, "return", "和描述不一样")
        elif received.ok and fate is Fate.SENDS_PART_BACK:
            line = order["lines"][0]
            part = {"line_no": line["line_no"], "amount_fen": line["price_fen"], "quantity": 1}
            if line["quantity"] == 1:  # keeps it, for less
                part = {"line_no": line["line_no"], "amount_fen": line["price_fen"] // 10 or 1}
            await self._ask_back(one, order, "return" if "quantity" in part else "refund_only", "包装破了", [part])

    async def _wait_for(self, one: Buyer, order: dict[str, Any], *states: str) -> bool:
        for _ in range(_PATIENCE):
            await asyncio.sleep(_ASK_EVERY_S * one.dice.uniform(0.7, 1.3))
            answer = await self._ask("GET", _path(order), session=one.session)
            state = answer.json()["state"] if answer.ok else ""
            if state in states or state in _OVER:
                return state in states
        return False

    async def _ask_back(
        self, one: Buyer, order: dict[str, Any], kind: str, reason: str, lines: list[dict[str, int]] | None = None
    ) -> None:
        draft = {"id": self._new_id(), "kind": kind, "reason": reason, "lines": lines}
        await self._ask("POST", f"{_path(order)}/refunds", draft, one.session)

    # What the shops do.

    async def _mind_shop(self, merchant: Merchant) -> None:
        """Ship what is paid and answer those who ask their money back, again and again."""
        shop = f"/shops/{merchant.shop_id}"
        dice = Random(f"{self._plan.seed} shop {merchant.shop_id}")  # noqa: S311
        shipment = {"carrier": "顺丰速运"}
        refund_steps: dict[str, Callable[[], str]] = {
            "requested": lambda: "refusal" if dice.random() < 0.1 else "approval",
            "awaiting_return": lambda: "return",
        }
        while True:
            for order in await self._list(f"{shop}/orders?state=paid&limit=100", merchant):
                number = {"tracking_number": f"SF{dice.randrange(10**12):012}"}
                await self._ask("PUT", f"{_path(order)}/shipment", shipment | number, merchant.session)
            for state, step in refund_steps.items():
                for refund in await self._list(f"{shop}/refunds?state={state}&limit=100", merchant):
                    path = f"{shop}/refunds/{refund['id']}/{step()}"
                    await self._ask("PUT", path, {"message": "好的"}, merchant.session)
            await asyncio.sleep(_ASK_EVERY_S)

    async def _list(self, path: str, merchant: Merchant) -> list[dict[str, Any]]:
        answer = await self._ask("GET", path, session=merchant.session)
        return list(answer.json()["items"]) if answer.ok else []

    # How they talk to the servers, and what they tell us.

    async def _ask(self, method: str, path: str, body: object = None, session: str = "") -> Answer:
        return await self._counted(self._server.ask(method, path, body, session=session))

    async def _send_form(self, url: str, fields: dict[str, str]) -> Answer:
        page = urlsplit(url)
        origin = f"{page.scheme}://{page.netloc}"
        provider = self._providers.setdefault(origin, Client(origin, connections_max=32))
        return await self._counted(provider.send_form(page.path, fields))

    async def _counted(self, asking: Awaitable[Answer]) -> Answer:
        self._requests += 1
        try:
            answer = await asking
        except OSError:
            self._failures += 1
            return Answer(599, b"")
        if not answer.ok:
            self._refusals["card_declined" if answer.status == _PAYMENT_REQUIRED else answer.code] += 1
        return answer

    def _new_id(self) -> str:
        return str(uuid7(self._clock.now()))

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(_NEWS_EVERY_S)
            self._say()

    def _say(self, *, over: bool = False) -> None:
        placed_ms = sorted(self._placed_ms)
        p99_ms = placed_ms[(len(placed_ms) - 1) * 99 // 100] if placed_ms else 0.0
        news = News(self._requests, dict(self._refusals), self._failures, p99_ms, len(self._visits), over)
        sys.stdout.buffer.write(msgspec.json.encode(news) + b"\n")
        sys.stdout.flush()


def _path(order: dict[str, Any]) -> str:
    return f"/shops/{order['shop_id']}/orders/{order['id']}"


def main() -> None:
    """Read a Plan, be the crowd, tell the news."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    uvloop.run(Crowd(plan).run())


if __name__ == "__main__":
    main()
