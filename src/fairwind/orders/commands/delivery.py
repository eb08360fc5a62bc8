"""Cancelling, shipping, receiving, completing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.kernel import (
    OrderId,
    PersonId,
    Refused,
    ShopId,
    Transaction,
)
from fairwind.orders import events
from fairwind.orders.commands.batch import load_orders, load_with_stock, no_order, order_of
from fairwind.orders.order import Order
from fairwind.orders.payment import give_up
from fairwind.orders.refund import RefundOpen, is_open, over_at
from fairwind.orders.states import TRANSITIONS, Action, State, WrongState, after
from fairwind.orders.store import orders as order_store

_DECISION_AWAITED = timedelta(hours=1)
"""An order with a refund that waits for a decision is looked at again so much later."""


class ShipmentDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the goods travel."""

    carrier: Annotated[str, Meta(min_length=1, max_length=64, examples=["顺丰速运"])]
    tracking_number: Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{4,64}$", examples=["SF1234567890"])]


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
        give_up(order, batch.shelf, batch.purse, batch.reserves)
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
    batch, refunds = await load_orders(tx, shop_id, {item.order_id for item in items})
    waiting = {refund.order_id for refund in refunds if is_open(refund)}
    due: list[tuple[OrderId, datetime]] = []
    outcomes: list[Order | Refused] = []
    for item in items:
        order = batch.orders.get(item.order_id)
        if order is None:
            outcomes.append(no_order(item.order_id))
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
    await tx.together(*batch.saved(now), *order_store.deadlines_set(shop_id, due))
    return outcomes


async def receive(
    tx: Transaction, shop_id: ShopId, items: Sequence[Receiving], now: datetime, window: timedelta
) -> list[Order | Refused]:
    """The goods have arrived; the after-sales window begins."""
    batch, _ = await load_orders(tx, shop_id, {item.order_id for item in items})
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
        due.append((order.id, over_at(received, window)))
        batch.events.append((events.RECEIVED, events.moved(received)))
        outcomes.append(received)
    await tx.together(*batch.saved(now), *order_store.deadlines_set(shop_id, due))
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
    batch, refunds = await load_orders(tx, shop_id, rest)
    waiting = {refund.order_id for refund in refunds if is_open(refund)}
    done: list[OrderId] = []
    later: list[tuple[OrderId, datetime]] = []
    for order in list(batch.orders.values()):
        if order.state == State.RECEIVED and order.received_at is not None:
            ends_at = over_at(order, window)
            if now < ends_at:  # the buyer said so a moment ago
                later.append((order.id, ends_at))
                continue
            if order.id in waiting:
                later.append((order.id, now + _DECISION_AWAITED))
                continue
            state = after(TRANSITIONS, order.state, Action.COMPLETE)
            assert isinstance(state, State)
            completed = batch.change(replace(order, state=state, closed_at=now))
            batch.events.append((events.COMPLETED, events.moved(completed)))
        done.append(order.id)
    await tx.together(
        *batch.saved(now), *order_store.deadlines_removed(shop_id, done), *order_store.deadlines_set(shop_id, later)
    )
    return [None] * len(order_ids)
