"""Orders over HTTP: placing, paying, delivery."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import get, post, put
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from fairwind.alliance import Rating, RatingClosed, RatingDraft
from fairwind.content import PlacementInvalid
from fairwind.identity import Access, Caller
from fairwind.inventory import OutOfStock, OverBuyerLimit
from fairwind.kernel import (
    Fen,
    IdReused,
    Invalid,
    NotFound,
    OrderId,
    PaymentId,
    ShopId,
)
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_before
from fairwind.orders.commands.delivery import ShipmentDraft
from fairwind.orders.commands.paying import OrderKey
from fairwind.orders.order import Order, OrderDraft, for_buyer
from fairwind.orders.orders import Orders, PlacementExpired, ShopOrderDraft
from fairwind.orders.pricing import OffShelf, PlacementMismatch, TotalChanged
from fairwind.orders.refund import RefundOpen
from fairwind.orders.states import State, WrongState
from fairwind.payments import Payment, PaymentFinished, ProviderDown, ProviderRefused

_PLACING = [
    NotFound,
    OutOfStock,
    OverBuyerLimit,
    OffShelf,
    TotalChanged,
    IdReused,
    Invalid,
    PlacementInvalid,
    PlacementMismatch,
    PlacementExpired,
]


class Checkout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Orders of several shops, placed together or not at all."""

    orders: Annotated[tuple[ShopOrderDraft, ...], Meta(min_length=1, max_length=20)]


class CheckedOut(msgspec.Struct, frozen=True):
    """The orders of a checkout and what they cost together."""

    orders: list[Order]
    total_fen: Fen


class PaymentDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A payment for placed orders, one per shop. id: a UUIDv7 of the client's making."""

    id: PaymentId
    orders: Annotated[tuple[OrderKey, ...], Meta(min_length=1, max_length=20)]


@post("/shops/{shop_id:int}/orders", opt={"access": Access.BUYER, "refusals": _PLACING})
async def place_order(shop_id: FromPath[ShopId], data: JSONBody[OrderDraft], caller: Caller, orders: Orders) -> Order:
    """Place an order; its stock is held until it expires. Repeat with the same id and body at will."""
    return for_buyer(await orders.place(shop_id, data, caller.person))


@post("/checkouts", opt={"access": Access.BUYER, "refusals": [*_PLACING, WrongState]})
async def check_out(data: JSONBody[Checkout], caller: Caller, orders: Orders) -> CheckedOut:
    """Place one order per shop, all or none; one payment can then pay them all."""
    placed = [for_buyer(order) for order in await orders.check_out(data.orders, caller.person)]
    return CheckedOut(placed, Fen(sum(order.total_fen for order in placed)))


@post(
    "/payments",
    opt={
        "access": Access.BUYER,
        "refusals": [NotFound, WrongState, IdReused, Invalid, PaymentFinished, ProviderDown, ProviderRefused],
    },
)
async def start_payment(data: JSONBody[PaymentDraft], caller: Caller, orders: Orders) -> Payment:
    """Start a payment: send the buyer to `pay_url`, the provider's own page. The order turns paid by itself."""
    return await orders.start_payment(data.id, data.orders, caller.person)


@get("/orders", opt={"access": Access.SIGNED_IN})
async def list_my_orders(
    caller: Caller, orders: Orders, cursor: FromQuery[Cursor | None] = None, limit: FromQuery[Limit] = 20
) -> Page[Order]:
    """The caller's orders over all shops, newest first."""
    found = await orders.orders_of_buyer(caller.person, read_before(cursor), limit + 1)
    found = [for_buyer(order) for order in found]
    return page(found, limit, lambda order: (order.placed_at, order.id))


@get("/shops/{shop_id:int}/orders", opt={"access": Access.SHOP_MEMBER})
async def list_shop_orders(
    shop_id: FromPath[ShopId],
    orders: Orders,
    state: FromQuery[State | None] = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Order]:
    """The shop's orders, newest first; all or those in one state."""
    found = await orders.orders_of_shop(shop_id, state, read_before(cursor), limit + 1)
    return page(found, limit, lambda order: (order.placed_at, order.id))


@get("/shops/{shop_id:int}/orders/{order_id:uuid}", opt={"access": Access.SIGNED_IN, "refusals": [NotFound]})
async def get_order(shop_id: FromPath[ShopId], order_id: FromPath[OrderId], caller: Caller, orders: Orders) -> Order:
    """An order, for its buyer and its shop."""
    if caller.runs(shop_id):
        return await orders.order(shop_id, order_id, None)
    return for_buyer(await orders.order(shop_id, order_id, caller.person))


@put(
    "/shops/{shop_id:int}/orders/{order_id:uuid}/cancellation",
    opt={"access": Access.BUYER, "refusals": [NotFound, WrongState]},
)
async def cancel_order(shop_id: FromPath[ShopId], order_id: FromPath[OrderId], caller: Caller, orders: Orders) -> Order:
    """Cancel an order that is not paid; its stock is for sale again."""
    return for_buyer(await orders.cancel(shop_id, order_id, caller.person))


@put(
    "/shops/{shop_id:int}/orders/{order_id:uuid}/shipment",
    opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound, WrongState, RefundOpen]},
)
async def ship_order(
    shop_id: FromPath[ShopId], order_id: FromPath[OrderId], data: JSONBody[ShipmentDraft], orders: Orders
) -> Order:
    """Say that a paid order is on its way. Saying it again corrects carrier and tracking number."""
    return await orders.ship(shop_id, order_id, data)


@put(
    "/shops/{shop_id:int}/orders/{order_id:uuid}/receipt",
    opt={"access": Access.BUYER, "refusals": [NotFound, WrongState]},
)
async def receive_order(
    shop_id: FromPath[ShopId], order_id: FromPath[OrderId], caller: Caller, orders: Orders
) -> Order:
    """Say that the goods have arrived; the after-sales window begins."""
    return for_buyer(await orders.receive(shop_id, order_id, caller.person))


@put(
    "/shops/{shop_id:int}/orders/{order_id:uuid}/lines/{line_no:int}/rating",
    opt={"access": Access.BUYER, "refusals": [NotFound, WrongState, RatingClosed]},
)
async def rate_line(
    shop_id: FromPath[ShopId],
    order_id: FromPath[OrderId],
    line_no: FromPath[int],
    data: JSONBody[RatingDraft],
    caller: Caller,
    orders: Orders,
) -> Rating:
    """Rate what you received: one to five stars and a few words. You may change it for 30 days."""
    return await orders.rate(shop_id, order_id, line_no, caller.person, data)


HANDLERS = (
    place_order,
    check_out,
    start_payment,
    list_my_orders,
    list_shop_orders,
    get_order,
    cancel_order,
    ship_order,
    receive_order,
    rate_line,
)
