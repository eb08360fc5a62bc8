"""Refunds: how much of an order can be asked back, and what agreeing to it changes. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.kernel import FEN_MAX, Fen, Invalid, OrderId, PersonId, RefundId, Refused, ShopId, SkuId
from fairwind.ledger import BUYER_REFUND, ESCROW, Transfer, subsidy
from fairwind.orders.order import Line, Order, summed
from fairwind.orders.states import OPEN_REFUNDS, TRANSITIONS, Action, RefundState, State, WrongState, after
from fairwind.policy import Grant

Kind = Literal["refund_only", "return"]


class RefundTooLarge(Refused):
    """More is asked back than is left."""

    code = "refund_too_large"
    status = 409


class RefundOpen(Refused):
    """The order has a refund that waits for a decision."""

    code = "refund_open"
    status = 409


class AfterSalesOver(Refused):
    """The time in which the order's goods could be sent back has passed."""

    code = "after_sales_over"
    status = 409


class RefundLineDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked back of one line. quantity: how many goods come back with it."""

    line_no: Annotated[int, Meta(ge=1, le=999)]
    amount_fen: Annotated[int, Meta(ge=0, le=FEN_MAX)]
    quantity: Annotated[int, Meta(ge=0, le=1_000_000)] = 0


class RefundDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A refund as it is asked for. Without lines: everything that is left, freight included."""

    id: RefundId
    kind: Kind
    reason: Annotated[str, Meta(min_length=1, max_length=500)]
    lines: Annotated[tuple[RefundLineDraft, ...], Meta(min_length=1, max_length=50)] | None = None
    freight_fen: Annotated[int, Meta(ge=0, le=FEN_MAX)] = 0


class RefundLine(msgspec.Struct, frozen=True):
    """What a refund gives back of one line."""

    line_no: int
    quantity: int
    amount_fen: Fen


class GivenBack(msgspec.Struct, frozen=True):
    """What a refund gives back of one line, or of the freight (line 0): to the buyer, and to those who subsidised."""

    refund_id: RefundId
    order_id: OrderId
    line_no: int
    amount_fen: Fen
    grants: tuple[Grant, ...] = ()


class Refund(msgspec.Struct, frozen=True):
    """A refund and where it stands. amount_fen = lines + freight."""

    shop_id: ShopId
    id: RefundId
    order_id: OrderId
    kind: Kind
    state: RefundState
    lines: tuple[RefundLine, ...]
    freight_fen: Fen
    amount_fen: Fen
    reason: str
    answer: str
    asked_by: PersonId
    asked_at: datetime
    decided_at: datetime | None = None
    refunded_at: datetime | None = None


def ask(
    order: Order,
    open_refunds: int,
    draft: RefundDraft,
    person_id: PersonId,
    window: timedelta,
    now: datetime,
    *,
    by_shop: bool = False,
) -> Refund | Refused:
    """The refund that draft asks for, or why it cannot be.

    open_refunds: how many wait for a decision. window: the platform's after-sales window. A buyer asks in time, each
    line in its own; what a shop gives by itself has no end.
    """
    refusal = _not_now(order, open_refunds, draft.kind)
    if refusal is not None:
        return refusal
    over = frozenset[int]() if by_shop else _over(order, window, now)
    if len(over) == len(order.lines):
        return AfterSalesOver(f"refunds could be asked for until {over_at(order, window):%Y-%m-%d %H:%M} UTC")
    lines = _whole_rest(order, draft, over) if draft.lines is None else _asked_lines(order, draft, over)
    if isinstance(lines, Refused):
        return lines
    freight_left = order.freight_fen - order.refunded_freight_fen
    freight_fen = Fen((0 if over else freight_left) if draft.lines is None else draft.freight_fen)
    if freight_fen > freight_left:
        return RefundTooLarge(f"only {freight_left} fen of the freight are left", left_fen=freight_left)
    amount_fen = Fen(sum(line.amount_fen for line in lines) + freight_fen)
    if amount_fen == 0:
        return RefundTooLarge("a refund gives some money back; none is asked for, or none is left", left_fen=0)
    if order.state == State.PAID and amount_fen == order.total_fen - order.refunded_fen:
        lines = _whole_rest(order, draft, over)  # the order ends here: no goods may stay sold that nobody will ship
    return Refund(
        shop_id=order.shop_id,
        id=draft.id,
        order_id=order.id,
        kind=draft.kind,
        state=RefundState.REQUESTED,
        lines=lines,
        freight_fen=freight_fen,
        amount_fen=amount_fen,
        reason=draft.reason,
        answer="",
        asked_by=person_id,
        asked_at=now,
    )


