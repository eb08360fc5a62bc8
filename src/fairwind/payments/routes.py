"""Payments over HTTP: callbacks of providers, a buyer's payment, and what operators look after."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from fairwind.identity import Access, Caller, Role
from fairwind.kernel import Busy, NotFound, PaymentId, RefundId, ShopId
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_cursor
from fairwind.payments.payment import Discrepancy, Payment, not_found
from fairwind.payments.payments import Payments
from fairwind.payments.provider import CallbackMalformed, CallbackUnsigned
from fairwind.payments.refund import Refund

_NIL = UUID(int=0)


class Receipt(msgspec.Struct, frozen=True):
    """What became of a callback. code: why the money it tells of was kept for an operator."""

    recorded: bool
    code: str | None = None


class Settlement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a discrepancy was settled, in words."""

    note: Annotated[str, Meta(min_length=1, max_length=500)]


@post(
    "/payments/callbacks/{provider:str}",
    status_code=200,
    opt={"access": Access.PROVIDER, "refusals": [NotFound, CallbackUnsigned, CallbackMalformed, Busy]},
)
async def take_callback(provider: FromPath[str], request: Request[Any, Any, Any], payments: Payments) -> Receipt:
    """For payment providers: a signed notice about a payment.

    200 says that it is committed and need not come again. That holds for money that does not fit, too (`recorded` is
    false): it is kept for an operator, and telling of it again would change nothing. Anything else is to be sent again.
    """
    misfit = await payments.take_callback(provider, dict(request.headers), await request.body())
    return Receipt(recorded=misfit is None, code=misfit.code if misfit else None)


@get("/payments/{shop_id:int}/{payment_id:uuid}", opt={"access": Access.SIGNED_IN, "refusals": [NotFound]})
async def show_payment(
    shop_id: FromPath[ShopId], payment_id: FromPath[PaymentId], caller: Caller, payments: Payments
) -> Payment:
    """A payment, for its buyer and for operators."""
    payment = await payments.payment(shop_id, payment_id)
    if payment.buyer_id != caller.person and Role.OPERATOR not in caller.roles:
        raise not_found(shop_id, payment_id)
    return payment


@get("/payments/refunds/failed", opt={"access": Access.OPERATOR})
async def list_failed_refunds(
    payments: Payments, cursor: FromQuery[Cursor | None] = None, limit: FromQuery[Limit] = 50
) -> Page[Refund]:
    """Refunds that the provider refused, over all shops; each waits to be sent again."""
    after = read_cursor(cursor, tuple[ShopId, RefundId]) or (ShopId(0), RefundId(_NIL))
    return page(await payments.failed_refunds(after, limit + 1), limit, lambda refund: (refund.shop_id, refund.id))


@put(
    "/payments/refunds/{shop_id:int}/{refund_id:uuid}/retry",
    opt={"access": Access.OPERATOR, "refusals": [NotFound]},
)
async def retry_refund(shop_id: FromPath[ShopId], refund_id: FromPath[RefundId], payments: Payments) -> Refund:
    """Send a failed refund again; one that is on its way or done stays as it is."""
    return await payments.retry_refund(shop_id, refund_id)


@get("/payments/discrepancies", opt={"access": Access.OPERATOR})
async def list_discrepancies(
    payments: Payments, cursor: FromQuery[Cursor | None] = None, limit: FromQuery[Limit] = 50
) -> Page[Discrepancy]:
    """Money that providers told of and that did not fit, over all shops, as long as nobody settled it."""
    after = read_cursor(cursor, tuple[ShopId, UUID]) or (ShopId(0), _NIL)
    return page(await payments.open_discrepancies(after, limit + 1), limit, lambda found: (found.shop_id, found.id))


@put(
    "/payments/discrepancies/{shop_id:int}/{discrepancy_id:uuid}/settlement",
    opt={"access": Access.OPERATOR, "refusals": [NotFound]},
)
async def settle_discrepancy(
    shop_id: FromPath[ShopId],
    discrepancy_id: FromPath[UUID],
    data: JSONBody[Settlement],
    caller: Caller,
    payments: Payments,
) -> Discrepancy:
    """Say how a discrepancy was settled with the provider; what was said first stays."""
    return await payments.settle_discrepancy(shop_id, discrepancy_id, caller.person, data.note)


HANDLERS = (
    take_callback,
    show_payment,
    list_failed_refunds,
    retry_refund,
    list_discrepancies,
    settle_discrepancy,
)
