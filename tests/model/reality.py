"""The real platform as the model's driver meets it: commands on the database, and everything that they left there."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec.structs import replace
from plain import HOLD_S, RECEIPT_S, WINDOW_S, Asked, Freight, Key, Plain, Wanted, Word

from fairwind.inventory import AdjustmentDraft, set_buyer_limit
from fairwind.inventory.commands import Adjusting, adjust
from fairwind.kernel import (
    Database,
    Event,
    Fen,
    PersonId,
    Platform,
    Query,
    Refused,
    Settings,
    ShopId,
    SkuId,
    Transaction,
)
from fairwind.orders import LineDraft, OrderDraft, Orders, Placing
from fairwind.orders.commands.after_sales import Asking, Deciding, ask_refunds, confirm_refunds, decide_refunds
from fairwind.orders.commands.delivery import Cancelling, Receiving, ShipmentDraft, Shipping, cancel, receive, ship
from fairwind.orders.commands.paying import deliver, pay
from fairwind.orders.commands.placing import place
from fairwind.orders.events import PART_PAID
from fairwind.orders.payment import Arrival
from fairwind.orders.pricing import FreightRule
from fairwind.orders.refund import RefundDraft, RefundLineDraft
from fairwind.orders.states import RefundAction
from fairwind.payments import Draft, Notice, Part, Refunded, create
from fairwind.payments.commands import record_refunds
from fairwind.payments.refund import RefundTold
from market import ADDRESS, broken, open_shop

T = TypeVar("T")

START = datetime(2020, 6, 18, 12, tzinfo=UTC)
HOLD_TTL, RECEIPT_AFTER, WINDOW = (timedelta(seconds=seconds) for seconds in (HOLD_S, RECEIPT_S, WINDOW_S))


class ModelClock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.seconds = 0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


def id_of(number: int) -> UUID:
    """The UUIDv7 that stands for a number of the driver's."""
    return UUID(int=7 << 76 | 2 << 62 | number)


def number_of(name: UUID | None) -> int | None:
    return None if name is None else name.int & 0xFFFF_FFFF