def window_of(line: Line, window: timedelta) -> timedelta:
    """The line's after-sales window. window: the platform's."""
    return window if line.window_s is None else timedelta(seconds=line.window_s)


def over_at(order: Order, window: timedelta) -> datetime:
    """When the last after-sales window of a received order ends."""
    assert order.received_at is not None
    return order.received_at + max(window_of(line, window) for line in order.lines)


def any_over(order: Order, window: timedelta, now: datetime) -> bool:
    """Whether some of the order has settled, or may have: its after-sales window is over."""
    return bool(_over(order, window, now))


def _over(order: Order, window: timedelta, now: datetime) -> frozenset[int]:
    """The lines that a buyer can ask nothing back of any more."""
    received_at = order.received_at
    if received_at is None:
        return frozenset()
    return frozenset(line.line_no for line in order.lines if now >= received_at + window_of(line, window))


def _not_now(order: Order, open_refunds: int, kind: Kind) -> Refused | None:
    if (order.state, Action.REFUND_WHOLE) not in TRANSITIONS:
        return WrongState(f"an order that is {order.state} cannot be refunded", state=order.state.value)
    if open_refunds:
        return RefundOpen("the order has a refund that waits for a decision; settle or withdraw that one first")
    if kind == "return" and order.state == State.PAID:
        return Invalid("nothing was shipped yet, so nothing can come back: ask for refund_only")
    return None


def _whole_rest(order: Order, draft: RefundDraft, over: Collection[int]) -> tuple[RefundLine, ...]:
    """All money that is left and in time, with its goods; when nothing was shipped, all goods."""
    unshipped = order.state == State.PAID
    rest = (
        RefundLine(
            line.line_no,
            line.quantity - line.returned_quantity if unshipped or draft.kind == "return" else 0,
            Fen(line.paid_fen - line.refunded_fen),
        )
        for line in order.lines
        if line.line_no not in over and (unshipped or line.refunded_fen < line.paid_fen)
    )
    return tuple(line for line in rest if line.amount_fen or line.quantity)


def _asked_lines(order: Order, draft: RefundDraft, over: Collection[int]) -> tuple[RefundLine, ...] | Refused:
    assert draft.lines is not None
    by_no = {line.line_no: line for line in order.lines}
    if len({asked.line_no for asked in draft.lines}) < len(draft.lines):
        return Invalid("a refund names each line once")
    for asked in draft.lines:
        if asked.line_no in over:
            return AfterSalesOver(
                f"the after-sales window of line {asked.line_no} is over; leave it out", line_no=asked.line_no
            )
        refusal = _line_refusal(asked, by_no.get(asked.line_no), draft.kind, order.state)
        if refusal is not None:
            return refusal
    return tuple(RefundLine(asked.line_no, asked.quantity, Fen(asked.amount_fen)) for asked in draft.lines)


def _line_refusal(asked: RefundLineDraft, line: Line | None, kind: Kind, state: State) -> Refused | None:
    if line is None:
        return Invalid(f"the order has no line {asked.line_no}", line_no=asked.line_no)
    left_fen = line.paid_fen - line.refunded_fen
    if asked.amount_fen > left_fen:
        return RefundTooLarge(
            f"only {left_fen} fen of line {asked.line_no} are left", line_no=asked.line_no, left_fen=left_fen
        )
    left = line.quantity - line.returned_quantity
    if asked.quantity > left:
        return RefundTooLarge(f"only {left} of line {asked.line_no} can come back", line_no=asked.line_no, left=left)
    if asked.quantity and kind == "refund_only" and state != State.PAID:
        return Invalid("goods that were shipped come back only with a return", line_no=asked.line_no)
    return None


def needs_no_consent(order: Order, refund: Refund) -> bool:
    """Whether a buyer may have the refund without asking the shop.

    So it is before shipping, for what will not be shipped either: the whole order, or goods at their price. Otherwise
    a buyer could ask nearly all the money back and have the goods sent for the rest, or order much to travel free and
    keep little: where freight was free, a part needs the shop's word.
    """
    if order.state != State.PAID:
        return False
    sold = {line.line_no: line for line in order.lines}
    goods_only = refund.freight_fen == 0 and all(
        line.amount_fen <= sold[line.line_no].paid_fen * line.quantity // sold[line.line_no].quantity
        for line in refund.lines
    )
    return (goods_only and order.freight_fen > 0) or refund.amount_fen == order.total_fen - order.refunded_fen


