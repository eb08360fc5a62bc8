"""The sandbox provider's HTTP service: the merchant's signed API, the buyer's pay page, and the switch panel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import msgspec
from litestar import Litestar, MediaType, Request, Response, get, post, put
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.response import Redirect

from fairwind.kernel import Clock
from fairwind.payments.sandbox import pages
from fairwind.payments.sandbox.book import Book, Conflict, Trade, refund_status
from fairwind.payments.sandbox.courier import Courier
from fairwind.payments.sandbox.messages import (
    PAYMENTS,
    PAYOUTS,
    REFUNDS,
    Failure,
    Order,
    OrderStatus,
    PayoutOrder,
    PayoutStatus,
    RefundOrder,
    RefundStatus,
)
from fairwind.payments.sandbox.payouts import cancel_payout, pay_out, payout, payout_status
from fairwind.payments.sandbox.switches import Switches
from fairwind.payments.signature import flaw

_HANG_S = 20
"""Longer than a merchant waits for an answer."""

T = TypeVar("T")
Call = Request[Any, Any, State]

_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Desk:
    """Book, courier and key behind the routes."""

    def __init__(self, book: Book, key: bytes, clock: Clock) -> None:
        self.book = book
        self.courier = Courier(book, key, clock)
        self._key = key
        self._clock = clock

    def now(self) -> float:
        return self._clock.now().timestamp()

    async def asked(self, request: Call, shape: type[T] | None = None) -> T:
        """What a merchant asks for, once its signature is checked; without a shape, nothing but the path."""
        body = await request.body()
        headers = {name.lower(): value for name, value in request.headers.items()}
        wrong = flaw(self._key, f"{request.method} {request.url.path}", headers, body, self._clock.now())
        if wrong is not None:
            raise HTTPException(wrong, status_code=401)
        try:
            return msgspec.json.decode(body, type=shape) if shape else None  # type: ignore[return-value]
        except msgspec.MsgspecError as error:
            raise HTTPException(str(error), status_code=400) from None

    def trade_of_page(self, token: str) -> Trade:
        trade = self.book.trade_of_page(token)
        if trade is None:
            raise HTTPException("there is no such payment", status_code=404)
        return trade


@post(PAYMENTS, status_code=200)
async def open_trade(request: Call, desk: Desk) -> OrderStatus:
    order = await desk.asked(request, Order)
    return desk.book.status(_or_409(lambda: desk.book.open_trade(order, desk.now())))


@get(PAYMENTS + "/{reference:str}")
async def show_trade(request: Call, desk: Desk, reference: str) -> OrderStatus:
    await desk.asked(request)
    trade = desk.book.trade(reference)
    if trade is None:
        raise HTTPException(f"there is no payment {reference}", status_code=404)
    return desk.book.status(trade)


@post(REFUNDS, status_code=200)
async def give_back(request: Call, desk: Desk) -> RefundStatus:
    order = await desk.asked(request, RefundOrder)
    return refund_status(_or_409(lambda: desk.book.give_back(order, desk.now())), desk.now())


@get(REFUNDS + "/{refund_id:str}")
async def show_refund(request: Call, desk: Desk, refund_id: str) -> RefundStatus:
    await desk.asked(request)
    refund = desk.book.refund(refund_id)
    if refund is None:
        raise HTTPException(f"there is no refund {refund_id}", status_code=404)
    return refund_status(refund, desk.now())


@post(PAYOUTS, status_code=200)
async def take_payout(request: Call, desk: Desk) -> PayoutStatus:
    order = await desk.asked(request, PayoutOrder)
    taken = _or_409(lambda: pay_out(desk.book, order, desk.now()))
    desk.courier.wake()
    if desk.book.switches.hangs(taken.id, taken.requests):
        await asyncio.sleep(_HANG_S)
    return payout_status(taken, desk.now())


@get(PAYOUTS + "/{payout_id:str}")
async def show_payout(request: Call, desk: Desk, payout_id: str) -> PayoutStatus:
    await desk.asked(request)
    found = payout(desk.book, payout_id)
    if found is None:
        raise HTTPException(f"there is no payout {payout_id}", status_code=404)
    return payout_status(found, desk.now())


@post(PAYOUTS + "/cancellations", status_code=200)
async def drop_payout(request: Call, desk: Desk) -> PayoutStatus:
    """Cancel a payout, which is told whole: it may not be known here yet."""
    order = await desk.asked(request, PayoutOrder)
    return payout_status(_or_409(lambda: cancel_payout(desk.book, order, desk.now())), desk.now())


@get("/pay/{token:str}", media_type=MediaType.HTML)
async def pay_page(request: Call, desk: Desk, token: str) -> str:
    return pages.pay(desk.trade_of_page(token), _language(request), desk.now())


@post("/pay/{token:str}", status_code=303)
async def pay(request: Call, desk: Desk, token: str) -> Response[str] | Redirect:
    """The buyer presses Pay. Form field `card`: one of pages.CARDS; only the one that says so is declined."""
    form = await request.form()
    trade = desk.trade_of_page(token)
    attempts = trade.attempts
    trade = desk.book.try_to_pay(trade, works=form.get("card") != pages.CARD_DECLINED, now=desk.now())
    desk.courier.wake()
    if trade.state == "succeeded":
        return Redirect(trade.return_url, status_code=303)
    page = pages.pay(trade, _language(request), desk.now(), declined=trade.attempts > attempts)
    return Response(page, media_type=MediaType.HTML, status_code=402)


@post("/pay/{token:str}/cancellation", status_code=303)
async def cancel(desk: Desk, token: str) -> Redirect:
    trade = desk.book.cancel(desk.trade_of_page(token), desk.now())
    desk.courier.wake()
    return Redirect(trade.return_url, status_code=303)


@get("/switches", media_type=MediaType.HTML)
async def switch_page(request: Call, desk: Desk) -> Response[Any]:
    """The panel for people; with `Accept: application/json`, the switches for machines."""
    if request.accept.best_match(["text/html", "application/json"]) == "application/json":
        return Response(desk.book.switches, media_type=MediaType.JSON)
    page = pages.switches(desk.book.switches, desk.book.counts(), _language(request))
    return Response(page, media_type=MediaType.HTML)


@put("/switches")
async def set_switches(request: Call, desk: Desk, data: Switches) -> Switches:
    """Set all switches; those left out are off. Only from this machine: the pay page is open to every buyer."""
    if request.client is None or request.client.host not in ("127.0.0.1", "::1"):
        raise HTTPException("the switches are set from the machine that the sandbox runs on", status_code=403)
    desk.book.set_switches(data)
    return data


@get("/health")
async def health(desk: Desk) -> dict[str, int]:
    return desk.book.counts()


def make_app(book: Book, key: bytes, clock: Clock) -> Litestar:
    """The service. key: what it shares with the merchant."""
    desk = Desk(book, key, clock)

    @asynccontextmanager
    async def couriered(_: Litestar) -> AsyncIterator[None]:
        task = asyncio.create_task(desk.courier.run())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def provide_desk() -> Desk:
        return desk

    return Litestar(
        [
            *(open_trade, show_trade, give_back, show_refund, take_payout, show_payout, drop_payout),
            *(pay_page, pay, cancel, switch_page, set_switches, health),
        ],
        dependencies={"desk": provide_desk},
        exception_handlers={HTTPException: _fail},
        lifespan=[couriered],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=100_000,
        after_request=_hardened,
        signature_types=[Desk],
    )


def _or_409(work: Callable[[], T]) -> T:
    try:
        return work()
    except Conflict as conflict:
        raise HTTPException(str(conflict), status_code=409) from None


def _fail(_: Call, error: HTTPException) -> Response[Failure]:
    fields = [f"{field['key']}: {field['message']}" for field in error.extra or () if isinstance(field, dict)]
    return Response(
        Failure("; ".join([error.detail, *fields])), status_code=error.status_code, media_type=MediaType.JSON
    )


async def _hardened(response: Response[Any]) -> Response[Any]:
    response.headers.update(_HEADERS)
    return response


def _language(request: Call) -> pages.Language:
    """The language asked for by `?lang=`, else the browser's."""
    asked = request.query_params.get("lang") or request.headers.get("accept-language")
    return "zh" if str(asked).lower().startswith("zh") else "en"
