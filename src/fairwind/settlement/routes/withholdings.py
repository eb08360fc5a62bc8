"""Withholdings over HTTP."""

from __future__ import annotations

from litestar import get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from fairwind.identity import Access, Caller, Role
from fairwind.kernel import Forbidden, IdReused, Invalid, NotFound, OrderId, ShopId
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_before
from fairwind.settlement.commands.withholdings import Withholdings
from fairwind.settlement.withholding import (
    AlreadySettled,
    AlreadyWithheld,
    Asker,
    NotWithholdable,
    Withholding,
    WithholdingDraft,
    WithholdingId,
)


def _asker(caller: Caller, shop_id: ShopId) -> Asker:
    return Asker(caller.person, shop=shop_id in caller.shop_ids, operator=Role.OPERATOR in caller.roles)


@post(
    "/shops/{shop_id:int}/orders/{order_id:uuid}/withholdings",
    opt={
        "access": Access.SIGNED_IN,
        "refusals": [NotFound, Forbidden, IdReused, Invalid, AlreadySettled, AlreadyWithheld, NotWithholdable],
    },
)
async def withhold(
    shop_id: FromPath[ShopId],
    order_id: FromPath[OrderId],
    data: JSONBody[WithholdingDraft],
    caller: Caller,
    withholdings: Withholdings,
) -> Withholding:
    """Keep a line of an order from settling: its buyer for a dispute, its shop or an operator for either reason."""
    return await withholdings.open(shop_id, order_id, data, _asker(caller, shop_id))


@get(
    "/shops/{shop_id:int}/orders/{order_id:uuid}/withholdings",
    opt={"access": Access.SIGNED_IN, "refusals": [NotFound]},
)
async def list_order_withholdings(
    shop_id: FromPath[ShopId], order_id: FromPath[OrderId], caller: Caller, withholdings: Withholdings
) -> list[Withholding]:
    """An order's withholdings, oldest first, for its buyer and its shop."""
    return await withholdings.of_order(shop_id, order_id, None if caller.runs(shop_id) else caller.person)


@put(
    "/shops/{shop_id:int}/withholdings/{withholding_id:uuid}/release",
    opt={"access": Access.SIGNED_IN, "refusals": [NotFound, Forbidden]},
)
async def release_withholding(
    shop_id: FromPath[ShopId], withholding_id: FromPath[WithholdingId], caller: Caller, withholdings: Withholdings
) -> Withholding:
    """Let the line settle again: whoever opened the withholding, or an operator."""
    return await withholdings.release(shop_id, withholding_id, _asker(caller, shop_id))


@get("/shops/{shop_id:int}/withholdings", opt={"access": Access.SHOP_MEMBER})
async def list_shop_withholdings(
    shop_id: FromPath[ShopId],
    withholdings: Withholdings,
    only_open: FromQuery[bool] = False,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Withholding]:
    """The shop's withholdings, newest first; all, or those that are open."""
    found = await withholdings.of_shop(shop_id, read_before(cursor), limit + 1, only_open=only_open)
    return page(found, limit, lambda each: (each.opened_at, each.id))


@get("/withholdings", opt={"access": Access.OPERATOR})
async def list_withholdings(
    withholdings: Withholdings,
    only_open: FromQuery[bool] = True,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Withholding]:
    """All shops' withholdings, newest first; those that are open, or all."""
    found = await withholdings.everywhere(read_before(cursor), limit + 1, only_open=only_open)
    return page(found, limit, lambda each: (each.opened_at, each.id))


HANDLERS = (withhold, list_order_withholdings, release_withholding, list_shop_withholdings, list_withholdings)
