"""Orders over HTTP: placing, paying, delivery, after-sales, and the shop's book."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

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
    RefundId,
    ShopId,
)
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_before, read_cursor
from fairwind.ledger import AccountKind, Balance, StatementLine
from fairwind.orders.after_sales import Answer
from fairwind.orders.book import Book, TransferView
from fairwind.orders.commands import OrderKey, ShipmentDraft
from fairwind.orders.order import Order, OrderDraft
from fairwind.orders.orders import Orders, PlacementExpired, ShopOrderDraft
from fairwind.orders.pricing import FreightRule, OffShelf, PlacementMismatch, TotalChanged
from fairwind.orders.refund import AfterSalesOver, Refund, RefundDraft, RefundOpen, RefundTooLarge
from fairwind.orders.states import RefundAction, RefundState, State, WrongState
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
_DECIDING = [NotFound, WrongState, RefundTooLarge]

Moment = Annotated[datetime, Meta(tz=True, description="A time with its zone, as in 2026-01-31T08:00:00+08:00")]


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
    return await orders.place(shop_id, data, caller.person)


@post("/checkouts", opt={"access": Access.BUYER, "refusals": [*_PLACING, WrongState]})
async def check_out(data: JSONBody[Checkout], caller: Caller, orders: Orders) -> CheckedOut:
    """Place one order per shop, all or none; one payment can then pay them all."""
    placed = await orders.check_out(data.orders, caller.person)
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
    return await orders.order(shop_id, order_id, None if caller.runs(shop_id) else caller.person)


@put(
    "/shops/{shop_id:int}/orders/{order_id:uuid}/cancellation",
    opt={"access": Access.BUYER, "refusals": [NotFound, WrongState]},
)
async def cancel_order(shop_id: FromPath[ShopId], order_id: FromPath[OrderId], caller: Caller, orders: Orders) -> Order:
    """Cancel an order that is not paid; its stock is for sale again."""
    return await orders.cancel(shop_id, order_id, caller.person)


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
    return await orders.receive(shop_id, order_id, caller.person)


@post(
    "/shops/{shop_id:int}/orders/{order_id:uuid}/refunds",
    opt={
        "access": Access.SIGNED_IN,
        "refusals": [NotFound, WrongState, RefundOpen, RefundTooLarge, AfterSalesOver, IdReused, Invalid],
    },
)
async def ask_refund(
    shop_id: FromPath[ShopId],
    order_id: FromPath[OrderId],
    data: JSONBody[RefundDraft],
    caller: Caller,
    orders: Orders,
) -> Refund:
    """Ask for a refund, whole (no `lines`) or part.

    Agreed to at once when the shop itself asks and, before shipping, for the whole order or for goods at their price.
    """
    by_shop = shop_id in caller.shop_ids
    return await orders.ask_refund(shop_id, order_id, data, caller.person, by_shop=by_shop)


@get("/shops/{shop_id:int}/orders/{order_id:uuid}/refunds", opt={"access": Access.SIGNED_IN, "refusals": [NotFound]})
async def list_order_refunds(
    shop_id: FromPath[ShopId], order_id: FromPath[OrderId], caller: Caller, orders: Orders
) -> list[Refund]:
    """An order's refunds, oldest first, for its buyer and its shop."""
    return await orders.refunds_of_order(shop_id, order_id, None if caller.runs(shop_id) else caller.person)


@get("/shops/{shop_id:int}/refunds", opt={"access": Access.SHOP_MEMBER})
async def list_shop_refunds(
    shop_id: FromPath[ShopId],
    orders: Orders,
    state: FromQuery[RefundState | None] = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Refund]:
    """The shop's refunds, newest first; all or those in one state."""
    found = await orders.refunds_of_shop(shop_id, state, read_before(cursor), limit + 1)
    return page(found, limit, lambda refund: (refund.asked_at, refund.id))


