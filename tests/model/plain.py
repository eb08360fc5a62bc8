"""The platform's trade as plain Python: what should happen, said a second time and in another way.

Nothing here comes from the code under test. Time is a number of seconds, a refusal is its code, an id is whatever the
driver uses. Every command is applied item by item, as if each came alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from earned import NOTHING, Account, Earned, Terms, cut
from granted import Grant, Granted
from promised import Commission, Promised

HOLD_S = 15 * 60
RECEIPT_S = 10 * 86_400
WINDOW_S = 15 * 86_400
LATER_S = 3600
DEBT_MAX = 5_000
"""What a shop may come to owe by what it gives back after its sales have settled."""

Key = tuple[int, Any]
"""A shop and an id in it."""
Code = str


@dataclass
class Sku:
    """window: how long after receipt its goods may come back."""

    price: int
    product: int = 0
    window: int = WINDOW_S
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


class WantedLine(NamedTuple):
    """host, shown: who showed which product, where the buyer saw it."""

    sku: int
    quantity: int
    host: int | None = None
    shown: int | None = None


@dataclass(frozen=True)
class Wanted:
    """An order as a buyer sends it."""

    id: Any
    buyer: int
    lines: tuple[WantedLine, ...]
    region: str
    total: int | None = None


@dataclass
class Line:
    """What was sold, and on what terms. reason: why who showed it earns of it, or why nobody does."""

    sku: int
    quantity: int
    price: int
    limited: bool
    window: int = WINDOW_S
    host: int | None = None
    fee_rule: int = 0
    terms: Terms = NOTHING
    reason: str | None = None
    grants: tuple[Grant, ...] = ()
    refunded: int = 0
    returned: int = 0

    @property
    def worth(self) -> int:
        return self.price * self.quantity

    @property
    def subsidy(self) -> int:
        return sum(grant.amount for grant in self.grants)

    @property
    def paid(self) -> int:
        return self.worth - self.subsidy

    @property
    def left(self) -> int:
        return self.paid - self.refunded

    def refund(self, amount: int) -> list[Grant]:
        """Count that much as given back to the buyer; answers what that gives back to whoever added to it."""
        before, self.refunded = self.refunded, self.refunded + amount
        parts = [
            grant._replace(amount=cut(grant.amount, self.refunded, self.paid) - cut(grant.amount, before, self.paid))
            for grant in self.grants
        ]
        return [part for part in parts if part.amount]


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
    def subsidy(self) -> int:
        return sum(line.subsidy for line in self.lines)

    @property
    def grants(self) -> list[Grant]:
        return [grant for line in self.lines for grant in line.grants]

    @property
    def total(self) -> int:
        return self.goods - self.subsidy + self.freight

    @property
    def window(self) -> int:
        """The longest of its lines."""
        return max(line.window for line in self.lines)

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

    def __init__(self, skus: dict[Key, Sku], promised: Promised) -> None:
        self.skus = skus
        self.promised = promised
        self.granted = Granted()
        self.freight: dict[int, Freight] = {}
        self.adjustments: dict[Key, tuple[int, int, str]] = {}
        self.bought: Counter[tuple[int, int, int]] = Counter()
        self.orders: dict[Key, Order] = {}
        self.refunds: dict[Key, Refund] = {}
        self.strays: dict[tuple[int, Any, Key], Stray] = {}
        self.payments: dict[Key, Payment] = {}
        self.discrepancies: set[tuple[int, Any, str, str, int]] = set()
        self.money: dict[Key, Money] = {}
        self.transfers: Counter[tuple[int, Any, str, Account, Account]] = Counter()
        self.earned = Earned(self.transfers)
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
        for line in wanted.lines:
            if (shop, line.sku) not in self.skus:
                return "not_found"
            if not self.skus[shop, line.sku].on_shelf:
                return "off_shelf"
            if line.host is not None and line.shown != self.skus[shop, line.sku].product:
                return "placement_mismatch"
        lines = [self._sold(shop, line, now) for line in wanted.lines]
        order = Order(wanted, lines, 0, now, now + HOLD_S)
        lacking = self._lacking(shop, order)
        if lacking:
            return lacking
        wares = [(line.price, line.quantity) for line in lines]
        for line, grants in zip(lines, self.granted.grants(shop, wanted.buyer, wares, now), strict=True):
            line.grants = grants
        order.freight = self.freight_of(shop, order.goods, wanted.region)
        if wanted.total not in (None, order.total):
            return "total_changed"
        for sku, quantity in order.quantities().items():
            self.skus[shop, sku].held += quantity
        for line in lines:
            self._count(shop, wanted.buyer, line, line.quantity)
        there = self.granted.take(shop, wanted.buyer, order.grants, now)
        assert there
        self.orders[shop, wanted.id] = order
        self.events.append((shop, "orders.placed", wanted.id))
        return "placed"

    def _sold(self, shop: int, wanted: WantedLine, now: int) -> Line:
        """A line with the terms of this moment, without what others add to it."""
        stock, fee = self.skus[shop, wanted.sku], self.promised.fee(shop, now)
        line = Line(
            *(wanted.sku, wanted.quantity, stock.price, stock.limit is not None, stock.window, wanted.host, fee.rule),
            Terms(fee.ppm),
        )
        if wanted.host is not None:
            earned = self.promised.earned(shop, stock.product, wanted.host, now)
            if isinstance(earned, Commission):
                line.terms = Terms(fee.ppm, wanted.host, earned, self.promised.mcns.get(wanted.host))
            line.reason = "placement" if isinstance(earned, Commission) else earned
        return line

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
        escrow = ("escrow", 0)
        self.earned.post(shop, order_id, "paid", ("provider", 0), escrow, amount)
        reason = self._turned_away(shop, order, now)
        if reason is not None:
            self.strays[shop, order_id, payment] = Stray(order_id, payment, amount, reason, now)
            self.earned.post(shop, order_id, "refund_agreed", escrow, ("buyer_refund", 0), amount)
            self.money[shop, (order_id, payment)] = Money(payment, amount)
            return
        for sku, quantity in order.quantities().items():
            if order.state == "placed":
                self.skus[shop, sku].held -= quantity
            self.skus[shop, sku].sold += quantity
        if order.state == "cancelled":
            for line in order.lines:
                self._count(shop, order.wanted.buyer, line, line.quantity)
        for grant in order.grants:
            self.earned.post(shop, order_id, "subsidised", ("subsidy", grant.funder), escrow, grant.amount)
        order.state, order.paid_at, order.payment = "paid", now, payment
        order.closed_at = order.reason = None
        self.events.append((shop, "orders.paid", order_id))

    def _turned_away(self, shop: int, order: Order, now: int) -> Code | None:
        if order.state == "placed":
            return None
        if order.state != "cancelled":
            return "paid_twice"
        if order.reason == "buyer":
            return "cancelled"
        if self._lacking(shop, order):
            return "sold_out"
        return None if self.granted.take(shop, order.wanted.buyer, order.grants, now) else "subsidy_over"

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
        self.granted.give_back(shop, order.wanted.buyer, order.grants)
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
        order.state, order.received_at, order.due_at = "received", now, now + order.window
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

    def ask(self, shop: int, items: Iterable[tuple[Any, Asked, bool]], now: int) -> list[Code]:
        """As orders, what is asked and whether by the shop. What the shop can lend is reckoned once for them all."""
        self._credit = self._credit_of(shop)
        return [self._ask(shop, order_id, asked, now, by_shop=by_shop) for order_id, asked, by_shop in items]

    def _ask(self, shop: int, order_id: Any, asked: Asked, now: int, *, by_shop: bool) -> Code:
        order = self._visible(shop, order_id, None if by_shop else asked.person)
        if order is None:
            return "not_found"
        before = self.refunds.get((shop, asked.id))
        if before is not None:
            return before.state if (before.order, before.asked) == (order_id, asked) else "id_reused"
        if order.state not in ("paid", "shipped", "received", "completed"):
            return "wrong_state"
        if self._open(shop, order_id):
            return "refund_open"
        if asked.kind == "return" and order.state == "paid":
            return "invalid"
        over = set() if by_shop else self._over(order, now)
        if len(over) == len(order.lines):
            return "after_sales_over"
        wrong = self._wrong_lines(order, asked, over)
        if wrong is not None:
            return wrong
        rest = {number: line.left for number, line in enumerate(order.lines, 1) if number not in over}
        goods = {number: line.quantity - line.returned for number, line in enumerate(order.lines, 1)}
        freight_left = order.freight - order.freight_back
        freight = asked.freight
        if asked.lines is None:
            freight = 0 if over else freight_left
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
        refund = Refund(asked, order_id, lines, freight, now)
        if by_shop and self._over(order, now):
            if self._given(order, refund) > self._credit:
                return "shop_owes"
            self._credit -= self._given(order, refund)
        self.refunds[shop, asked.id] = refund
        fair = order.state == "paid" and (
            ends or (order.freight and not freight and all(_at_price(order.lines[n - 1], a, q) for n, a, q in lines))
        )
        if asked.kind == "refund_only" and (by_shop or fair):
            self._agree(shop, asked.id, now)
        return refund.state

    def _credit_of(self, shop: int) -> int:
        """What the shop can give back of what has settled: what it has, or may owe beside what it owes already."""
        swept = [each.amount for each in self.earned.swept if (each.payee, each.payout) == (("shop", shop), None)]
        return self.balances().get((shop, ("shop", 0)), 0) + min(sum(swept), 0) + DEBT_MAX

    @staticmethod
    def _given(order: Order, refund: Refund) -> int:
        """What the refund takes, with what goes back to those who added to the price."""
        grants = [grant for no, amount, _ in refund.lines for grant in deepcopy(order.lines[no - 1]).refund(amount)]
        return refund.amount + sum(grant.amount for grant in grants)

    def _over(self, order: Order, now: int) -> set[int]:
        """The lines whose time to come back has passed."""
        if order.received_at is None:
            return set()
        return {number for number, line in enumerate(order.lines, 1) if now >= order.received_at + line.window}

    def _wrong_lines(self, order: Order, asked: Asked, over: set[int]) -> Code | None:
        numbers = [number for number, _, _ in asked.lines or ()]
        if len(numbers) > len(set(numbers)):
            return "invalid"
        for number, amount, quantity in asked.lines or ():
            if number in over:
                return "after_sales_over"
            if not 1 <= number <= len(order.lines):
                return "invalid"
            line = order.lines[number - 1]
            if amount > line.left or quantity > line.quantity - line.returned:
                return "refund_too_large"
            if quantity and asked.kind == "refund_only" and order.state != "paid":
                return "invalid"
        return None

    def _agree(self, shop: int, refund_id: Any, now: int) -> None:
        refund = self.refunds[shop, refund_id]
        order = self.orders[shop, refund.order]
        name = (shop, refund.order)
        for number, amount, quantity in refund.lines:
            line = order.lines[number - 1]
            grants = line.refund(amount)
            if amount:
                self.granted.give_back(shop, order.wanted.buyer, grants)
                self.earned.give_back((*name, number), refund_id, amount, grants, now)
            line.returned += quantity
            self.skus[shop, line.sku].sold -= quantity
            self._count(shop, order.wanted.buyer, line, -quantity)
        if refund.freight:
            order.freight_back += refund.freight
            self.earned.give_back((*name, 0), refund_id, refund.freight, [], now)
        if order.refunded == order.total:
            order.state, order.closed_at = "refunded", now
        refund.state, refund.decided_at = "refunding", now
        assert order.payment is not None
        self.money[shop, refund_id] = Money(order.payment, refund.amount)
        self.events.append((shop, "orders.refund_agreed", refund_id))

    def decide(self, shop: int, items: Iterable[tuple[Any, str, int | None]], now: int) -> list[Code]:
        """As orders, what is decided, and by which buyer or by the shop."""
        self._credit = self._credit_of(shop)
        return [self._decide(shop, *item, now) for item in items]

    def _decide(self, shop: int, refund_id: Any, action: str, buyer: int | None, now: int) -> Code:
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
            order = self.orders[shop, refund.order]
            if refund.asked.person != order.wanted.buyer and self._over(order, now):
                if self._given(order, refund) > self._credit:
                    return "shop_owes"
                self._credit -= self._given(order, refund)
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
            elif topic == "orders.received":
                self.note_due(shop, subject)
            elif topic == "settlement.paid_out":
                self.earned.note_paid_out(shop, subject[0], now)

    def confirm(self, shop: int, origin: Any, now: int) -> None:
        item = self.refunds.get((shop, origin)) or self.strays[shop, *origin]
        if item.refunded_at is not None:
            return
        item.refunded_at = now
        if isinstance(item, Refund):
            item.state = "refunded"
        self.earned.post(shop, item.order, "refund_paid", ("buyer_refund", 0), ("provider", 0), item.amount)

    def order_of(self, shop: int, origin: Any) -> Any:
        """The order that money goes back for."""
        refund = self.refunds.get((shop, origin))
        return refund.order if refund else self.strays[shop, *origin].order

    # Settling and paying out.

    def note_due(self, shop: int, order_id: Any) -> None:
        order = self.orders[shop, order_id]
        assert order.received_at is not None
        windows = {number: line.window for number, line in enumerate(order.lines, 1)}
        if order.freight:
            windows[0] = order.window
        for number, window in windows.items():
            self.earned.due.setdefault((shop, order_id, number), order.received_at + window)

    def settle(self, now: int) -> None:
        """Whatever is due; while the buyer waits for a refund, an order is looked at again in an hour."""
        for key in [key for key, due_at in self.earned.due.items() if due_at <= now]:
            shop, order_id, number = key
            order = self.orders[shop, order_id]
            asked = [each for each in self.refunds_of(shop, order_id) if each.open]
            if any(each.asked.person == order.wanted.buyer for each in asked):
                self.earned.due[key] = now + LATER_S
            elif number == 0:
                self.earned.settle(key, order.freight, order.freight_back, (), NOTHING, now)
            else:
                line = order.lines[number - 1]
                self.earned.settle(key, line.paid, line.refunded, line.grants, line.terms, now)

    def gather(self, now: int) -> None:
        self.earned.gather(self.balances(), now)

    def payout_word(self, key: tuple[str, int, int], attempt: int, word: str, now: int) -> str:
        for shop, amount in self.earned.payout_word(key, attempt, word, now):
            self.events.append((shop, "settlement.paid_out", (key, amount)))
        return self.earned.payouts[key].state

    # What follows from all that.

    def contended(self) -> bool:
        """Whether late money in several shops wants what campaigns have left: who comes first is not foretold."""
        late = {
            subject[0]
            for _, topic, subject in self.events
            if topic == "orders.part_paid" and self.orders[subject[:2]].state == "cancelled"
            if self.orders[subject[:2]].grants
        }
        return len(late) > 1

    def balances(self) -> dict[tuple[int, Account], int]:
        balances: Counter[tuple[int, Account]] = Counter()
        for (shop, _, _, debit, credit), amount in self.transfers.items():
            balances[shop, debit] -= amount
            balances[shop, credit] += amount
        return {account: balance for account, balance in balances.items() if balance}


def _at_price(line: Line, amount: int, quantity: int) -> bool:
    """Whether no more is asked than so many of its goods were paid."""
    return amount * line.quantity <= line.paid * quantity
