"""The platform's trade as plain Python: what should happen, said a second time and in another way.

Nothing here comes from the code under test. Time is a number of seconds, a refusal is its code, an id is whatever the
driver uses. Every command is applied item by item, as if each came alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

HOLD_S = 15 * 60
RECEIPT_S = 10 * 86_400
WINDOW_S = 15 * 86_400
LATER_S = 3600

Key = tuple[int, Any]
"""A shop and an id in it."""
Code = str


@dataclass
class Sku:
    price: int
    on_shelf: bool = True
    adjusted: int = 0
    sold: int = 0
    held: int = 0
    limit: int | None = None

    @property
    def left(self) -> int:
        return self.adjusted - self.sold - self.held


@dataclass
class Freight:
    flat: int = 0
    free_from: int | None = None
    regions: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """An order as a buyer sends it. lines: SKU and quantity."""

    id: Any
    buyer: int
    lines: tuple[tuple[int, int], ...]
    region: str
    total: int | None = None


@dataclass
class Line:
    sku: int
    quantity: int
    price: int
    limited: bool
    refunded: int = 0
    returned: int = 0

    @property
    def worth(self) -> int:
        return self.price * self.quantity


@dataclass
class Order:
    wanted: Wanted
    lines: list[Line]
    freight: int
    placed_at: int
    expires_at: int
    state: str = "placed"
    reason: str | None = None
    payment: Key | None = None
    freight_back: int = 0
    shipment: tuple[str, str] | None = None
    paid_at: int | None = None
    shipped_at: int | None = None
    received_at: int | None = None
    closed_at: int | None = None
    due_at: int | None = None

    @property
    def goods(self) -> int:
        return sum(line.worth for line in self.lines)

    @property
    def total(self) -> int:
        return self.goods + self.freight

    @property
    def refunded(self) -> int:
        return sum(line.refunded for line in self.lines) + self.freight_back

    def quantities(self) -> Counter[int]:
        wanted: Counter[int] = Counter()
        for line in self.lines:
            wanted[line.sku] += line.quantity
        return wanted


@dataclass(frozen=True)
class Asked:
    """A refund as somebody sends it. lines: number, amount, quantity; None for all that is left."""

    id: Any
    person: int
    kind: str
    lines: tuple[tuple[int, int, int], ...] | None
    freight: int = 0


@dataclass
class Refund:
    asked: Asked
    order: Any
    lines: tuple[tuple[int, int, int], ...]
    freight: int
    asked_at: int
    state: str = "requested"
    decided_at: int | None = None
    refunded_at: int | None = None

    @property
    def amount(self) -> int:
        return sum(amount for _, amount, _ in self.lines) + self.freight

    @property
    def open(self) -> bool:
        return self.state in ("requested", "awaiting_return")


@dataclass
class Stray:
    order: Any
    payment: Key
    amount: int
    reason: str
    arrived_at: int
    refunded_at: int | None = None


@dataclass
class Payment:
    """parts: shop, order and amount, by shop."""

    parts: tuple[tuple[int, Any, int], ...]
    state: str = "created"
    reference: str | None = None

    @property
    def amount(self) -> int:
        return sum(amount for _, _, amount in self.parts)


@dataclass(frozen=True)
class Word:
    """A provider's word about a payment."""

    payment: Any
    outcome: str
    amount: int
    reference: str


@dataclass
class Money:
    """Money on its way back. origin: the refund's id, or a stray's order and payment."""

    payment: Key
    amount: int
    state: str = "pending"


