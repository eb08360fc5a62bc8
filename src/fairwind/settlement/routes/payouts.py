"""Payouts over HTTP: for payees, for operators, and the provider's callbacks."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from litestar import Request, get, post, put
from litestar.params import FromPath, FromQuery

from fairwind.identity import Access, Caller, Role
from fairwind.kernel import NotFound, PayoutId, ShopId
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_before, read_cursor
from fairwind.payments import CallbackMalformed, CallbackUnsigned, ProviderDown, ProviderRefused
from fairwind.settlement.netting import Payee, PayeeKind
from fairwind.settlement.payout import Carried, Payout, PayoutItem, PayoutState, WrongPayoutState, not_found
from fairwind.settlement.payouts import Payouts

_NIL = UUID(int=0)
_STATES: tuple[PayoutState, ...] = ("pending", "sent", "succeeded", "failed", "released")
_FIRST = Payee("agency", -1)


class Heard(msgspec.Struct, frozen=True):
    """What became of a callback: the payout's state, once its word is recorded."""

    state: PayoutState


@get("/shops/{shop_id:int}/payouts", opt={"access": Access.SHOP_MEMBER})
async def list_shop_payouts(
    shop_id: FromPath[ShopId],
    payouts: Payouts,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Payout]:
    """What the shop was paid or is about to be, newest first."""
    found = await payouts.payouts_of([Payee("shop", shop_id)], read_before(cursor), limit + 1)
    return page(found, limit, lambda payout: (payout.requested_at, payout.id))


@get("/shops/{shop_id:int}/payouts/carried", opt={"access": Access.SHOP_MEMBER})
async def show_shop_carried(shop_id: FromPath[ShopId], payouts: Payouts) -> Carried:
    """What left the books for the shop and waits for its next payout; below zero, what the shop owes."""
    [carried] = await payouts.carried([Payee("shop", shop_id)])
    return carried


@get("/payouts/mine", opt={"access": Access.SIGNED_IN})
async def list_my_payouts(
    caller: Caller, payouts: Payouts, cursor: FromQuery[Cursor | None] = None, limit: FromQuery[Limit] = 20
) -> Page[Payout]:
    """What the caller was paid or is about to be, as a creator and as an agency, newest first."""
    found = await payouts.payouts_of(_payees(caller), read_before(cursor), limit + 1)
    return page(found, limit, lambda payout: (payout.requested_at, payout.id))


@get("/payouts/mine/carried", opt={"access": Access.SIGNED_IN})
async def show_my_carried(caller: Caller, payouts: Payouts) -> list[Carried]:
    """What waits for the caller's next payout, as a creator and as an agency; below zero, what the caller owes."""
    return await payouts.carried(_payees(caller))


@get("/payouts/{payout_id:uuid}", opt={"access": Access.SIGNED_IN, "refusals": [NotFound]})
async def get_payout(payout_id: FromPath[PayoutId], caller: Caller, payouts: Payouts) -> Payout:
    """A payout, for its payee and for operators."""
    return await _seen(payout_id, caller, payouts)


@get("/payouts/{payout_id:uuid}/items", opt={"access": Access.SIGNED_IN, "refusals": [NotFound]})
async def list_payout_items(
    payout_id: FromPath[PayoutId],
    caller: Caller,
    payouts: Payouts,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[PayoutItem]:
    """What a payout is made of: an amount of each sweep of each shop's book, debts below zero. They sum to it."""
    await _seen(payout_id, caller, payouts)
    after = read_cursor(cursor, tuple[ShopId, UUID]) or (ShopId(0), _NIL)
    found = await payouts.items(payout_id, after, limit + 1)
    return page(found, limit, lambda item: (item.shop_id, item.id))


@get("/payouts", opt={"access": Access.OPERATOR})
async def list_payouts(
    payouts: Payouts,
    state: FromQuery[PayoutState | None] = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[Payout]:
    """Payouts of all payees, newest first; those in one state, such as `failed`, or all."""
    found = await payouts.payouts_in([state] if state else _STATES, read_before(cursor), limit + 1)
    return page(found, limit, lambda payout: (payout.requested_at, payout.id))


@get("/payouts/debts", opt={"access": Access.OPERATOR})
async def list_debts(
    payouts: Payouts, cursor: FromQuery[Cursor | None] = None, limit: FromQuery[Limit] = 50
) -> Page[Carried]:
    """Payees who owe more than they have earned since; what they earn next is netted with it."""
    after = read_cursor(cursor, tuple[PayeeKind, int])
    found = await payouts.debts(Payee(*after) if after else _FIRST, limit + 1)
    return page(found, limit, lambda debt: (debt.payee_kind, debt.payee_id))


@put(
    "/payouts/{payout_id:uuid}/retry",
    opt={"access": Access.OPERATOR, "refusals": [NotFound, WrongPayoutState]},
)
async def retry_payout(payout_id: FromPath[PayoutId], payouts: Payouts) -> Payout:
    """Send a failed payout again; one that is on its way or done stays as it is."""
    return await payouts.retry(payout_id)


@put(
    "/payouts/{payout_id:uuid}/release",
    opt={"access": Access.OPERATOR, "refusals": [NotFound, WrongPayoutState, ProviderDown, ProviderRefused]},
)
async def release_payout(payout_id: FromPath[PayoutId], payouts: Payouts) -> Payout:
    """Give up a failed payout: the provider cancels it, and what it was made of goes into the payee's next one."""
    return await payouts.release(payout_id)


@post(
    "/payouts/callbacks/{provider:str}",
    status_code=200,
    opt={"access": Access.PROVIDER, "refusals": [NotFound, CallbackUnsigned, CallbackMalformed]},
)
async def take_payout_callback(provider: FromPath[str], request: Request[Any, Any, Any], payouts: Payouts) -> Heard:
    """For payment providers: a signed word about a payout. 200 says that it is committed and need not come again."""
    return Heard((await payouts.take_callback(provider, dict(request.headers), await request.body())).state)


def _payees(caller: Caller) -> list[Payee]:
    return [Payee("creator", caller.person), Payee("agency", caller.person)]


async def _seen(payout_id: PayoutId, caller: Caller, payouts: Payouts) -> Payout:
    payout = await payouts.payout(payout_id)
    if Role.OPERATOR in caller.roles:
        return payout
    is_own = payout.payee_id in caller.shop_ids if payout.payee_kind == "shop" else payout.payee in _payees(caller)
    if not is_own:
        raise not_found(payout_id)
    return payout


HANDLERS = (
    list_shop_payouts,
    show_shop_carried,
    list_my_payouts,
    show_my_carried,
    get_payout,
    list_payout_items,
    list_payouts,
    list_debts,
    retry_payout,
    release_payout,
    take_payout_callback,
)