@put(
    "/shops/{shop_id:int}/refunds/{refund_id:uuid}/approval",
    opt={"access": Access.SHOP_MEMBER, "refusals": _DECIDING},
)
async def approve_refund(
    shop_id: FromPath[ShopId], refund_id: FromPath[RefundId], data: JSONBody[Answer], orders: Orders
) -> Refund:
    """Agree: the money goes back now or, for a return, once the goods are back."""
    return await orders.decide_refund(shop_id, refund_id, RefundAction.AGREE, data.message)


@put(
    "/shops/{shop_id:int}/refunds/{refund_id:uuid}/refusal",
    opt={"access": Access.SHOP_MEMBER, "refusals": _DECIDING},
)
async def decline_refund(
    shop_id: FromPath[ShopId], refund_id: FromPath[RefundId], data: JSONBody[Answer], orders: Orders
) -> Refund:
    """Decline, and say why."""
    return await orders.decide_refund(shop_id, refund_id, RefundAction.DECLINE, data.message)


@put(
    "/shops/{shop_id:int}/refunds/{refund_id:uuid}/return",
    opt={"access": Access.SHOP_MEMBER, "refusals": _DECIDING},
)
async def take_goods_back(
    shop_id: FromPath[ShopId], refund_id: FromPath[RefundId], data: JSONBody[Answer], orders: Orders
) -> Refund:
    """Say that returned goods are back: they are for sale again and the money goes back."""
    return await orders.decide_refund(shop_id, refund_id, RefundAction.TAKE_BACK, data.message)


@put(
    "/shops/{shop_id:int}/refunds/{refund_id:uuid}/withdrawal",
    opt={"access": Access.SIGNED_IN, "refusals": _DECIDING},
)
async def withdraw_refund(
    shop_id: FromPath[ShopId], refund_id: FromPath[RefundId], caller: Caller, orders: Orders
) -> Refund:
    """Take back a refund that one has asked for."""
    return await orders.decide_refund(shop_id, refund_id, RefundAction.WITHDRAW, buyer_id=caller.person)


@get("/shops/{shop_id:int}/freight-rule", opt={"access": Access.PUBLIC})
async def get_freight_rule(shop_id: FromPath[ShopId], orders: Orders) -> FreightRule:
    """What the shop asks for delivery."""
    return await orders.freight_rule(shop_id)


@put("/shops/{shop_id:int}/freight-rule", opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound]})
async def put_freight_rule(shop_id: FromPath[ShopId], data: JSONBody[FreightRule], orders: Orders) -> FreightRule:
    """Set what the shop asks for delivery, from the next order on."""
    return await orders.set_freight_rule(shop_id, data)


@get("/shops/{shop_id:int}/accounts", opt={"access": Access.SHOP_MEMBER})
async def list_accounts(shop_id: FromPath[ShopId], book: Book) -> list[Balance]:
    """The accounts of the shop's book; they sum to zero."""
    return await book.balances(shop_id)


@get("/shops/{shop_id:int}/accounts/{kind:str}/statement", opt={"access": Access.SHOP_MEMBER, "refusals": [Invalid]})
async def get_statement(
    shop_id: FromPath[ShopId],
    kind: FromPath[AccountKind],
    book: Book,
    party_id: FromQuery[Annotated[int, Meta(ge=0)]] = 0,
    since: FromQuery[Moment | None] = None,
    until: FromQuery[Moment | None] = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[StatementLine]:
    """An account's transfers from `since` (included) to `until` (not included), oldest first, each with its balance."""
    found = await book.statement(shop_id, kind, party_id, since, until, read_cursor(cursor, UUID), limit + 1)
    return page(found, limit, lambda line: line.transfer_id)


@get("/shops/{shop_id:int}/orders/{order_id:uuid}/transfers", opt={"access": Access.SHOP_MEMBER})
async def list_transfers(shop_id: FromPath[ShopId], order_id: FromPath[OrderId], book: Book) -> list[TransferView]:
    """What an order has moved in the shop's book, fen by fen."""
    return await book.transfers(shop_id, order_id)


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
    ask_refund,
    list_order_refunds,
    list_shop_refunds,
    approve_refund,
    decline_refund,
    take_goods_back,
    withdraw_refund,
    get_freight_rule,
    put_freight_rule,
    list_accounts,
    get_statement,
    list_transfers,
)