def still_fits(order: Order, refund: Refund) -> Refused | None:
    """Why a refund that was asked for earlier cannot be agreed to any more, or None."""
    if (order.state, Action.REFUND_WHOLE) not in TRANSITIONS:
        return WrongState(f"an order that is {order.state} cannot be refunded", state=order.state.value)
    by_no = {line.line_no: line for line in order.lines}
    fits = refund.freight_fen <= order.freight_fen - order.refunded_freight_fen and all(
        line.amount_fen <= by_no[line.line_no].paid_fen - by_no[line.line_no].refunded_fen
        and line.quantity <= by_no[line.line_no].quantity - by_no[line.line_no].returned_quantity
        for line in refund.lines
    )
    return (
        None
        if fits
        else RefundTooLarge("less is left of the order than this refund asks for; decline it, and ask for what is left")
    )


def agreed(order: Order, refund: Refund, now: datetime) -> Order:
    """The order once refund is agreed to: it counts on the lines; when nothing is left the order is refunded."""
    back = {line.line_no: line for line in refund.lines}
    lines = tuple(
        replace(
            line,
            refunded_fen=Fen(line.refunded_fen + back[line.line_no].amount_fen),
            returned_quantity=line.returned_quantity + back[line.line_no].quantity,
        )
        if line.line_no in back
        else line
        for line in order.lines
    )
    refunded_fen = Fen(order.refunded_fen + refund.amount_fen)
    whole = refunded_fen == order.total_fen
    state = after(TRANSITIONS, order.state, Action.REFUND_WHOLE) if whole else order.state
    assert not isinstance(state, WrongState)
    return replace(
        order,
        lines=lines,
        refunded_fen=refunded_fen,
        refunded_freight_fen=Fen(order.refunded_freight_fen + refund.freight_fen),
        state=state,
        closed_at=now if whole else order.closed_at,
    )


def given_back(before: Order, after: Order, refund: Refund) -> list[GivenBack]:
    """What agreeing to refund, which turned the order from before into after, gives back to whom.

    The buyer gets what the refund says. A funder gets what brings it to its part of all that has gone back so far, so
    that any order of refunds ends alike.
    """
    lines = [
        GivenBack(refund.id, after.id, line.line_no, Fen(line.refunded_fen - was.refunded_fen), _grants_back(was, line))
        for was, line in zip(before.lines, after.lines, strict=True)
        if line.refunded_fen > was.refunded_fen
    ]
    freight = [GivenBack(refund.id, after.id, 0, refund.freight_fen)] if refund.freight_fen else []
    return freight + lines


def _grants_back(was: Line, line: Line) -> tuple[Grant, ...]:
    earlier, so_far = was.returned(was.refunded_fen), line.returned(line.refunded_fen)
    return tuple(
        replace(grant, amount_fen=Fen(grant.amount_fen - before.amount_fen))
        for before, grant in zip(earlier, so_far, strict=True)
        if grant.amount_fen > before.amount_fen
    )


def escrow_returns(given: Sequence[GivenBack]) -> list[Transfer]:
    """The transfers that give back out of escrow: one for each refund, and one for each funder of it."""
    to_buyer: dict[tuple[RefundId, OrderId], int] = defaultdict(int)
    to_funder: dict[tuple[RefundId, OrderId, int], int] = defaultdict(int)
    for each in given:
        to_buyer[each.refund_id, each.order_id] += each.amount_fen
        for grant in each.grants:
            to_funder[each.refund_id, each.order_id, grant.funder_id] += grant.amount_fen
    return [
        Transfer(ESCROW, BUYER_REFUND, Fen(amount_fen), "refund_agreed", order_id)
        for (_, order_id), amount_fen in to_buyer.items()
    ] + [
        Transfer(ESCROW, subsidy(funder_id), Fen(amount_fen), "subsidy_returned", order_id)
        for (_, order_id, funder_id), amount_fen in to_funder.items()
    ]


def goods_back(order: Order, refund: Refund) -> dict[SkuId, int]:
    """What comes back on the shelf, by SKU."""
    sku_of = {line.line_no: line.sku_id for line in order.lines}
    return summed((sku_of[line.line_no], line.quantity) for line in refund.lines if line.quantity)


def is_open(refund: Refund) -> bool:
    """Whether the refund waits for a decision or for goods."""
    return refund.state in OPEN_REFUNDS
