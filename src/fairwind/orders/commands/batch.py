"""Orders under their locks, and what a command changes of them.

Locks are taken in one order, which docs/architecture.md states whole: stock by SKU id, kept stock, subsidies and what
is drawn for them, orders by id, ledger accounts by name.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from fairwind.alliance import Reserves, reserves_locked, reserves_saved
from fairwind.inventory import Shelf, bought, holds_removed, shelf_saved, stock_locked
from fairwind.kernel import (
    NotFound,
    OrderId,
    PersonId,
    Query,
    Refused,
    ShopId,
    Transaction,
    events_written,
)
from fairwind.ledger import Transfer, transfers_posted
from fairwind.orders.order import Order
from fairwind.orders.refund import GivenBack
from fairwind.orders.store import orders as order_store
from fairwind.orders.store import refunds as refund_store
from fairwind.policy import Purse, purse_locked, purse_of, purse_saved


@dataclass
class Batch:
    """Orders under their locks, what they take from and give back to, and what a command changes of them."""

    shop_id: ShopId
    orders: dict[OrderId, Order]
    shelf: Shelf
    purse: Purse
    reserves: Reserves
    changed: dict[OrderId, Order] = field(default_factory=dict)
    unheld: list[OrderId] = field(default_factory=list)
    given_back: list[GivenBack] = field(default_factory=list)
    credit_fen: int = 0
    """How much more the shop may give back of what was settled."""
    transfers: list[Transfer] = field(default_factory=list)
    events: list[tuple[str, Any]] = field(default_factory=list)

    def change(self, order: Order) -> Order:
        self.orders[order.id] = self.changed[order.id] = order
        return order

    def saved(self, now: datetime) -> list[Query[Any]]:
        """What saves the batch, ledger last."""
        return [
            *shelf_saved(self.shop_id, self.shelf),
            *reserves_saved(self.shop_id, self.reserves),
            *purse_saved(self.shop_id, self.purse, now),
            *holds_removed(self.shop_id, self.unheld),
            *order_store.orders_changed(self.shop_id, list(self.changed.values())),
            *([events_written(self.shop_id, self.events, now)] if self.events else []),
            *transfers_posted(self.shop_id, self.transfers, now),
        ]


async def load_orders(tx: Transaction, shop_id: ShopId, order_ids: Collection[OrderId]) -> tuple[Batch, list[Any]]:
    """Orders locked, with their refunds, for commands that leave the stock alone."""
    rows, lines, refunds = await tx.together(
        order_store.order_rows_locked(shop_id, order_ids),
        order_store.lines_of(shop_id, order_ids),
        refund_store.refunds_of_orders(shop_id, order_ids),
    )
    return Batch(shop_id, order_store.assembled(rows, lines), Shelf({}), purse_of(shop_id, []), Reserves({})), refunds


async def load_with_stock(
    tx: Transaction, shop_id: ShopId, order_ids: Collection[OrderId], *more: Query[Any]
) -> tuple[Batch, list[Any]]:
    """What the orders take from, and the orders, locked in that order, with the answers to `more`.

    What a line sold is frozen, so it may be read before the locks to learn which stock and whose money to lock.
    """
    frozen = await tx.ask(order_store.lines_of(shop_id, order_ids))
    sku_ids = {line.sku_id for lines in frozen.values() for line in lines}
    subsidised = {
        order_id: {grant.campaign_id for line in lines for grant in line.subsidies}
        for order_id, lines in frozen.items()
        if any(line.subsidies for line in lines)
    }
    buyers = await tx.ask(order_store.buyers_of(shop_id, subsidised)) if subsidised else {}
    pairs = {(campaign_id, buyers[order_id]) for order_id, ids in subsidised.items() for campaign_id in ids}
    money = purse_locked(shop_id, {campaign_id for campaign_id, _ in pairs}, pairs)
    stock, reserves, *answers = await tx.together(
        stock_locked(shop_id, sku_ids),
        reserves_locked(shop_id, sku_ids),  # of all of them: what is kept for others is not there for a late payment
        *money,
        order_store.order_rows_locked(shop_id, order_ids),
        order_store.lines_of(shop_id, order_ids),
        *more,
    )
    purse = purse_of(shop_id, answers[: len(money)])
    rows, lines, *rest = answers[len(money) :]
    orders = order_store.assembled(rows, lines)
    shelf = Shelf(stock)
    if pairs_limited := {
        (sku_id, order.buyer_id) for order in orders.values() for sku_id in shelf.limited(order.quantities)
    }:
        shelf.bought = await tx.ask(bought(shop_id, pairs_limited))
    return Batch(shop_id, orders, shelf, purse, reserves), rest


def order_of(orders: Mapping[OrderId, Order], order_id: OrderId, buyer_id: PersonId | None) -> Order | Refused:
    """The order, if there is one and it is the buyer's; None stands for somebody who may see the shop's orders."""
    order = orders.get(order_id)
    if order is None or buyer_id not in (None, order.buyer_id):
        return no_order(order_id)
    return order


def no_order(order_id: OrderId) -> NotFound:
    return NotFound(f"there is no order {order_id} that you may see")
