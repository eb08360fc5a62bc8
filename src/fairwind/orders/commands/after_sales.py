"""After-sales: asking for a refund, deciding it, and hearing that the money went back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.inventory import Goods
from fairwind.kernel import (
    FEN_MAX,
    Event,
    IdReused,
    NotFound,
    OrderId,
    PersonId,
    Query,
    RefundId,
    Refused,
    ShopId,
    Transaction,
)
from fairwind.ledger import BUYER_REFUND, PROVIDER, Transfer, balance_of, transfers_posted
from fairwind.orders import events
from fairwind.orders.commands.batch import Batch, load_with_stock, order_of
from fairwind.orders.order import Order, content_hash
from fairwind.orders.refund import (
    GivenBack,
    Refund,
    RefundDraft,
    agreed,
    any_over,
    ask,
    escrow_returns,
    given_back,
    goods_back,
    is_open,
    needs_no_consent,
    still_fits,
)
from fairwind.orders.states import REFUND_TRANSITIONS, RefundAction, RefundState, after
from fairwind.orders.store import orders as order_store
from fairwind.orders.store import refunds as refund_store
from fairwind.payments import Refunded, RefundRequest, request_refunds

Clawback = Callable[[Transaction, ShopId, Sequence[GivenBack], datetime], Awaitable[list[Transfer]]]
"""Answers the transfers that give money back, from whoever has it by now; called under the locks of its orders."""


async def from_escrow(_: Transaction, __: ShopId, given: Sequence[GivenBack], ___: datetime) -> list[Transfer]:
    """Give back what has not been settled: from escrow to the buyer and to the funders."""
    return escrow_returns(given)


def owes_nothing(_: ShopId) -> Query[int]:
    return Query("SELECT 0 AS owed_fen", (), lambda rows: int(rows[0].owed_fen))


class Backing(NamedTuple):
    """Who stands for what goes back after its money was settled.

    owed: asks what the shop owes beside its book, in fen; debt_max_fen: how much it may come to owe in all.
    """

    clawback: Clawback = from_escrow
    owed: Callable[[ShopId], Query[int]] = owes_nothing
    debt_max_fen: int = FEN_MAX


UNSETTLED = Backing()
"""Nothing has settled yet, and nobody owes anything."""


class ShopOwes(Refused):
    """The shop would give back more than it still has, of sales that were settled: an operator may give it."""

    code = "shop_owes"
    status = 409


class Asking(msgspec.Struct, frozen=True):
    """A refund that somebody asks for. buyer_id: the buyer, or None when the shop offers it by itself.

    by_operator: an operator gives it in the shop's name.
    """

    order_id: OrderId
    draft: RefundDraft
    person_id: PersonId
    buyer_id: PersonId | None
    by_operator: bool = False


class Answer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a shop says to a refund."""

    message: Annotated[str, Meta(max_length=500)] = ""


class Deciding(msgspec.Struct, frozen=True):
    """A decision on a refund. buyer_id: the buyer who withdraws, or None when the shop decides.

    by_operator: an operator decides it in the shop's name.
    """

    refund_id: RefundId
    action: RefundAction
    message: str
    buyer_id: PersonId | None
    by_operator: bool = False


async def ask_refunds(
    tx: Transaction,
    shop_id: ShopId,
    items: Sequence[Asking],
    now: datetime,
    window: timedelta,
    backing: Backing = UNSETTLED,
) -> list[Refund | Refused]:
    """Ask for refunds. What the shop itself offers, and what will not be shipped either, is agreed to at once.

    What a shop gives back after its money was settled is lent by the platform until the shop earns it again: at most
    until it owes as much as backing says, by its balance as the batch finds it. A return is looked at here, so that
    nobody sends goods back in vain, and again when they are back.
    """
    batch, (before, hashes, balance_fen, owed_fen) = await load_with_stock(
        tx,
        shop_id,
        {item.order_id for item in items},
        refund_store.refunds_of_orders(shop_id, {item.order_id for item in items}),
        refund_store.refund_hashes(shop_id, {item.draft.id for item in items}),
        *_credit(shop_id, backing),
    )
    batch.credit_fen = balance_fen - owed_fen + backing.debt_max_fen
    known = {refund.id: refund for refund in before}
    fresh: dict[RefundId, Refund] = {}
    outcomes: list[Refund | Refused] = []
    for item in items:
        outcome = _ask_one(batch, item, known, hashes, window, now)
        if isinstance(outcome, Refund) and outcome.id not in known:
            order = batch.orders[item.order_id]
            if outcome.kind == "refund_only" and (_by_shop(item, order) or needs_no_consent(order, outcome)):
                outcome = _agree(batch, outcome, RefundAction.AGREE, "", now)
            known[outcome.id] = fresh[outcome.id] = outcome
            hashes[outcome.id] = content_hash(item.draft, item.person_id)
        outcomes.append(outcome)
    await tx.together(
        *refund_store.refunds_added(shop_id, list(fresh.values()), [hashes[refund_id] for refund_id in fresh]),
    )
    await _save(tx, batch, list(fresh.values()), now, backing.clawback)
    return outcomes