class Reality:
    """Commands with the driver's numbers in and codes out."""

    def __init__(self, url: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._database = Database(url)
        self.do(self._database.open())
        self.reset()

    def reset(self) -> None:
        """A new world: no shops, no orders, and time starts again."""
        self.clock = ModelClock()
        platform = Platform(self._database, self.clock, Settings())
        self._orders = Orders(platform, None, None)  # type: ignore[arg-type]
        self._relay = platform.relay
        self._relay.subscribe(PART_PAID, self._orders.pay_part)
        self._relay.subscribe("payments.refunded", confirm_refunds)
        self.do(self._database.run(lambda tx: tx.execute(f"TRUNCATE {_TABLES} CASCADE")))  # type: ignore[arg-type]

    def close(self) -> None:
        self.do(self._database.close())
        self._loop.close()

    def do(self, work: Coroutine[Any, Any, T] | Awaitable[T]) -> T:
        return self._loop.run_until_complete(work)  # type: ignore[arg-type]

    def _batch(
        self,
        command: Callable[..., Awaitable[Sequence[Any]]],
        shop: int,
        items: Iterable[Any],
        *more: timedelta,
    ) -> list[str]:
        batch, now = list(items), self.clock.now()
        return [_code(each) for each in self.do(self._database.run(lambda tx: command(tx, shop, batch, now, *more)))]

    # Shops and stock.

    def open_shop(self, *stock: int) -> tuple[int, tuple[int, ...]]:
        shop = self.do(open_shop(self._database, *stock))
        return shop.id, shop.sku_ids

    def offer(self, shop: int, sku: int, price: int, *, on_shelf: bool) -> None:
        async def work(tx: Transaction) -> None:
            await tx.execute(
                "UPDATE catalog.sku SET price_fen = %s, on_shelf = %s WHERE shop_id = %s AND id = %s",
                (price, on_shelf, shop, sku),
            )

        self.do(self._database.run(work))

    def set_freight(self, shop: int, rule: Freight) -> None:
        self.do(self._orders.set_freight_rule(ShopId(shop), FreightRule(rule.flat, rule.free_from, rule.regions)))

    def limit(self, shop: int, sku: int, limit: int | None) -> None:
        self.do(self._database.run(lambda tx: set_buyer_limit(tx, ShopId(shop), SkuId(sku), limit)))

    def adjust(self, shop: int, items: Iterable[tuple[int, int, int, str]]) -> list[str]:
        return self._batch(
            adjust,
            shop,
            (
                Adjusting(SkuId(sku), AdjustmentDraft(id_of(number), quantity, reason), PersonId(1))
                for number, sku, quantity, reason in items
            ),
        )

    # Orders and payments.

    def place(self, shop: int, items: Iterable[Wanted]) -> list[str]:
        return self._batch(place, shop, map(_placing, items), HOLD_TTL)

    def create_payment(self, home: int, number: int, parts: Iterable[tuple[int, int, int]]) -> str:
        paid = tuple(Part(ShopId(shop), id_of(order), Fen(amount)) for shop, order, amount in parts)
        return self._batch(create, home, [Draft(id_of(number), PersonId(1), paid, self.clock.now())])[0]

    def deliver(self, home: int, words: Iterable[Word]) -> list[str]:
        now = self.clock.now()
        return self._batch(
            deliver,
            home,
            (
                Notice(id_of(word.payment), ShopId(home), Fen(word.amount), word.outcome, word.reference, now)  # type: ignore[arg-type]
                for word in words
            ),
        )

    def pay(self, shop: int, arrivals: Iterable[tuple[int, Key, int]]) -> None:
        self._batch(
            pay,
            shop,
            (
                Arrival(id_of(order), ShopId(home), id_of(number), Fen(amount))
                for order, (home, number), amount in arrivals
            ),
        )

    def cancel(self, shop: int, items: Iterable[tuple[int, int | None]]) -> list[str]:
        return self._batch(cancel, shop, (Cancelling(id_of(order), _person(buyer)) for order, buyer in items))

    def ship(self, shop: int, items: Iterable[tuple[int, tuple[str, str]]]) -> list[str]:
        return self._batch(
            ship, shop, (Shipping(id_of(order), ShipmentDraft(*how)) for order, how in items), RECEIPT_AFTER
        )

    def receive(self, shop: int, items: Iterable[tuple[int, int | None]]) -> list[str]:
        return self._batch(receive, shop, (Receiving(id_of(order), _person(buyer)) for order, buyer in items), WINDOW)

    def ask(self, shop: int, items: Iterable[tuple[int, Asked, bool]]) -> list[str]:
        return self._batch(ask_refunds, shop, (_asking(*item) for item in items), WINDOW)

    def decide(self, shop: int, items: Iterable[tuple[int, str, int | None]]) -> list[str]:
        return self._batch(
            decide_refunds,
            shop,
            (Deciding(id_of(refund), RefundAction(action), "", _person(buyer)) for refund, action, buyer in items),
        )

    # What happens by itself.

    def time_out(self) -> None:
        self.do(self._orders.time_out_unpaid())

    def meet_deadlines(self) -> None:
        self.do(self._orders.meet_deadlines())

    def relay(self) -> None:
        self.do(self._relay.drain())

    def refund_words(self, shop: int, words: Iterable[tuple[UUID, str]]) -> None:
        self._batch(record_refunds, shop, (RefundTold(origin, 0, word, "no") for origin, word in words))  # type: ignore[arg-type]

    def confirm(self, shop: int, refund: UUID, order: int, amount: int) -> None:
        """Hear that money went back, twice at once."""
        told = msgspec.Raw(msgspec.json.encode(Refunded(refund, id_of(order), id_of(0), Fen(amount))))  # type: ignore[arg-type]
        event = Event(id_of(0), ShopId(shop), "payments.refunded", told, self.clock.now())  # type: ignore[arg-type]
        now = self.clock.now()
        self.do(self._database.run(lambda tx: confirm_refunds(tx, ShopId(shop), [event, event], now)))

    # What is there.

    def state(self, shops: Sequence[int]) -> dict[str, Any]:
        """Everything that the shops have in the database, by what it is."""
        ids = {"shops": list(shops)}
        queries = [Query(sql, ids, list) for sql in _READS.values()]  # type: ignore[arg-type]
        answers = dict(zip(_READS, self.do(self._read(queries)), strict=True))
        return {name: Counter(tuple(map(_plain, row)) for row in rows) for name, rows in answers.items()}

    def stray_ids(self, shops: Sequence[int]) -> dict[tuple[int, int, Key], UUID]:
        rows = self.do(self._read([Query(_STRAY_IDS, {"shops": list(shops)}, list)]))[0]
        return {
            (row.shop_id, number_of(row.order_id), (row.payment_shop_id, number_of(row.payment_id))): row.id
            for row in rows
        }

    def audit(self, shops: Sequence[int]) -> list[tuple[str, Any]]:
        """The invariants that are broken in these shops, each with a row that breaks it."""

        async def work() -> list[tuple[str, Any]]:
            async with self._database.transaction() as tx:
                return await broken(tx, shops)

        return self.do(work())

    async def _read(self, queries: Sequence[Query[Any]]) -> list[Any]:
        async with self._database.transaction() as tx:
            return await tx.together(*queries)


def expected(model: Plain) -> dict[str, Any]:
    """What `Reality.state` answers when all is as the model says."""
    orders, refunds = model.orders, model.refunds
    return {
        "stock": Counter(
            (shop, sku, stock.adjusted, stock.sold, stock.held, stock.limit, stock.left > 0)
            for (shop, sku), stock in model.skus.items()
        ),
        "adjustments": Counter((shop, number, *content) for (shop, number), content in model.adjustments.items()),
        "holds": Counter(
            (shop, number, sku, quantity, order.expires_at)
            for (shop, number), order in orders.items()
            if order.state == "placed"
            for sku, quantity in order.quantities().items()
        ),
        "bought": Counter((*pair, quantity) for pair, quantity in model.bought.items() if quantity),
        "orders": Counter(
            (
                *(shop, number, order.wanted.buyer, order.state, order.goods, order.freight, order.total),
                *(order.refunded, order.freight_back, order.placed_at, order.expires_at, order.paid_at),
                *(order.payment or (None, None)),
                *(order.shipped_at, *(order.shipment or (None, None)), order.received_at),
                *(order.closed_at, order.reason),
            )
            for (shop, number), order in orders.items()
        ),
        "lines": Counter(
            (shop, number, line_no, line.sku, line.quantity, line.price, line.limited, line.refunded, line.returned)
            for (shop, number), order in orders.items()
            for line_no, line in enumerate(order.lines, 1)
        ),
        "deadlines": Counter(
            (shop, n, order.due_at) for (shop, n), order in orders.items() if order.due_at is not None
        ),
        "refunds": Counter(
            (
                *(shop, number, refund.order, refund.asked.kind, refund.state, refund.freight, refund.amount),
                *(refund.asked.person, refund.asked_at, refund.decided_at, refund.refunded_at),
            )
            for (shop, number), refund in refunds.items()
        ),
        "refund lines": Counter(
            (shop, number, line_no, quantity, amount)
            for (shop, number), refund in refunds.items()
            for line_no, amount, quantity in refund.lines
        ),
        "strays": Counter(
            (shop, order, *payment, stray.amount, stray.reason, stray.arrived_at, stray.refunded_at)
            for (shop, order, payment), stray in model.strays.items()
        ),
        "accounts": Counter((*account, balance) for account, balance in model.balances().items()),
        "transfers": model.transfers,
        "payments": Counter(
            (shop, number, payment.amount, payment.state, payment.reference)
            for (shop, number), payment in model.payments.items()
        ),
        "discrepancies": Counter(model.discrepancies),
        "money": Counter((shop, *money.payment, money.amount, money.state) for (shop, _), money in model.money.items()),
        "events": Counter((shop, topic, _subject(topic, subject)) for shop, topic, subject in model.events),
    }


def _subject(topic: str, subject: Any) -> int | None:
    """What the outbox shows of an event: its order's or refund's number; a stray's refund has none."""
    if topic == "orders.part_paid":
        return int(subject[1])
    return subject if isinstance(subject, int) else None


_TABLES = """
    kernel.outbox, catalog.shop, ledger.account, ledger.transfer, inventory.stock, inventory.hold, inventory.bought,
    payments.payment, payments.discrepancy, payments.refund_cap, orders.freight_rule, orders.shop_order, orders.line,
    orders.deadline, orders.stray_payment"""
_READS = {
    "stock": """
        SELECT stock.shop_id, sku_id, adjusted_quantity, sold_quantity, held_quantity, buyer_limit, in_stock
        FROM inventory.stock JOIN catalog.sku ON sku.shop_id = stock.shop_id AND sku.id = sku_id
        WHERE stock.shop_id = ANY (%(shops)s)""",
    "adjustments": """
        SELECT shop_id, id, sku_id, quantity, reason FROM inventory.adjustment
        WHERE shop_id = ANY (%(shops)s) AND person_id IS NOT NULL""",
    "holds": """
        SELECT shop_id, order_id, sku_id, quantity, expires_at FROM inventory.hold WHERE shop_id = ANY (%(shops)s)""",
    "bought": """
        SELECT shop_id, sku_id, buyer_id, quantity FROM inventory.bought
        WHERE shop_id = ANY (%(shops)s) AND quantity <> 0""",
    "orders": """
        SELECT shop_id, id, buyer_id, state, goods_fen, freight_fen, total_fen, refunded_fen, refunded_freight_fen,
               placed_at, expires_at, paid_at, payment_shop_id, payment_id, shipped_at, carrier, tracking_number,
               received_at, closed_at, cancel_reason
        FROM orders.shop_order WHERE shop_id = ANY (%(shops)s)""",
    "lines": """
        SELECT shop_id, order_id, line_no, sku_id, quantity, price_fen, limited, refunded_fen, returned_quantity
        FROM orders.line WHERE shop_id = ANY (%(shops)s)""",
    "deadlines": "SELECT shop_id, order_id, due_at FROM orders.deadline WHERE shop_id = ANY (%(shops)s)",
    "refunds": """
        SELECT shop_id, id, order_id, kind, state, freight_fen, amount_fen, asked_by, asked_at, decided_at, refunded_at
        FROM orders.refund WHERE shop_id = ANY (%(shops)s)""",
    "refund lines": """
        SELECT shop_id, refund_id, line_no, quantity, amount_fen FROM orders.refund_line
        WHERE shop_id = ANY (%(shops)s)""",
    "strays": """
        SELECT shop_id, order_id, payment_shop_id, payment_id, amount_fen, reason, arrived_at, refunded_at
        FROM orders.stray_payment WHERE shop_id = ANY (%(shops)s)""",
    "accounts": """
        SELECT shop_id, kind, balance_fen FROM ledger.account WHERE shop_id = ANY (%(shops)s) AND balance_fen <> 0""",
    "transfers": "SELECT shop_id, order_id, reason, amount_fen FROM ledger.transfer WHERE shop_id = ANY (%(shops)s)",
    "payments": """
        SELECT shop_id, id, amount_fen, state, provider_ref FROM payments.payment WHERE shop_id = ANY (%(shops)s)""",
    "discrepancies": """
        SELECT shop_id, payment_id, code, provider_ref, amount_fen FROM payments.discrepancy
        WHERE shop_id = ANY (%(shops)s)""",
    "money": """
        SELECT shop_id, payment_shop_id, payment_id, amount_fen, state FROM payments.refund
        WHERE shop_id = ANY (%(shops)s)""",
    "events": """
        SELECT outbox.shop_id, topic,
               CASE topic WHEN 'orders.part_paid' THEN (payload #>> '{arrival,order_id}')::uuid
                          WHEN 'orders.refund_agreed' THEN (payload ->> 'refund_id')::uuid
                          WHEN 'payments.refunded' THEN refund.id
                          ELSE (payload ->> 'order_id')::uuid END AS subject
        FROM kernel.outbox
        LEFT JOIN orders.refund ON refund.shop_id = outbox.shop_id AND refund.id = (payload ->> 'refund_id')::uuid
        WHERE outbox.shop_id = ANY (%(shops)s)""",
}
_STRAY_IDS = """
    SELECT shop_id, id, order_id, payment_shop_id, payment_id FROM orders.stray_payment
    WHERE shop_id = ANY (%(shops)s)"""


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return number_of(value)
    if isinstance(value, datetime):
        return round((value - START).total_seconds())
    return value


def _code(outcome: Any) -> str:
    """A refusal's code; the state of what was answered; ok for what has none."""
    if isinstance(outcome, Refused):
        return outcome.code
    return str(getattr(outcome, "state", "ok"))


def _person(buyer: int | None) -> PersonId | None:
    return None if buyer is None else PersonId(buyer)


def _placing(wanted: Wanted) -> Placing:
    lines = tuple(LineDraft(SkuId(sku), quantity) for sku, quantity in wanted.lines)
    draft = OrderDraft(id_of(wanted.id), lines, replace(ADDRESS, region=wanted.region), wanted.total)
    return Placing(PersonId(wanted.buyer), draft, (None,) * len(lines))


def _asking(order: int, asked: Asked, by_shop: bool) -> Asking:
    lines = asked.lines and tuple(RefundLineDraft(*line) for line in asked.lines)
    draft = RefundDraft(id_of(asked.id), asked.kind, "不想要了", lines, asked.freight)  # type: ignore[arg-type]
    person = PersonId(asked.person)
    return Asking(id_of(order), draft, person, None if by_shop else person)