class Plain:
    """Everything that is traded, by shop."""

    def __init__(self, skus: dict[Key, Sku]) -> None:
        self.skus = skus
        self.freight: dict[int, Freight] = {}
        self.adjustments: dict[Key, tuple[int, int, str]] = {}
        self.bought: Counter[tuple[int, int, int]] = Counter()
        self.orders: dict[Key, Order] = {}
        self.refunds: dict[Key, Refund] = {}
        self.strays: dict[tuple[int, Any, Key], Stray] = {}
        self.payments: dict[Key, Payment] = {}
        self.discrepancies: set[tuple[int, Any, str, str, int]] = set()
        self.money: dict[Key, Money] = {}
        self.transfers: Counter[tuple[int, Any, str, int]] = Counter()
        self.events: list[tuple[int, str, Any]] = []

    # Stock.

    def adjust(self, shop: int, id: Any, sku: int, quantity: int, reason: str) -> Code:  # noqa: A002
        content = (sku, quantity, reason)
        if (shop, id) in self.adjustments:
            return "ok" if self.adjustments[shop, id] == content else "id_reused"
        stock = self.skus.get((shop, sku))
        if stock is None:
            return "not_found"
        if stock.left + quantity < 0:
            return "stock_too_low"
        self.adjustments[shop, id] = content
        stock.adjusted += quantity
        return "ok"

    def limit(self, shop: int, sku: int, limit: int | None) -> None:
        self.skus[shop, sku].limit = limit

    def _count(self, shop: int, buyer: int, line: Line, quantity: int) -> None:
        if line.limited:
            self.bought[shop, line.sku, buyer] += quantity

    # Placing and paying.

    def place(self, shop: int, wanted: Wanted, now: int) -> Code:
        before = self.orders.get((shop, wanted.id))
        if before is not None:
            return before.state if before.wanted == wanted else "id_reused"
        for sku, _ in wanted.lines:
            if (shop, sku) not in self.skus:
                return "not_found"
            if not self.skus[shop, sku].on_shelf:
                return "off_shelf"
        lines = [
            Line(sku, quantity, stock.price, stock.limit is not None)
            for sku, quantity in wanted.lines
            for stock in [self.skus[shop, sku]]
        ]
        order = Order(wanted, lines, 0, now, now + HOLD_S)
        lacking = self._lacking(shop, order)
        if lacking:
            return lacking
        order.freight = self.freight_of(shop, order.goods, wanted.region)
        if wanted.total not in (None, order.total):
            return "total_changed"
        for sku, quantity in order.quantities().items():
            self.skus[shop, sku].held += quantity
        for line in lines:
            self._count(shop, wanted.buyer, line, line.quantity)
        self.orders[shop, wanted.id] = order
        self.events.append((shop, "orders.placed", wanted.id))
        return "placed"

    def _lacking(self, shop: int, order: Order) -> Code | None:
        for sku, quantity in sorted(order.quantities().items()):
            stock = self.skus[shop, sku]
            if quantity > stock.left:
                return "out_of_stock"
            if stock.limit is not None and self.bought[shop, sku, order.wanted.buyer] + quantity > stock.limit:
                return "over_buyer_limit"
        return None

    def freight_of(self, shop: int, goods: int, region: str) -> int:
        rule = self.freight.get(shop, Freight())
        for length in (6, 5, 4, 3, 2):
            if region[:length] in rule.regions:
                return rule.regions[region[:length]]
        return 0 if rule.free_from is not None and goods >= rule.free_from else rule.flat

    def create_payment(self, home: int, id: Any, parts: tuple[tuple[int, Any, int], ...]) -> Code:  # noqa: A002
        before = self.payments.setdefault((home, id), Payment(parts))
        return before.state if before.parts == parts else "id_reused"

    def deliver(self, home: int, words: Iterable[Word], now: int) -> list[Code]:
        outcomes, arrivals = [], []
        for word in words:
            outcomes.append(self._told(home, word))
            if outcomes[-1] == "newly succeeded":
                arrivals += [(*part, (home, word.payment)) for part in self.payments[home, word.payment].parts]
        for shop, order, amount, payment in arrivals:
            if shop == home:
                self.pay(shop, order, payment, amount, now)
            else:
                self.events.append((home, "orders.part_paid", (shop, order, payment, amount)))
        return ["ok" if outcome in ("newly succeeded", "newly closed", "old") else outcome for outcome in outcomes]

    def _told(self, home: int, word: Word) -> Code:
        payment = self.payments.get((home, word.payment))
        misfit = self._misfit(payment, word)
        if misfit is not None:
            if word.outcome == "succeeded":
                self.discrepancies.add((home, word.payment, misfit, word.reference, word.amount))
            return misfit
        assert payment is not None
        if word.outcome == "succeeded" and payment.state != "succeeded":
            payment.state, payment.reference = "succeeded", word.reference
            return "newly succeeded"
        if word.outcome == "closed" and payment.state == "created":
            payment.state = "closed"
            return "newly closed"
        return "old"

    def _misfit(self, payment: Payment | None, word: Word) -> Code | None:
        if payment is None:
            return "unknown_payment"
        if word.outcome != "succeeded":
            return None
        if word.amount != payment.amount:
            return "amount_mismatch"
        return "paid_twice" if payment.state == "succeeded" and word.reference != payment.reference else None

    def pay(self, shop: int, order_id: Any, payment: Key, amount: int, now: int) -> None:
        order = self.orders[shop, order_id]
        if order.payment == payment or (shop, order_id, payment) in self.strays:
            return
        self.transfers[shop, order_id, "paid", amount] += 1
        reason = self._turned_away(shop, order)
        if reason is not None:
            self.strays[shop, order_id, payment] = Stray(order_id, payment, amount, reason, now)
            self.transfers[shop, order_id, "refund_agreed", amount] += 1
            self.money[shop, (order_id, payment)] = Money(payment, amount)
            return
        for sku, quantity in order.quantities().items():
            if order.state == "placed":
                self.skus[shop, sku].held -= quantity
            self.skus[shop, sku].sold += quantity
        if order.state == "cancelled":
            for line in order.lines:
                self._count(shop, order.wanted.buyer, line, line.quantity)
        order.state, order.paid_at, order.payment = "paid", now, payment
        order.closed_at = order.reason = None
        self.events.append((shop, "orders.paid", order_id))

    def _turned_away(self, shop: int, order: Order) -> Code | None:
        if order.state == "placed":
            return None
        if order.state != "cancelled":
            return "paid_twice"
        if order.reason == "buyer":
            return "cancelled"
        return "sold_out" if self._lacking(shop, order) else None

    # Cancelling and delivery.

    def cancel(self, shop: int, order_id: Any, buyer: int | None, now: int) -> Code:
        order = self._visible(shop, order_id, buyer)
        if order is None:
            return "not_found"
        if order.state == "cancelled" and buyer is not None:
            return "cancelled"
        if order.state != "placed":
            return "wrong_state"
        for sku, quantity in order.quantities().items():
            self.skus[shop, sku].held -= quantity
        for line in order.lines:
            self._count(shop, order.wanted.buyer, line, -line.quantity)
        order.state, order.closed_at = "cancelled", now
        order.reason = "timeout" if buyer is None else "buyer"
        self.events.append((shop, "orders.cancelled", order_id))
        return "cancelled"

    def time_out(self, now: int) -> None:
        for (shop, order_id), order in self.orders.items():
            if order.state == "placed" and order.expires_at <= now:
                self.cancel(shop, order_id, None, now)

    def ship(self, shop: int, order_id: Any, shipment: tuple[str, str], now: int) -> Code:
        order = self.orders.get((shop, order_id))
        if order is None:
            return "not_found"
        if order.state == "shipped":
            order.shipment = shipment
            return "shipped"
        if order.state != "paid":
            return "wrong_state"
        if self._open(shop, order_id):
            return "refund_open"
        order.state, order.shipment, order.shipped_at, order.due_at = "shipped", shipment, now, now + RECEIPT_S
        self.events.append((shop, "orders.shipped", order_id))
        return "shipped"

    def receive(self, shop: int, order_id: Any, buyer: int | None, now: int) -> Code:
        order = self._visible(shop, order_id, buyer)
        if order is None:
            return "not_found"
        if order.state == "received":
            return "received"
        if order.state != "shipped":
            return "wrong_state"
        order.state, order.received_at, order.due_at = "received", now, now + WINDOW_S
        self.events.append((shop, "orders.received", order_id))
        return "received"

    def meet_deadlines(self, now: int) -> None:
        for (shop, order_id), order in self.orders.items():
            if order.due_at is None or order.due_at > now:
                continue
            if order.state == "shipped":
                self.receive(shop, order_id, None, now)
            elif order.state == "received" and self._open(shop, order_id):
                order.due_at = now + LATER_S
            else:
                order.due_at = None
                if order.state == "received":
                    order.state, order.closed_at = "completed", now
                    self.events.append((shop, "orders.completed", order_id))

    def _visible(self, shop: int, order_id: Any, buyer: int | None) -> Order | None:
        order = self.orders.get((shop, order_id))
        return order if order is not None and buyer in (None, order.wanted.buyer) else None

    # After-sales.

    def _open(self, shop: int, order_id: Any) -> bool:
        return any(refund.open for refund in self.refunds_of(shop, order_id))

    def refunds_of(self, shop: int, order_id: Any) -> Iterator[Refund]:
        return (refund for (at, _), refund in self.refunds.items() if (at, refund.order) == (shop, order_id))

    def ask(self, shop: int, order_id: Any, asked: Asked, now: int, *, by_shop: bool) -> Code:
        order = self._visible(shop, order_id, None if by_shop else asked.person)
        if order is None:
            return "not_found"
        before = self.refunds.get((shop, asked.id))
        if before is not None:
            return before.state if (before.order, before.asked) == (order_id, asked) else "id_reused"
        if order.state not in ("paid", "shipped", "received"):
            return "wrong_state"
        if order.received_at is not None and now >= order.received_at + WINDOW_S:
            return "after_sales_over"
        if self._open(shop, order_id):
            return "refund_open"
        if asked.kind == "return" and order.state == "paid":
            return "invalid"
        wrong = self._wrong_lines(order, asked)
        if wrong is not None:
            return wrong
        rest = {number: line.worth - line.refunded for number, line in enumerate(order.lines, 1)}
        goods = {number: line.quantity - line.returned for number, line in enumerate(order.lines, 1)}
        freight_left = order.freight - order.freight_back
        freight = freight_left if asked.lines is None else asked.freight
        if freight > freight_left:
            return "refund_too_large"
        money = sum(rest.values()) if asked.lines is None else sum(amount for _, amount, _ in asked.lines)
        if money + freight == 0:
            return "refund_too_large"
        ends = money + freight == order.total - order.refunded
        if ends and order.state == "paid":
            lines = tuple((number, rest[number], goods[number]) for number in rest if rest[number] or goods[number])
        elif asked.lines is None:
            back = asked.kind == "return"
            lines = tuple((number, rest[number], goods[number] if back else 0) for number in rest if rest[number])
        else:
            lines = asked.lines
        refund = self.refunds[shop, asked.id] = Refund(asked, order_id, lines, freight, now)
        fair = order.state == "paid" and (
            ends
            or (order.freight and not freight and all(a <= order.lines[n - 1].price * q for n, a, q in refund.lines))
        )
        if asked.kind == "refund_only" and (by_shop or fair):
            self._agree(shop, asked.id, now)
        return refund.state

    def _wrong_lines(self, order: Order, asked: Asked) -> Code | None:
        numbers = [number for number, _, _ in asked.lines or ()]
        if len(numbers) > len(set(numbers)):
            return "invalid"
        for number, amount, quantity in asked.lines or ():
            if not 1 <= number <= len(order.lines):
                return "invalid"
            line = order.lines[number - 1]
            if amount > line.worth - line.refunded or quantity > line.quantity - line.returned:
                return "refund_too_large"
            if quantity and asked.kind == "refund_only" and order.state != "paid":
                return "invalid"
        return None

    def _agree(self, shop: int, refund_id: Any, now: int) -> None:
        refund = self.refunds[shop, refund_id]
        order = self.orders[shop, refund.order]
        for number, amount, quantity in refund.lines:
            line = order.lines[number - 1]
            line.refunded += amount
            line.returned += quantity
            self.skus[shop, line.sku].sold -= quantity
            self._count(shop, order.wanted.buyer, line, -quantity)
        order.freight_back += refund.freight
        if order.refunded == order.total:
            order.state, order.closed_at = "refunded", now
        refund.state, refund.decided_at = "refunding", now
        assert order.payment is not None
        self.money[shop, refund_id] = Money(order.payment, refund.amount)
        self.transfers[shop, refund.order, "refund_agreed", refund.amount] += 1
        self.events.append((shop, "orders.refund_agreed", refund_id))

    def decide(self, shop: int, refund_id: Any, action: str, buyer: int | None, now: int) -> Code:
        refund = self.refunds.get((shop, refund_id))
        if refund is None or self._visible(shop, refund.order, buyer) is None:
            return "not_found"
        done = {
            "agree": ("refunding", "refunded") if refund.asked.kind == "refund_only" else ("awaiting_return",),
            "take back": ("refunding", "refunded"),
            "decline": ("declined",),
            "withdraw": ("withdrawn",),
        }[action]
        if refund.state in done:
            return refund.state
        pays = {("agree", "requested"): refund.asked.kind == "refund_only", ("take back", "awaiting_return"): True}
        if not refund.open or (action == "take back" and refund.state == "requested"):
            return "wrong_state"
        if pays.get((action, refund.state)):
            self._agree(shop, refund_id, now)
        else:
            refund.state, refund.decided_at = done[0], now
        return refund.state

    # What the provider does with money that goes back, and what is told of it.

    def refund_word(self, shop: int, origin: Any, word: str) -> None:
        money = self.money[shop, origin]
        following = {
            ("pending", "processing"): "sent",
            ("pending", "failed"): "failed",
            ("sent", "failed"): "failed",
            ("failed", "retry"): "pending",
        }
        if word == "succeeded" and money.state != "succeeded":
            money.state = "succeeded"
            self.events.append((shop, "payments.refunded", origin))
        else:
            money.state = following.get((money.state, word), money.state)

    def relay(self, now: int) -> None:
        """Hand over all that is in the outbox; what that emits stays for the next time."""
        told, self.events = self.events, []
        for shop, topic, subject in told:
            if topic == "orders.part_paid":
                self.pay(*subject, now)
            elif topic == "payments.refunded":
                self.confirm(shop, subject, now)

    def confirm(self, shop: int, origin: Any, now: int) -> None:
        item = self.refunds.get((shop, origin)) or self.strays[shop, *origin]
        if item.refunded_at is not None:
            return
        item.refunded_at = now
        if isinstance(item, Refund):
            item.state = "refunded"
        self.transfers[shop, item.order, "refund_paid", item.amount] += 1

    def order_of(self, shop: int, origin: Any) -> Any:
        """The order that money goes back for."""
        refund = self.refunds.get((shop, origin))
        return refund.order if refund else self.strays[shop, *origin].order

    # What follows from all that.

    def balances(self) -> dict[tuple[int, str], int]:
        ways = {
            "paid": ("provider", "escrow"),
            "refund_agreed": ("escrow", "buyer_refund"),
            "refund_paid": ("buyer_refund", "provider"),
        }
        balances: Counter[tuple[int, str]] = Counter()
        for (shop, _, reason, amount), times in self.transfers.items():
            debit, credit = ways[reason]
            balances[shop, debit] -= amount * times
            balances[shop, credit] += amount * times
        return {account: balance for account, balance in balances.items() if balance}