def _ask_one(
    batch: Batch,
    item: Asking,
    known: dict[RefundId, Refund],
    hashes: dict[RefundId, bytes],
    window: timedelta,
    now: datetime,
) -> Refund | Refused:
    order = order_of(batch.orders, item.order_id, item.buyer_id)
    if isinstance(order, Refused):
        return order
    before = hashes.get(item.draft.id)
    if before is not None:
        refund = known.get(item.draft.id)  # missing when it is another order's
        if refund is None or refund.order_id != order.id or before != content_hash(item.draft, item.person_id):
            return IdReused(f"refund {item.draft.id} was asked for with other content; make a new id")
        return refund
    open_refunds = sum(refund.order_id == order.id and is_open(refund) for refund in known.values())
    by_shop = _by_shop(item, order)
    outcome = ask(order, open_refunds, item.draft, item.person_id, window, now, by_shop=by_shop)
    if not by_shop or item.by_operator or isinstance(outcome, Refused):
        return outcome
    return _lent(batch, order, outcome, window, now) or outcome


def _credit(shop_id: ShopId, backing: Backing) -> tuple[Query[int], Query[int]]:
    return balance_of(shop_id, ("shop", "supplier")), backing.owed(shop_id)


def _lent(batch: Batch, order: Order, refund: Refund, window: timedelta, now: datetime) -> ShopOwes | None:
    """Lend the shop what it gives by itself of goods that may have settled, with what goes back to funders of them."""
    if not any_over(order, window, now):
        return None
    given = given_back(order, agreed(order, refund, now), refund)
    given_fen = sum(each.amount_fen + sum(grant.amount_fen for grant in each.grants) for each in given)
    if given_fen > batch.credit_fen:
        left_fen = max(batch.credit_fen, 0)
        return ShopOwes(
            f"these goods were settled, this takes {given_fen} fen with the subsidies that go back, and the shop can"
            f" give {left_fen} fen now; give less, wait until it has earned more, or ask an operator",
            left_fen=left_fen,
        )
    batch.credit_fen -= given_fen
    return None


def _by_shop(item: Asking, order: Order) -> bool:
    """Whether the refund is given rather than asked for; nobody gives themselves their own money back."""
    return item.buyer_id is None and order.buyer_id != item.person_id


async def decide_refunds(
    tx: Transaction,
    shop_id: ShopId,
    items: Sequence[Deciding],
    now: datetime,
    window: timedelta,
    backing: Backing = UNSETTLED,
) -> list[Refund | Refused]:
    """Agree to, decline or withdraw refunds, or take returned goods back. Repeating a decision changes nothing."""
    order_ids = await tx.ask(refund_store.refund_orders(shop_id, {item.refund_id for item in items}))
    batch, (refunds, balance_fen, owed_fen) = await load_with_stock(
        tx,
        shop_id,
        set(order_ids.values()),
        refund_store.refunds_of_orders(shop_id, set(order_ids.values())),
        *_credit(shop_id, backing),
    )
    batch.credit_fen = balance_fen - owed_fen + backing.debt_max_fen
    known = {refund.id: refund for refund in refunds}
    changed: dict[RefundId, Refund] = {}
    outcomes: list[Refund | Refused] = []
    for item in items:
        outcome = _decide_one(batch, item, known.get(item.refund_id), window, now)
        if isinstance(outcome, Refund) and outcome != known[outcome.id]:
            known[outcome.id] = changed[outcome.id] = outcome
        outcomes.append(outcome)
    await _save(tx, batch, list(changed.values()), now, backing.clawback)
    return outcomes


def _decide_one(
    batch: Batch, item: Deciding, refund: Refund | None, window: timedelta, now: datetime
) -> Refund | Refused:
    if refund is None:
        return _no_refund(item.refund_id)
    order = order_of(batch.orders, refund.order_id, item.buyer_id)
    if isinstance(order, Refused):
        return _no_refund(item.refund_id)
    action = item.action
    if action == RefundAction.AGREE and refund.kind == "return":
        action = RefundAction.AWAIT_RETURN
    if refund.state in _LEADS_TO.get(action, ()):
        return refund  # decided so before
    state = after(REFUND_TRANSITIONS, refund.state, action)
    if isinstance(state, Refused):
        return state
    if state == RefundState.REFUNDING:
        return (
            still_fits(order, refund)
            or _refused_credit(batch, item, order, refund, window, now)
            or _agree(batch, refund, action, item.message, now)
        )
    return replace(refund, state=state, answer=item.message, decided_at=now)


