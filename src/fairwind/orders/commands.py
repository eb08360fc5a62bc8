"""Placing, paying, cancelling, shipping, receiving: each loads what a batch needs, decides, saves the outcome once.

Locks are taken in one order: stock by SKU id, orders by id, ledger accounts by name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.catalog import offers
from fairwind.inventory import Hold, Shelf, bought, holds_added, holds_removed, shelf_saved, stock_locked
from fairwind.kernel import (
    IdReused,
    NotFound,
    OrderId,
    PaymentId,
    PersonId,
    Query,
    RefundId,
    Refused,
    ShopId,
    Transaction,
    events_written,
    uuid7s,
)
from fairwind.ledger import BUYER_REFUND, ESCROW, PROVIDER, Transfer, transfers_posted
from fairwind.orders import events, store
from fairwind.orders.order import Order, Placing, content_hash
from fairwind.orders.payment import Arrival, Stray, arrive, goods_of
from fairwind.orders.pricing import price, priced_order
from fairwind.orders.refund import RefundOpen, is_open
from fairwind.orders.states import TRANSITIONS, Action, State, WrongState, after
from fairwind.payments import Draft, Notice, Part, Payment, RefundRequest, create, load, record, request_refunds

_DECISION_AWAITED = timedelta(hours=1)
"""An order with a refund that waits for a decision is looked at again so much later."""


class ShipmentDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the goods travel."""

    carrier: Annotated[str, Meta(min_length=1, max_length=64, examples=["顺丰速运"])]
    tracking_number: Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{4,64}$", examples=["SF1234567890"])]


class OrderKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names an order."""

    shop_id: Annotated[ShopId, Meta(ge=1)]
    order_id: OrderId


class Paying(msgspec.Struct, frozen=True):
    """A buyer wants one payment for these orders, one per shop."""

    payment_id: PaymentId
    buyer_id: PersonId
    orders: tuple[OrderKey, ...]

    @property
    def home(self) -> ShopId:
        """Where the payment will live."""
        return min(key.shop_id for key in self.orders)


class Cancelling(msgspec.Struct, frozen=True):
    """buyer_id: who asks, or None when the hold has expired."""

    order_id: OrderId
    buyer_id: PersonId | None


class Shipping(msgspec.Struct, frozen=True):
    order_id: OrderId
    shipment: ShipmentDraft


class Receiving(msgspec.Struct, frozen=True):
    """buyer_id: who says so, or None when the time to say so has passed."""

    order_id: OrderId
    buyer_id: PersonId | None


@dataclass
class Batch:
    """Orders under their locks, the shelf they stand on, and what a command changes of them."""

    shop_id: ShopId
    orders: dict[OrderId, Order]
    shelf: Shelf
    changed: dict[OrderId, Order] = field(default_factory=dict)
    unheld: list[OrderId] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    events: list[tuple[str, Any]] = field(default_factory=list)

    def change(self, order: Order) -> Order:
        self.orders[order.id] = self.changed[order.id] = order
        return order

    def saved(self, now: datetime) -> list[Query[Any]]:
        """What saves the batch, ledger last."""
        return [
            *shelf_saved(self.shop_id, self.shelf),
            *holds_removed(self.shop_id, self.unheld),
            *store.orders_changed(self.shop_id, list(self.changed.values())),
            *([events_written(self.shop_id, self.events, now)] if self.events else []),
            *transfers_posted(self.shop_id, self.transfers, now),
        ]


async def place(
    tx: Transaction, shop_id: ShopId, items: Sequence[Placing], now: datetime, hold_ttl: timedelta
) -> list[Order | Refused]:
    """Place orders: each that the shelf can serve is written with its lines, frozen prices and a hold on its stock.

    The order's id is the idempotency key: the same draft again answers the order as it stands, another draft under the
    same id is refused.
    """
    sku_ids = {line.sku_id for item in items for line in item.draft.lines}
    ids = [item.draft.id for item in items]
    stock, on_offer, rule, hashes = await tx.together(
        stock_locked(shop_id, sku_ids),
        offers(shop_id, sku_ids),
        store.freight_rule(shop_id),
        store.order_hashes(shop_id, ids),
    )
    shelf = Shelf(stock)
    if pairs := {(sku_id, item.buyer_id) for sku_id in shelf.limited(sku_ids) for item in items}:
        shelf.bought = await tx.ask(bought(shop_id, pairs))
    placed = await store.orders_by_id(tx, shop_id, hashes) if hashes else {}

    fresh: list[Order] = []
    fresh_hashes: list[bytes] = []
    holds: list[Hold] = []
    outcomes: list[Order | Refused] = []
    expires_at = now + hold_ttl
    for item in items:
        draft = item.draft
        digest = content_hash(draft, item.buyer_id)
        if draft.id in placed:
            same = hashes[draft.id] == digest
            outcomes.append(
                placed[draft.id] if same else IdReused(f"order {draft.id} was placed with other content; make a new id")
            )
            continue
        priced = price(item, on_offer, rule, shelf)
        if isinstance(priced, Refused):
            outcomes.append(priced)
            continue
        order = priced_order(shop_id, item, priced, now, expires_at)
        shelf.hold(priced.goods)
        holds += [Hold(order.id, sku_id, quantity) for sku_id, quantity in priced.goods.quantities.items()]
        placed[order.id] = order
        hashes[order.id] = digest
        fresh.append(order)
        fresh_hashes.append(digest)
        outcomes.append(order)
    if fresh:
        await tx.together(
            *shelf_saved(shop_id, shelf),
            *store.orders_added(shop_id, fresh, fresh_hashes, now),
            *holds_added(shop_id, holds, expires_at),
            events_written(shop_id, [(events.PLACED, events.placed(order)) for order in fresh], now),
        )
    return outcomes


async def start_payments(
    tx: Transaction, home: ShopId, items: Sequence[Paying], now: datetime
) -> list[Payment | Refused]:
    """Make payments that live in home; the same id and content again answers the same payment.

    Refusals: NotFound and WrongState, for an order that is not the buyer's or not to be paid; IdReused.
    """
    ids: dict[ShopId, set[OrderId]] = defaultdict(set)
    for item in items:
        for key in item.orders:
            ids[key.shop_id].add(key.order_id)
    orders = {shop_id: await store.orders_by_id(tx, shop_id, order_ids) for shop_id, order_ids in ids.items()}
    found = [[order_of(orders[key.shop_id], key.order_id, item.buyer_id) for key in item.orders] for item in items]
    made_before = await load(tx, home, [item.payment_id for item in items])
    drafts = [
        _payment_draft(item, wanted, again=item.payment_id in made_before)
        for item, wanted in zip(items, found, strict=True)
    ]
    made = iter(await create(tx, home, [draft for draft in drafts if isinstance(draft, Draft)], now))
    return [next(made) if isinstance(draft, Draft) else draft for draft in drafts]


def _payment_draft(paying: Paying, wanted: Sequence[Order | Refused], *, again: bool) -> Draft | Refused:
    """again: the payment was made before, so that its orders may have moved on since."""
    orders = []
    for order in wanted:
        if isinstance(order, Refused):
            return order
        orders.append(order)
    for order in orders:
        if order.state != State.PLACED and not again:
            return WrongState(f"order {order.id} is {order.state}, so it cannot be paid", state=order.state.value)
    parts = tuple(sorted(Part(order.shop_id, order.id, order.total_fen) for order in orders))
    return Draft(paying.payment_id, paying.buyer_id, parts, min(order.expires_at for order in orders))


async def deliver(tx: Transaction, shop_id: ShopId, notices: Sequence[Notice], now: datetime) -> list[Refused | None]:
    """Take the provider's notices for payments whose home is this shop, and pay the orders that they paid for.

    Parts that belong to another shop's orders travel there by the outbox, since a transaction touches one shop.
    """
    recorded = await record(tx, shop_id, notices, now)
    arrived = [
        (part, outcome.payment.id)
        for outcome in recorded
        if not isinstance(outcome, Refused) and outcome.newly and outcome.payment.state == "succeeded"
        for part in outcome.payment.parts
    ]
    elsewhere = [
        (events.PART_PAID, events.PartPaid(part.shop_id, _arrival(part, shop_id, payment_id)))
        for part, payment_id in arrived
        if part.shop_id != shop_id
    ]
    if elsewhere:
        await tx.ask(events_written(shop_id, elsewhere, now))
    mine = [_arrival(part, shop_id, payment_id) for part, payment_id in arrived if part.shop_id == shop_id]
    await pay(tx, shop_id, mine, now)
    return [outcome if isinstance(outcome, Refused) else None for outcome in recorded]


def _arrival(part: Part, payment_shop_id: ShopId, payment_id: Any) -> Arrival:
    return Arrival(part.order_id, payment_shop_id, payment_id, part.amount_fen)


async def pay(tx: Transaction, shop_id: ShopId, arrivals: Sequence[Arrival], now: datetime) -> list[None]:
    """Money arrived for orders of this shop. Repeating an arrival changes nothing."""
    if not arrivals:
        return []
    order_ids = {arrival.order_id for arrival in arrivals}
    batch, (strays_before,) = await load_with_stock(tx, shop_id, order_ids, store.strays_of(shop_id, order_ids))
    strays: list[Stray] = []
    for arrival, stray_id in zip(arrivals, uuid7s(now, len(arrivals)), strict=True):
        order = batch.orders[arrival.order_id]
        payment = (arrival.payment_shop_id, arrival.payment_id)
        if (order.payment_shop_id, order.payment_id) == payment or (order.id, *payment) in strays_before:
            continue
        outcome = arrive(order, arrival, batch.shelf, RefundId(stray_id), now)
        batch.transfers.append(Transfer(PROVIDER, ESCROW, arrival.amount_fen, "paid", order.id))
        if isinstance(outcome, Stray):
            strays.append(outcome)
            strays_before.add((order.id, *payment))
            batch.transfers.append(Transfer(ESCROW, BUYER_REFUND, arrival.amount_fen, "refund_agreed", order.id))
        else:
            batch.change(outcome)
            batch.unheld.append(order.id)
            batch.events.append((events.PAID, events.paid(outcome)))
    await tx.together(*batch.saved(now), *store.strays_added(shop_id, strays, now))
    if strays:
        requests = [RefundRequest(s.id, s.payment_shop_id, s.payment_id, s.order_id, s.amount_fen) for s in strays]
        for refused in await request_refunds(tx, shop_id, requests, now):
            assert refused is None, f"a stray goes back in full: {refused}"
    return [None] * len(arrivals)


async def cancel(tx: Transaction, shop_id: ShopId, items: Sequence[Cancelling], now: datetime) -> list[Order | Refused]:
    """Cancel unpaid orders, by their buyers or because the hold expired; the stock is for sale again at once."""
    batch, _ = await load_with_stock(tx, shop_id, {item.order_id for item in items})
    outcomes: list[Order | Refused] = []
    for item in items:
        order = order_of(batch.orders, item.order_id, item.buyer_id)
        if isinstance(order, Refused) or (order.state == State.CANCELLED and item.buyer_id is not None):
            outcomes.append(order)
            continue
        state = after(TRANSITIONS, order.state, Action.CANCEL if item.buyer_id is not None else Action.TIME_OUT)
        if isinstance(state, WrongState):
            outcomes.append(state)
            continue
        batch.shelf.release(goods_of(order))
        batch.unheld.append(order.id)
        reason = "timeout" if item.buyer_id is None else "buyer"
        cancelled = batch.change(replace(order, state=state, closed_at=now, cancel_reason=reason))
        batch.events.append((events.CANCELLED, events.cancelled(cancelled)))
        outcomes.append(cancelled)
    await tx.together(*batch.saved(now))
    return outcomes


async def ship(
    tx: Transaction, shop_id: ShopId, items: Sequence[Shipping], now: datetime, receipt_after: timedelta
) -> list[Order | Refused]:
    """Ship paid orders. Shipping again corrects carrier and tracking number until the order is received."""
    batch, refunds = await _load(tx, shop_id, {item.order_id for item in items})
    waiting = {refund.order_id for refund in refunds if is_open(refund)}
    due: list[tuple[OrderId, datetime]] = []
    outcomes: list[Order | Refused] = []
    for item in items:
        order = batch.orders.get(item.order_id)
        if order is None:
            outcomes.append(_no_order(item.order_id))
            continue
        corrected = replace(order, carrier=item.shipment.carrier, tracking_number=item.shipment.tracking_number)
        if order.state == State.SHIPPED:
            outcomes.append(batch.change(corrected) if corrected != order else order)
            continue
        state = after(TRANSITIONS, order.state, Action.SHIP)
        if isinstance(state, WrongState):
            outcomes.append(state)
        elif order.id in waiting:
            outcomes.append(RefundOpen("the buyer has asked for a refund; decide that before shipping"))
        else:
            shipped = batch.change(replace(corrected, state=state, shipped_at=now))
            due.append((order.id, now + receipt_after))
            batch.events.append((events.SHIPPED, events.moved(shipped)))
            outcomes.append(shipped)
    await tx.together(*batch.saved(now), *store.deadlines_set(shop_id, due))
    return outcomes


async def receive(
    tx: Transaction, shop_id: ShopId, items: Sequence[Receiving], now: datetime, window: timedelta
) -> list[Order | Refused]:
    """The goods have arrived; the after-sales window begins."""
    batch, _ = await _load(tx, shop_id, {item.order_id for item in items})
    due: list[tuple[OrderId, datetime]] = []
    outcomes: list[Order | Refused] = []
    for item in items:
        order = order_of(batch.orders, item.order_id, item.buyer_id)
        if isinstance(order, Refused) or order.state == State.RECEIVED:
            outcomes.append(order)
            continue
        state = after(TRANSITIONS, order.state, Action.RECEIVE)
        if isinstance(state, WrongState):
            outcomes.append(state)
            continue
        received = batch.change(replace(order, state=state, received_at=now))
        due.append((order.id, now + window))
        batch.events.append((events.RECEIVED, events.moved(received)))
        outcomes.append(received)
    await tx.together(*batch.saved(now), *store.deadlines_set(shop_id, due))
    return outcomes


async def meet_deadlines(
    tx: Transaction, shop_id: ShopId, order_ids: Sequence[OrderId], now: datetime, window: timedelta
) -> list[None]:
    """Shipped orders whose buyers said nothing count as received; received ones complete when the window is over."""
    shipped = [Receiving(order_id, None) for order_id in order_ids]
    outcomes = await receive(tx, shop_id, shipped, now, window)
    rest = [
        order_id
        for order_id, outcome in zip(order_ids, outcomes, strict=True)
        if isinstance(outcome, Refused) or outcome.received_at != now
    ]
    batch, refunds = await _load(tx, shop_id, rest)
    waiting = {refund.order_id for refund in refunds if is_open(refund)}
    done: list[OrderId] = []
    later: list[tuple[OrderId, datetime]] = []
    for order in list(batch.orders.values()):
        if order.state == State.RECEIVED and order.received_at is not None:
            over_at = order.received_at + window
            if now < over_at:  # the buyer said so a moment ago
                later.append((order.id, over_at))
                continue
            if order.id in waiting:
                later.append((order.id, now + _DECISION_AWAITED))
                continue
            state = after(TRANSITIONS, order.state, Action.COMPLETE)
            assert isinstance(state, State)
            completed = batch.change(replace(order, state=state, closed_at=now))
            batch.events.append((events.COMPLETED, events.moved(completed)))
        done.append(order.id)
    await tx.together(*batch.saved(now), *store.deadlines_removed(shop_id, done), *store.deadlines_set(shop_id, later))
    return [None] * len(order_ids)


async def _load(tx: Transaction, shop_id: ShopId, order_ids: Collection[OrderId]) -> tuple[Batch, list[Any]]:
    """Orders locked, with their refunds, for commands that leave the stock alone."""
    rows, lines, refunds = await tx.together(
        store.order_rows_locked(shop_id, order_ids),
        store.lines_of(shop_id, order_ids),
        store.refunds_of_orders(shop_id, order_ids),
    )
    return Batch(shop_id, store.assembled(rows, lines), Shelf({})), refunds


async def load_with_stock(
    tx: Transaction, shop_id: ShopId, order_ids: Collection[OrderId], *more: Query[Any]
) -> tuple[Batch, list[Any]]:
    """Stock and orders locked in that order, with the answers to `more`.

    What a line sold is frozen, so it may be read before the locks to learn which stock to lock.
    """
    frozen = await tx.ask(store.lines_of(shop_id, order_ids))
    sku_ids = {line.sku_id for lines in frozen.values() for line in lines}
    stock, rows, lines, *rest = await tx.together(
        stock_locked(shop_id, sku_ids),
        store.order_rows_locked(shop_id, order_ids),
        store.lines_of(shop_id, order_ids),
        *more,
    )
    orders = store.assembled(rows, lines)
    shelf = Shelf(stock)
    if pairs := {(sku_id, order.buyer_id) for order in orders.values() for sku_id in shelf.limited(order.quantities)}:
        shelf.bought = await tx.ask(bought(shop_id, pairs))
    return Batch(shop_id, orders, shelf), rest


def order_of(orders: Mapping[OrderId, Order], order_id: OrderId, buyer_id: PersonId | None) -> Order | Refused:
    """The order, if there is one and it is the buyer's; None stands for somebody who may see the shop's orders."""
    order = orders.get(order_id)
    if order is None or buyer_id not in (None, order.buyer_id):
        return _no_order(order_id)
    return order


def _no_order(order_id: OrderId) -> NotFound:
    return NotFound(f"there is no order {order_id} that you may see")
