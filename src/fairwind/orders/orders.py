"""The order desk: a gate in front of each command, and the work that orders need without being asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from fairwind.alliance import Rating, RatingDraft
from fairwind.content import Placement, Placements
from fairwind.inventory import expired_holds
from fairwind.kernel import (
    Busy,
    Event,
    Gate,
    Invalid,
    OrderId,
    PaymentId,
    PersonId,
    Platform,
    Query,
    RefundId,
    Refused,
    ShopId,
    Stopping,
    Transaction,
    Unavailable,
    accepted,
)
from fairwind.kernel.pages import Before
from fairwind.orders import events
from fairwind.orders.commands.after_sales import (
    UNSETTLED,
    Asking,
    Backing,
    Clawback,
    Deciding,
    ask_refunds,
    decide_refunds,
)
from fairwind.orders.commands.batch import order_of
from fairwind.orders.commands.delivery import (
    Cancelling,
    Receiving,
    ShipmentDraft,
    Shipping,
    cancel,
    meet_deadlines,
    receive,
    ship,
)
from fairwind.orders.commands.paying import OrderKey, Paying, deliver, pay, start_payments
from fairwind.orders.commands.placing import place
from fairwind.orders.commands.rating import Saying, rate_lines
from fairwind.orders.order import Order, OrderDraft, Placing
from fairwind.orders.payment import Arrival
from fairwind.orders.pricing import FreightRule
from fairwind.orders.refund import Refund, RefundDraft
from fairwind.orders.states import RefundAction, RefundState, State, WrongState
from fairwind.orders.store import orders as order_store
from fairwind.orders.store import refunds as refund_store
from fairwind.payments import Notice, Payment, Payments

RECEIPT_AFTER = timedelta(days=10)
"""Goods count as received so long after shipping, when the buyer says nothing."""
_SWEPT_MAX = 2000
_SWEEPS_MAX = 10
"""A flash sale's holds expire together: one round of the job takes many pages of them."""
_PASSING = (Busy, Stopping, Unavailable)
"""Refusals that say nothing of what was asked: the same may go well in a moment."""

T = TypeVar("T")


class PlacementElsewhere(Refused):
    """The placement is for another shop's goods."""

    code = "placement_mismatch"
    status = 422


class PlacementExpired(Refused):
    """The goods were pinned so long ago that nobody buys from that session any more."""

    code = "placement_expired"
    status = 422


class ShopOrderDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One shop's part of a checkout."""

    shop_id: Annotated[ShopId, Meta(ge=1)]
    order: OrderDraft


