"""After-sales over HTTP."""

from __future__ import annotations

from litestar import get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from fairwind.identity import Access, Caller, Role
from fairwind.kernel import (
    IdReused,
    Invalid,
    NotFound,
    OrderId,
    RefundId,
    ShopId,
)
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_before
from fairwind.orders.commands.after_sales import Answer, ShopOwes
from fairwind.orders.orders import Orders
from fairwind.orders.refund import AfterSalesOver, Refund, RefundDraft, RefundOpen, RefundTooLarge
from fairwind.orders.states import RefundAction, RefundState, WrongState

_DECIDING = [NotFound, WrongState, RefundTooLarge]


@post(
    "/shops/{shop_id:int}/orders/{order_id:uuid}/refunds",
    opt={
        "access": Access.SIGNED_IN,
        "refusals": [NotFound, WrongState, RefundOpen, RefundTooLarge, AfterSalesOver, ShopOwes, IdReused, Invalid],
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

    Agreed to at once when the shop itself asks, or an operator for it, and, before shipping, for the whole order or for
    goods at their price. Of what was settled a shop can give back only what it has, and some more that it then owes.
    """
    by_shop = shop_id in caller.shop_ids
    by_operator = not by_shop and Role.OPERATOR in caller.roles
    return await orders.ask_refund(shop_id, order_id, data, caller.person, by_shop=by_shop, by_operator=by_operator)


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
    opt={"access": Access.SHOP_MEMBER, "refusals": [*_DECIDING, ShopOwes]},
)
async def take_goods_back(
    shop_id: FromPath[ShopId], refund_id: FromPath[RefundId], data: JSONBody[Answer], caller: Caller, orders: Orders
) -> Refund:
    """Say that returned goods are back: they are for sale again and the money goes back.

    An operator may do so for a shop that itself can give back no more.
    """
    by_operator = shop_id not in caller.shop_ids
    return await orders.decide_refund(shop_id, refund_id, RefundAction.TAKE_BACK, data.message, by_operator=by_operator)


@put(
    "/shops/{shop_id:int}/refunds/{refund_id:uuid}/withdrawal",
    opt={"access": Access.SIGNED_IN, "refusals": _DECIDING},
)
async def withdraw_refund(
    shop_id: FromPath[ShopId], refund_id: FromPath[RefundId], caller: Caller, orders: Orders
) -> Refund:
    """Take back a refund that one has asked for."""
    return await orders.decide_refund(shop_id, refund_id, RefundAction.WITHDRAW, buyer_id=caller.person)


HANDLERS = (
    ask_refund,
    list_order_refunds,
    list_shop_refunds,
    approve_refund,
    decline_refund,
    take_goods_back,
    withdraw_refund,
)