def _refused_credit(
    batch: Batch, item: Deciding, order: Order, refund: Refund, window: timedelta, now: datetime
) -> ShopOwes | None:
    """What a buyer asked for in time has waited with its money; only what the shop offered may take what it has not."""
    if item.by_operator or refund.asked_by == order.buyer_id:
        return None
    return _lent(batch, order, refund, window, now)


_LEADS_TO = {
    RefundAction.AGREE: (RefundState.REFUNDING, RefundState.REFUNDED),
    RefundAction.AWAIT_RETURN: (RefundState.AWAITING_RETURN,),
    RefundAction.TAKE_BACK: (RefundState.REFUNDING, RefundState.REFUNDED),
    RefundAction.DECLINE: (RefundState.DECLINED,),
    RefundAction.WITHDRAW: (RefundState.WITHDRAWN,),
}


def _agree(batch: Batch, refund: Refund, action: RefundAction, message: str, now: datetime) -> Refund:
    """The refund agreed to: order, shelf and book change with it."""
    order = batch.orders[refund.order_id]
    state = after(REFUND_TRANSITIONS, refund.state, action)
    assert isinstance(state, RefundState)
    back = goods_back(order, refund)
    batch.shelf.put_back(Goods(back, order.buyer_id, order.limited & back.keys()))
    after_it = batch.change(agreed(order, refund, now))
    for was, line in zip(order.lines, after_it.lines, strict=True):
        batch.reserves.give_back(line.sku_id, line.reserve_returned - was.reserve_returned)
    given = given_back(order, after_it, refund)
    batch.purse.give_back(order.buyer_id, [grant for each in given for grant in each.grants])
    batch.given_back += given
    batch.events.append((events.REFUND_AGREED, events.refund_agreed(order, after_it, refund)))
    return replace(refund, state=state, answer=message, decided_at=now)


async def _save(tx: Transaction, batch: Batch, refunds: Sequence[Refund], now: datetime, clawback: Clawback) -> None:
    if batch.given_back:
        batch.transfers += await clawback(tx, batch.shop_id, batch.given_back, now)
    await tx.together(
        *refund_store.refunds_changed(batch.shop_id, refunds),
        *order_store.lines_changed(batch.shop_id, list(batch.changed.values())),
        *batch.saved(now),
    )
    requests = [_request(batch, refund) for refund in refunds if refund.state == RefundState.REFUNDING]
    for refused in await request_refunds(tx, batch.shop_id, requests, now):
        assert refused is None, f"what an order was paid can go back: {refused}"


def _request(batch: Batch, refund: Refund) -> RefundRequest:
    order = batch.orders[refund.order_id]
    assert order.payment_shop_id is not None
    assert order.payment_id is not None
    return RefundRequest(refund.id, order.payment_shop_id, order.payment_id, order.id, refund.amount_fen)


async def confirm_refunds(tx: Transaction, shop_id: ShopId, told: Sequence[Event], now: datetime) -> None:
    """The provider has sent money back: what was on its way to the buyer leaves the book."""
    words: list[Refunded] = [event.read(Refunded) for event in told]
    done = {word.refund_id: word for word in words}  # a word that is told twice counts once
    ids = done.keys()
    order_ids = await tx.ask(refund_store.refund_orders(shop_id, ids))
    _, refunds = await tx.together(
        order_store.order_rows_locked(shop_id, set(order_ids.values())),
        refund_store.refunds_of_orders(shop_id, set(order_ids.values())),
    )
    confirmed = [
        replace(refund, state=RefundState.REFUNDED, refunded_at=now)
        for refund in refunds
        if refund.id in ids and refund.state == RefundState.REFUNDING
    ]
    strays = await tx.ask(refund_store.strays_refunded(shop_id, ids - order_ids.keys(), now))
    fresh = {refund.id for refund in confirmed} | set(strays)
    transfers = [
        Transfer(BUYER_REFUND, PROVIDER, refunded.amount_fen, "refund_paid", refunded.order_id)
        for refunded in done.values()
        if refunded.refund_id in fresh
    ]
    await tx.together(*refund_store.refunds_changed(shop_id, confirmed), *transfers_posted(shop_id, transfers, now))


def _no_refund(refund_id: RefundId) -> NotFound:
    return NotFound(f"there is no refund {refund_id} that you may see")
