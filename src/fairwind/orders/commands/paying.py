"""Starting payments, and what money does when it arrives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from fairwind.kernel import (
    Fen,
    OrderId,
    PaymentId,
    PersonId,
    RefundId,
    Refused,
    ShopId,
    Transaction,
    events_written,
    uuid7s,
)
from fairwind.ledger import BUYER_REFUND, ESCROW, PROVIDER, Transfer, subsidy
from fairwind.orders import events
from fairwind.orders.commands.batch import load_with_stock, order_of
from fairwind.orders.order import Order
from fairwind.orders.payment import Arrival, Stray, arrive
from fairwind.orders.states import State, WrongState
from fairwind.orders.store import orders as order_store
from fairwind.orders.store import refunds as refund_store
from fairwind.payments import Draft, Notice, Part, Payment, RefundRequest, create, load, record, request_refunds
from fairwind.policy import prepare_again


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
    orders = {shop_id: await order_store.orders_by_id(tx, shop_id, order_ids) for shop_id, order_ids in ids.items()}
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


def _subsidised(order: Order) -> list[Transfer]:
    """What each funder adds to the buyer's money."""
    by_funder: dict[int, int] = defaultdict(int)
    for grant in order.subsidies:
        by_funder[grant.funder_id] += grant.amount_fen
    return [
        Transfer(subsidy(funder_id), ESCROW, Fen(amount_fen), "subsidised", order.id)
        for funder_id, amount_fen in by_funder.items()
    ]


async def pay(tx: Transaction, shop_id: ShopId, arrivals: Sequence[Arrival], now: datetime) -> list[None]:
    """Money arrived for orders of this shop. Repeating an arrival changes nothing."""
    if not arrivals:
        return []
    order_ids = {arrival.order_id for arrival in arrivals}
    batch, (strays_before,) = await load_with_stock(tx, shop_id, order_ids, refund_store.strays_of(shop_id, order_ids))
    # Orders that were cancelled have given their subsidies back and take them anew, while their campaigns run.
    cancelled = [order for order in batch.orders.values() if order.state == State.CANCELLED]
    await prepare_again(tx, batch.purse, [grant for order in cancelled for grant in order.subsidies], now)
    strays: list[Stray] = []
    relined: list[Order] = []  # paid late, with less of the kept stock than before
    for arrival, stray_id in zip(arrivals, uuid7s(now, len(arrivals)), strict=True):
        order = batch.orders[arrival.order_id]
        payment = (arrival.payment_shop_id, arrival.payment_id)
        if (order.payment_shop_id, order.payment_id) == payment or (order.id, *payment) in strays_before:
            continue
        outcome = arrive(order, arrival, batch.shelf, batch.purse, batch.reserves, RefundId(stray_id), now)
        batch.transfers.append(Transfer(PROVIDER, ESCROW, arrival.amount_fen, "paid", order.id))
        if isinstance(outcome, Stray):
            strays.append(outcome)
            strays_before.add((order.id, *payment))
            batch.transfers.append(Transfer(ESCROW, BUYER_REFUND, arrival.amount_fen, "refund_agreed", order.id))
        else:
            if outcome.lines != order.lines:
                relined.append(outcome)
            batch.change(outcome)
            batch.transfers += _subsidised(outcome)
            batch.unheld.append(order.id)
            batch.events.append((events.PAID, events.paid(outcome)))
    await tx.together(
        *order_store.lines_changed(shop_id, relined),
        *batch.saved(now),
        *refund_store.strays_added(shop_id, strays, now),
    )
    if strays:
        requests = [RefundRequest(s.id, s.payment_shop_id, s.payment_id, s.order_id, s.amount_fen) for s in strays]
        for refused in await request_refunds(tx, shop_id, requests, now):
            assert refused is None, f"a stray goes back in full: {refused}"
    return [None] * len(arrivals)