class Orders:
    """Orders of all shops."""

    def __init__(self, platform: Platform, payments: Payments, placements: Placements) -> None:
        settings = platform.settings
        hold_ttl = timedelta(seconds=settings.hold_ttl_s)
        self.after_sales_window = timedelta(seconds=settings.after_sales_window_s)
        self._platform = platform
        self._payments = payments
        self._placements = placements
        self._placement_ttl = timedelta(seconds=settings.placement_ttl_s)
        window = self.after_sales_window
        self.placing: Gate[ShopId, Placing, Order] = platform.gate(
            "place", partial(place, hold_ttl=hold_ttl, window=window)
        )
        self._starting: Gate[ShopId, Paying, Payment] = platform.gate("start_payment", start_payments)
        self.delivering: Gate[ShopId, Notice, None] = platform.gate("deliver", deliver)
        self._paying: Gate[ShopId, Arrival, None] = platform.gate("pay", pay)
        self._cancelling: Gate[ShopId, Cancelling, Order] = platform.gate("cancel", cancel)
        self.shipping: Gate[ShopId, Shipping, Order] = platform.gate("ship", partial(ship, receipt_after=RECEIPT_AFTER))
        self._receiving: Gate[ShopId, Receiving, Order] = platform.gate("receive", partial(receive, window=window))
        self._overdue: Gate[ShopId, OrderId, None] = platform.gate("deadline", partial(meet_deadlines, window=window))
        self._asking: Gate[ShopId, Asking, Refund] = platform.gate("ask_refund", self._ask_refunds)
        self._deciding: Gate[ShopId, Deciding, Refund] = platform.gate("decide_refund", self._decide_refunds)
        self._rating: Gate[ShopId, Saying, Rating] = platform.gate("rate", rate_lines)
        self._backing = UNSETTLED

    def back_by(self, clawback: Clawback, owed: Callable[[ShopId], Query[int]]) -> None:
        """Have clawback say whose money a refund takes where it is in escrow no more, and owed what a shop owes."""
        self._backing = Backing(clawback, owed, self._platform.settings.shop_debt_max_fen)

    async def _ask_refunds(
        self, tx: Transaction, shop_id: ShopId, items: Sequence[Asking], now: datetime
    ) -> list[Refund | Refused]:
        return await ask_refunds(tx, shop_id, items, now, self.after_sales_window, self._backing)

    async def _decide_refunds(
        self, tx: Transaction, shop_id: ShopId, items: Sequence[Deciding], now: datetime
    ) -> list[Refund | Refused]:
        return await decide_refunds(tx, shop_id, items, now, self.after_sales_window, self._backing)

    async def place(self, shop_id: ShopId, draft: OrderDraft, buyer_id: PersonId) -> Order:
        """Place an order; it is committed when this answers."""
        placements = tuple([await self._placement(shop_id, line.placement) for line in draft.lines])
        return await self.placing(shop_id, Placing(buyer_id, draft, placements))

    async def _placement(self, shop_id: ShopId, token: str | None) -> Placement | None:
        if token is None:
            return None
        placement = await self._placements.read(token)
        if placement.shop_id != shop_id:
            raise PlacementElsewhere("the placement is for another shop's goods; use that of the goods' own pin")
        if self._platform.clock.now() - placement.issued_at > self._placement_ttl:
            raise PlacementExpired("the placement is too old; open the live session again, or order without one")
        return placement

    async def check_out(self, drafts: Sequence[ShopOrderDraft], buyer_id: PersonId) -> list[Order]:
        """Place one order per shop, all or none: when a shop refuses, what this checkout placed is cancelled again.

        Asked again, it answers its orders as they stand, and places those that it could not place before; once it was
        undone it stays so, and WrongState says that. What passes (Busy, Stopping, Unavailable) undoes nothing: asked
        again it goes on. Should nobody ask, or the server die in between, the holds expire by themselves.
        """
        if len({draft.shop_id for draft in drafts}) < len(drafts):
            raise Invalid("a checkout has one order per shop")
        before = await self._placed_before(drafts, buyer_id)
        undone = [order for order in before.values() if order.state != State.PLACED]
        if undone and len(before) < len(drafts):
            raise WrongState(
                f"order {undone[0].id} of this checkout is {undone[0].state}; check out again with new order ids",
                state=undone[0].state.value,
            )
        outcomes = await asyncio.gather(
            *(self.place(draft.shop_id, draft.order, buyer_id) for draft in drafts), return_exceptions=True
        )
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        placed = [outcome for outcome in outcomes if isinstance(outcome, Order)]
        for failure in failures:
            if not isinstance(failure, _PASSING):
                fresh = [order for order in placed if (order.shop_id, order.id) not in before]
                await asyncio.gather(
                    *(self.cancel(order.shop_id, order.id, buyer_id) for order in fresh), return_exceptions=True
                )
                raise failure
        if failures:
            raise failures[0]
        return placed

    async def _placed_before(
        self, drafts: Sequence[ShopOrderDraft], buyer_id: PersonId
    ) -> dict[tuple[ShopId, OrderId], Order]:
        """Those of a checkout's orders that an earlier attempt has placed."""
        async with self._platform.database.transaction() as tx:
            found = [await order_store.orders_by_id(tx, draft.shop_id, {draft.order.id}) for draft in drafts]
        orders = [order for of_shop in found for order in of_shop.values()]
        return {(order.shop_id, order.id): order for order in orders if order.buyer_id == buyer_id}

    async def start_payment(self, payment_id: PaymentId, keys: Sequence[OrderKey], buyer_id: PersonId) -> Payment:
        """One payment for placed orders of one buyer; its page is at the provider."""
        if len({key.shop_id for key in keys}) < len(keys):
            raise Invalid("a payment pays one order per shop")
        paying = Paying(payment_id, buyer_id, tuple(keys))
        payment = await self._starting(paying.home, paying)
        if payment.state != "created":
            return payment
        return msgspec.structs.replace(payment, pay_url=await self._payments.page_of(payment))

    async def cancel(self, shop_id: ShopId, order_id: OrderId, buyer_id: PersonId) -> Order:
        return await self._cancelling(shop_id, Cancelling(order_id, buyer_id))

    async def ship(self, shop_id: ShopId, order_id: OrderId, shipment: ShipmentDraft) -> Order:
        return await self.shipping(shop_id, Shipping(order_id, shipment))

    async def receive(self, shop_id: ShopId, order_id: OrderId, buyer_id: PersonId) -> Order:
        return await self._receiving(shop_id, Receiving(order_id, buyer_id))

    async def ask_refund(
        self,
        shop_id: ShopId,
        order_id: OrderId,
        draft: RefundDraft,
        person_id: PersonId,
        *,
        by_shop: bool,
        by_operator: bool = False,
    ) -> Refund:
        buyer_id = None if by_shop or by_operator else person_id
        return await self._asking(shop_id, Asking(order_id, draft, person_id, buyer_id, by_operator))

    async def decide_refund(
        self,
        shop_id: ShopId,
        refund_id: RefundId,
        action: RefundAction,
        message: str = "",
        buyer_id: PersonId | None = None,
        *,
        by_operator: bool = False,
    ) -> Refund:
        return await self._deciding(shop_id, Deciding(refund_id, action, message, buyer_id, by_operator))

    async def rate(
        self, shop_id: ShopId, order_id: OrderId, line_no: int, buyer_id: PersonId, draft: RatingDraft
    ) -> Rating:
        return await self._rating(shop_id, Saying(order_id, line_no, buyer_id, draft))

    async def order(self, shop_id: ShopId, order_id: OrderId, buyer_id: PersonId | None) -> Order:
        """The order as it stands; buyer_id is None for somebody who may see the shop's orders."""
        async with self._platform.database.transaction() as tx:
            return accepted(order_of(await order_store.orders_by_id(tx, shop_id, {order_id}), order_id, buyer_id))

    async def orders_of_buyer(self, buyer_id: PersonId, before: Before, limit: int) -> list[Order]:
        async with self._platform.database.transaction() as tx:
            return await order_store.orders_of_buyer(tx, buyer_id, before, limit)

    async def orders_of_shop(self, shop_id: ShopId, state: State | None, before: Before, limit: int) -> list[Order]:
        async with self._platform.database.transaction() as tx:
            return await order_store.orders_of_shop(tx, shop_id, state, before, limit)

    async def refunds_of_order(self, shop_id: ShopId, order_id: OrderId, buyer_id: PersonId | None) -> list[Refund]:
        await self.order(shop_id, order_id, buyer_id)
        return await self._ask(refund_store.refunds_of_orders(shop_id, {order_id}))

    async def refunds_of_shop(
        self, shop_id: ShopId, state: RefundState | None, before: Before, limit: int
    ) -> list[Refund]:
        async with self._platform.database.transaction() as tx:
            return await refund_store.refunds_of_shop(tx, shop_id, state, before, limit)

    async def freight_rule(self, shop_id: ShopId) -> FreightRule:
        return await self._ask(order_store.freight_rule(shop_id))

    async def set_freight_rule(self, shop_id: ShopId, rule: FreightRule) -> FreightRule:
        await self._platform.database.run(lambda tx: tx.ask(order_store.freight_rule_saved(shop_id, rule)))
        return rule

    async def _ask(self, query: Query[T]) -> T:
        async with self._platform.database.transaction() as tx:
            return await tx.ask(query)

    # What happens without anybody asking.

    async def time_out_unpaid(self) -> None:
        """Cancel orders whose hold has expired."""
        for _ in range(_SWEEPS_MAX):
            due = await self._ask(expired_holds(self._platform.clock.now(), _SWEPT_MAX))
            if not due:
                return
            await _all(self._cancelling(shop_id, Cancelling(order_id, None)) for shop_id, order_id in due)

    async def meet_deadlines(self) -> None:
        """Receive what nobody said was received; complete what can no longer come back."""
        due = await self._ask(order_store.deadlines_due(self._platform.clock.now(), _SWEPT_MAX))
        await _all(self._overdue(shop_id, order_id) for shop_id, order_id in due)

    async def pay_part(self, _: Transaction, __: ShopId, told: Sequence[Event], ___: datetime) -> None:
        """Parts of payments at home in another shop pay their orders here, in a transaction of this shop."""
        parts = [event.read(events.PartPaid) for event in told]
        await asyncio.gather(*(self._paying(part.shop_id, part.arrival) for part in parts))


async def _all(calls: Iterable[Awaitable[object]]) -> None:
    """Await all; a refusal means that somebody was quicker, which is fine."""
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException) and not isinstance(outcome, Refused):
            raise outcome
