"""Orders against the database: what a batch keeps apart, what a repetition changes, and what time brings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from fairwind.inventory import set_buyer_limit, stock_of
from fairwind.kernel import (
    Database,
    Event,
    EventId,
    Fen,
    IdReused,
    NotFound,
    OrderId,
    PaymentId,
    PersonId,
    Refused,
    accepted,
    uuid7,
)
from fairwind.kernel.pages import NEWEST
from fairwind.ledger import balances
from fairwind.orders import Order, State
from fairwind.orders.commands.after_sales import Asking, Deciding, ask_refunds, confirm_refunds, decide_refunds
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
from fairwind.orders.payment import Arrival
from fairwind.orders.refund import Refund, RefundDraft, RefundLineDraft
from fairwind.orders.states import RefundAction, RefundState
from fairwind.orders.store import orders as store
from fairwind.orders.store.refunds import refunds_of_shop
from fairwind.payments import Draft, Notice, Part, Refunded, create, record
from market import (
    BUYER,
    HOLD_TTL,
    NOW,
    RECEIPT_AFTER,
    WINDOW,
    Shop,
    broken,
    open_shop,
    order_id,
    paid,
    payment_for,
    payment_id,
    placed,
    placing,
    refund_id,
)

MERCHANT = PersonId(1)
SHIPMENT = ShipmentDraft("顺丰速运", "SF1234567890")


@pytest.fixture(scope="module")
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as database:
        yield database


async def order_now(database: Database, order: Order) -> Order:
    async with database.transaction() as tx:
        return (await store.orders_by_id(tx, order.shop_id, [order.id]))[order.id]


async def paid_order(database: Database, shop: Shop, quantity: int = 1) -> Order:
    order = await placed(database, shop, (shop.sku_ids[0], quantity))
    await paid(database, order)
    return await order_now(database, order)


async def shipped_order(database: Database, shop: Shop, quantity: int = 1) -> Order:
    order = await paid_order(database, shop, quantity)
    items = [Shipping(order.id, SHIPMENT)]
    [shipped] = await database.run(lambda tx: ship(tx, shop.id, items, NOW, RECEIPT_AFTER))
    return accepted(shipped)


async def book(database: Database, shop: Shop) -> dict[str, int]:
    async with database.transaction() as tx:
        return {balance.kind: balance.balance_fen for balance in await tx.ask(balances(shop.id))}


async def deadline(database: Database, order: Order) -> timedelta | None:
    """When the order is looked at next, from NOW on."""
    async with database.transaction() as tx:
        row = await tx.row(
            "SELECT due_at FROM orders.deadline WHERE shop_id = %s AND order_id = %s", (order.shop_id, order.id)
        )
        return row.due_at - NOW if row else None


def starting(*orders: Order, buyer_id: PersonId = BUYER) -> Paying:
    return Paying(payment_id(), buyer_id, tuple(OrderKey(order.shop_id, order.id) for order in orders))


async def paid_under(database: Database, id: PaymentId, *orders: Order) -> None:  # noqa: A002
    """One payment under id pays these orders, the parts of other shops by way of the outbox."""
    parts = tuple(sorted(Part(order.shop_id, order.id, order.total_fen) for order in orders))
    home = parts[0].shop_id
    draft = Draft(id, BUYER, parts, NOW + HOLD_TTL)
    notice = Notice(id, home, draft.amount_fen, "succeeded", f"ref-{home}", NOW)
    await database.run(lambda tx: create(tx, home, [draft], NOW))
    await database.run(lambda tx: deliver(tx, home, [notice], NOW))
    for part in parts[1:]:
        arrival = Arrival(part.order_id, home, id, part.amount_fen)
        await database.run(lambda tx: pay(tx, part.shop_id, [arrival], NOW))  # noqa: B023


def whole(kind: str = "refund_only") -> RefundDraft:
    return RefundDraft(refund_id(), kind, "不想要了")  # type: ignore[arg-type]


async def ask(database: Database, shop: Shop, *items: Asking) -> list[Refund | Refused]:
    return await database.run(lambda tx: ask_refunds(tx, shop.id, items, NOW, WINDOW))


async def decide(
    database: Database, shop: Shop, refund: Refund, action: RefundAction, buyer_id: PersonId | None = None
) -> Refund | Refused:
    items = [Deciding(refund.id, action, "好的", buyer_id)]
    return (await database.run(lambda tx: decide_refunds(tx, shop.id, items, NOW, WINDOW)))[0]


class TestPlacing:
    async def test_a_refused_order_leaves_its_neighbours_alone(self, database: Database) -> None:
        shop = await open_shop(database, 3)
        items = [placing((shop.sku_id, 2)), placing((shop.sku_id, 2)), placing((1, 1)), placing((shop.sku_id, 1))]  # type: ignore[arg-type]
        outcomes = await database.run(lambda tx: place(tx, shop.id, items, NOW, HOLD_TTL))
        assert [getattr(outcome, "code", "placed") for outcome in outcomes] == [
            "placed",
            "out_of_stock",
            "not_found",
            "placed",
        ]

    async def test_the_same_order_again_answers_as_it_stands_and_holds_nothing_more(self, database: Database) -> None:
        shop = await open_shop(database, 5)
        item = placing((shop.sku_id, 2))
        for _ in range(2):
            first, second = await database.run(lambda tx: place(tx, shop.id, [item, item], NOW, HOLD_TTL))
            assert first == second == await order_now(database, accepted(first))
        async with database.transaction() as tx:
            assert (await stock_of(tx, shop.id, [shop.sku_id]))[shop.sku_id].held_quantity == 2

    @pytest.mark.parametrize("apart", ["quantity", "buyer", "address", "note", "total"])
    async def test_an_id_stands_for_one_order_only(self, database: Database, apart: str) -> None:
        shop = await open_shop(database, 5)
        item = placing((shop.sku_id, 1))
        draft = item.draft
        other = {
            "quantity": placing((shop.sku_id, 2), id=draft.id),
            "buyer": replace(item, buyer_id=PersonId(8)),
            "address": replace(item, draft=replace(draft, address=replace(draft.address, detail="别处"))),
            "note": replace(item, draft=replace(draft, note="快一点")),
            "total": replace(item, draft=replace(draft, total_fen=9900)),
        }[apart]
        first, second = await database.run(lambda tx: place(tx, shop.id, [item, other], NOW, HOLD_TTL))
        assert isinstance(first, Order)
        assert isinstance(second, IdReused)
        [again] = await database.run(lambda tx: place(tx, shop.id, [other], NOW, HOLD_TTL))
        assert isinstance(again, IdReused)

    async def test_a_refused_order_may_come_again(self, database: Database) -> None:
        shop = await open_shop(database, 1)
        first, item = placing((shop.sku_id, 1)), placing((shop.sku_id, 1))
        outcomes = await database.run(lambda tx: place(tx, shop.id, [first, item], NOW, HOLD_TTL))
        assert outcomes[1].code == "out_of_stock"  # type: ignore[union-attr]
        await database.run(lambda tx: cancel(tx, shop.id, [Cancelling(first.draft.id, BUYER)], NOW))
        [outcome] = await database.run(lambda tx: place(tx, shop.id, [item], NOW, HOLD_TTL))
        assert isinstance(outcome, Order)

    async def test_a_placed_order_keeps_its_price_and_its_texts_whatever_they_hold(self, database: Database) -> None:
        shop = await open_shop(database, 1)
        item = placing((shop.sku_id, 1))
        note = "请“轻放” \\ {NULL} \t\n\u2028 %s 🎁"
        item = replace(item, draft=replace(item.draft, note=note))
        [order] = await database.run(lambda tx: place(tx, shop.id, [item], NOW, HOLD_TTL))
        await database.run(lambda tx: _reprice(tx, shop, 1))
        kept = await order_now(database, accepted(order))
        assert (kept.note, kept.total_fen, kept.address) == (note, 9900, item.draft.address)


async def _reprice(tx: object, shop: Shop, price_fen: int) -> None:
    await tx.execute(  # type: ignore[attr-defined]
        "UPDATE catalog.sku SET price_fen = %s WHERE shop_id = %s", (price_fen, shop.id)
    )


class TestPaying:
    async def test_payments_start_in_a_batch_and_each_buyer_only_for_placed_orders_of_their_own(
        self, database: Database
    ) -> None:
        shops = [await open_shop(database, 5) for _ in range(2)]
        here, there, gone = [await placed(database, shop) for shop in (*shops, shops[0])]
        await database.run(lambda tx: cancel(tx, gone.shop_id, [Cancelling(gone.id, BUYER)], NOW))
        both = starting(there, here)
        wishes = [both, starting(here, gone), starting(here, buyer_id=PersonId(8)), starting(here)]

        outcomes = await database.run(lambda tx: start_payments(tx, shops[0].id, wishes, NOW))

        assert [getattr(outcome, "code", "started") for outcome in outcomes] == [
            "started",
            "wrong_state",
            "not_found",
            "started",
        ]
        payment = accepted(outcomes[0])
        assert [(part.order_id, part.amount_fen) for part in payment.parts] == [
            (here.id, here.total_fen),
            (there.id, there.total_fen),
        ]
        assert payment.expires_at == here.expires_at

    async def test_a_payment_that_was_started_answers_the_same_when_its_order_has_moved_on(
        self, database: Database
    ) -> None:
        shop = await open_shop(database, 5)
        order, other = [await placed(database, shop) for _ in range(2)]
        wish = starting(order)
        [first] = await database.run(lambda tx: start_payments(tx, shop.id, [wish], NOW))
        await database.run(lambda tx: cancel(tx, shop.id, [Cancelling(order.id, BUYER)], NOW))

        wishes = [wish, replace(wish, orders=starting(other).orders)]
        again, reused = await database.run(lambda tx: start_payments(tx, shop.id, wishes, NOW))

        assert again == first
        assert isinstance(reused, IdReused)

    async def test_late_money_is_held_to_a_limit_that_was_set_since(self, database: Database) -> None:
        shop = await open_shop(database, 9)
        lapsed = await placed(database, shop, (shop.sku_id, 2))
        notice = await payment_for(database, lapsed)
        await database.run(lambda tx: cancel(tx, shop.id, [Cancelling(lapsed.id, None)], NOW))
        await database.run(lambda tx: set_buyer_limit(tx, shop.id, shop.sku_id, 2))
        await placed(database, shop, (shop.sku_id, 2))
        await database.run(lambda tx: deliver(tx, shop.id, [notice], NOW))
        assert (await order_now(database, lapsed)).state == State.CANCELLED
        assert await book(database, shop) == {"provider": -19800, "escrow": 0, "buyer_refund": 19800}

    async def test_two_payments_of_one_order_in_one_batch_pay_it_once(self, database: Database) -> None:
        shop = await open_shop(database, 1)
        order = await placed(database, shop)
        notices = [await payment_for(database, order) for _ in range(2)]
        await database.run(lambda tx: deliver(tx, shop.id, notices + notices, NOW))
        assert await book(database, shop) == {"provider": -19800, "escrow": 9900, "buyer_refund": 9900}

    async def test_money_that_is_told_of_twice_at_once_goes_back_once_from_an_order_that_is_over(
        self, database: Database
    ) -> None:
        shop = await open_shop(database, 1)
        order = await placed(database, shop)
        notice = await payment_for(database, order)
        await database.run(lambda tx: cancel(tx, shop.id, [Cancelling(order.id, BUYER)], NOW))
        await database.run(lambda tx: record(tx, shop.id, [notice], NOW))
        arrival = Arrival(order.id, shop.id, notice.payment_id, order.total_fen)
        for _ in range(2):
            await database.run(lambda tx: pay(tx, shop.id, [arrival, arrival], NOW))
        assert await book(database, shop) == {"provider": -9900, "escrow": 0, "buyer_refund": 9900}

    async def test_one_id_in_two_homes_is_two_payments_and_neither_takes_the_others_money(
        self, database: Database
    ) -> None:
        """Buyers make the ids: what is paid twice goes back, and every order is refunded from what paid it."""
        first, second = sorted([await open_shop(database, 5) for _ in range(2)], key=lambda shop: shop.id)
        here, there, other = [await placed(database, shop) for shop in (first, second, second)]
        one, two = payment_id(), payment_id()
        await paid_under(database, one, here, there)
        await paid_under(database, one, there)
        assert await book(database, second) == {"provider": -19800, "escrow": 9900, "buyer_refund": 9900}

        await paid_under(database, two, await placed(database, first), await placed(database, second))
        await paid_under(database, two, other)
        for order in (there, other):
            [refund] = await ask(database, second, Asking(order.id, whole(), BUYER, BUYER))
            assert accepted(refund).state == RefundState.REFUNDING
        async with database.transaction() as tx:
            assert await broken(tx, [first.id, second.id]) == []


class TestRefunds:
    async def test_another_orders_refund_does_not_answer_for_this_one(self, database: Database) -> None:
        """Not even when both orders are in the batch."""
        shop = await open_shop(database, 2)
        one, other = [await paid_order(database, shop) for _ in range(2)]
        draft = whole()
        first, second = await ask(
            database, shop, Asking(one.id, draft, BUYER, BUYER), Asking(other.id, draft, BUYER, BUYER)
        )
        assert isinstance(first, Refund)
        assert isinstance(second, IdReused)
        first, second = await ask(
            database, shop, Asking(one.id, draft, BUYER, BUYER), Asking(other.id, draft, BUYER, BUYER)
        )
        assert isinstance(first, Refund)
        assert isinstance(second, IdReused)
        assert (await order_now(database, other)).refunded_fen == 0

    async def test_a_bargain_before_shipping_waits_for_the_shop_and_holds_the_parcel(self, database: Database) -> None:
        shop = await open_shop(database, 2)
        order = await paid_order(database, shop)
        draft = RefundDraft(refund_id(), "refund_only", "便宜点", (RefundLineDraft(1, Fen(9800)),))
        [refund] = await ask(database, shop, Asking(order.id, draft, BUYER, BUYER))
        assert accepted(refund).state == RefundState.REQUESTED
        items = [Shipping(order.id, SHIPMENT)]
        [refused] = await database.run(lambda tx: ship(tx, shop.id, items, NOW, RECEIPT_AFTER))
        assert refused.code == "refund_open"  # type: ignore[union-attr]
        agreed = await decide(database, shop, accepted(refund), RefundAction.AGREE)
        assert accepted(agreed).state == RefundState.REFUNDING
        [shipped] = await database.run(lambda tx: ship(tx, shop.id, items, NOW, RECEIPT_AFTER))
        assert accepted(shipped).refunded_fen == 9800

    async def test_an_order_refunded_by_parts_before_shipping_gives_all_its_goods_back(
        self, database: Database
    ) -> None:
        shop = await open_shop(database, 3)
        order = await paid_order(database, shop, 3)
        parts = [RefundLineDraft(1, Fen(9900 * 2), 0), RefundLineDraft(1, Fen(9900), 1)]
        for part in parts:
            draft = RefundDraft(refund_id(), "refund_only", "不想要了", (part,))
            await ask(database, shop, Asking(order.id, draft, MERCHANT, None))
        assert (await order_now(database, order)).state == State.REFUNDED
        async with database.transaction() as tx:
            stock = (await stock_of(tx, shop.id, [shop.sku_id]))[shop.sku_id]
        assert (stock.sold_quantity, stock.available) == (0, 3)

    async def test_a_refund_that_is_told_of_twice_at_once_leaves_the_book_once(self, database: Database) -> None:
        shop = await open_shop(database, 2)
        order = await paid_order(database, shop)
        [refund] = await ask(database, shop, Asking(order.id, whole(), BUYER, BUYER))
        assert order.payment_id is not None
        told = Refunded(accepted(refund).id, order.id, order.payment_id, order.total_fen)
        event = Event(EventId(uuid7(NOW)), shop.id, "payments.refunded", msgspec.Raw(msgspec.json.encode(told)), NOW)
        for _ in range(2):
            await database.run(lambda tx: confirm_refunds(tx, shop.id, [event, event], NOW))
        assert await book(database, shop) == {"provider": 0, "escrow": 0, "buyer_refund": 0}

    async def test_a_decision_repeated_changes_nothing(self, database: Database) -> None:
        shop = await open_shop(database, 1)
        order = await shipped_order(database, shop)
        [asked] = await ask(database, shop, Asking(order.id, whole("return"), BUYER, BUYER))
        for action, state in [
            (RefundAction.AGREE, RefundState.AWAITING_RETURN),
            (RefundAction.AGREE, RefundState.AWAITING_RETURN),
            (RefundAction.TAKE_BACK, RefundState.REFUNDING),
            (RefundAction.TAKE_BACK, RefundState.REFUNDING),
        ]:
            assert accepted(await decide(database, shop, accepted(asked), action)).state == state
        assert await book(database, shop) == {"provider": -9900, "escrow": 0, "buyer_refund": 9900}

    async def test_nobody_else_may_ask_or_withdraw(self, database: Database) -> None:
        shop = await open_shop(database, 1)
        order = await shipped_order(database, shop)
        stranger = PersonId(BUYER + 1)
        [refused] = await ask(database, shop, Asking(order.id, whole(), stranger, stranger))
        assert isinstance(refused, NotFound)
        [refund] = await ask(database, shop, Asking(order.id, whole(), BUYER, BUYER))
        assert isinstance(await decide(database, shop, accepted(refund), RefundAction.WITHDRAW, stranger), NotFound)
        assert accepted(await decide(database, shop, accepted(refund), RefundAction.WITHDRAW, BUYER)).answer == "好的"


class TestTime:
    async def test_goods_count_as_received_and_the_order_completes_by_itself(self, database: Database) -> None:
        shop = await open_shop(database, 1)
        order = await shipped_order(database, shop)
        assert await deadline(database, order) == RECEIPT_AFTER
        received_at = NOW + RECEIPT_AFTER
        await database.run(lambda tx: meet_deadlines(tx, shop.id, [order.id], received_at, WINDOW))
        assert (await order_now(database, order)).state == State.RECEIVED
        assert await deadline(database, order) == RECEIPT_AFTER + WINDOW
        await database.run(lambda tx: meet_deadlines(tx, shop.id, [order.id], received_at + WINDOW, WINDOW))
        assert (await order_now(database, order)).state == State.COMPLETED
        assert await deadline(database, order) is None

    async def test_an_order_does_not_complete_while_a_refund_waits(self, database: Database) -> None:
        shop = await open_shop(database, 1)
        order = await shipped_order(database, shop)
        await database.run(lambda tx: receive(tx, shop.id, [Receiving(order.id, BUYER)], NOW, WINDOW))
        [refund] = await ask(database, shop, Asking(order.id, whole(), BUYER, BUYER))
        await database.run(lambda tx: meet_deadlines(tx, shop.id, [order.id], NOW + WINDOW, WINDOW))
        assert (await order_now(database, order)).state == State.RECEIVED
        assert await deadline(database, order) == WINDOW + timedelta(hours=1)
        await decide(database, shop, accepted(refund), RefundAction.DECLINE)
        await database.run(lambda tx: meet_deadlines(tx, shop.id, [order.id], NOW + WINDOW, WINDOW))
        assert (await order_now(database, order)).state == State.COMPLETED

    async def test_a_deadline_met_by_a_server_that_comes_late_stays_where_it_belongs(self, database: Database) -> None:
        """Two servers read that an order is due; the buyer says it arrived before the second comes to it."""
        shop = await open_shop(database, 1)
        order = await shipped_order(database, shop)
        await database.run(lambda tx: receive(tx, shop.id, [Receiving(order.id, BUYER)], NOW, WINDOW))
        await ask(database, shop, Asking(order.id, whole(), BUYER, BUYER))
        later = NOW + timedelta(seconds=1)
        await database.run(lambda tx: meet_deadlines(tx, shop.id, [order.id], later, WINDOW))
        assert await deadline(database, order) == WINDOW

    async def test_an_order_that_is_over_is_not_looked_at_again(self, database: Database) -> None:
        shop = await open_shop(database, 1)
        order = await shipped_order(database, shop)
        await ask(database, shop, Asking(order.id, whole(), MERCHANT, None))
        await database.run(lambda tx: meet_deadlines(tx, shop.id, [order.id], NOW + RECEIPT_AFTER, WINDOW))
        assert (await order_now(database, order)).state == State.REFUNDED
        assert await deadline(database, order) is None


class TestOrdersOfAShop:
    async def test_an_order_is_another_shops_under_the_same_id(self, database: Database) -> None:
        one, other = await open_shop(database, 1), await open_shop(database, 1)
        the_id = order_id()
        for shop in (one, other):
            item = placing((shop.sku_id, 1), id=the_id)
            [order] = await database.run(lambda tx, shop=shop, item=item: place(tx, shop.id, [item], NOW, HOLD_TTL))
            assert accepted(order).shop_id == shop.id
        [gone] = await database.run(lambda tx: cancel(tx, one.id, [Cancelling(the_id, BUYER)], NOW))
        assert accepted(gone).state == State.CANCELLED
        async with database.transaction() as tx:
            assert (await store.orders_by_id(tx, other.id, [the_id]))[the_id].state == State.PLACED

    async def test_what_does_not_exist_is_refused_one_by_one(self, database: Database) -> None:
        shop = await open_shop(database, 1)
        order = await placed(database, shop)
        nothing = order_id()
        ids: Sequence[OrderId] = [nothing, order.id, nothing]
        items = [Cancelling(each, BUYER) for each in ids]
        outcomes = await database.run(lambda tx: cancel(tx, shop.id, items, NOW))
        assert [type(outcome) for outcome in outcomes] == [NotFound, Order, NotFound]

    async def test_pages_of_orders_are_whole_and_in_order(self, database: Database) -> None:
        shop = await open_shop(database, 99)
        buyer = PersonId(int(shop.id) + 10**9)
        items = [placing((shop.sku_id, 1), buyer_id=buyer) for _ in range(7)]
        for now in (NOW, NOW + timedelta(seconds=1)):
            batch = items if now == NOW else [placing((shop.sku_id, 1), buyer_id=buyer) for _ in range(2)]
            await database.run(lambda tx, batch=batch, now=now: place(tx, shop.id, batch, now, HOLD_TTL))
        seen: list[Order] = []
        async with database.transaction() as tx:
            before = NEWEST
            while more := await store.orders_of_buyer(tx, buyer, before, 4):
                seen += more
                before = (more[-1].placed_at, more[-1].id)
            assert seen == await store.orders_of_shop(tx, shop.id, None, NEWEST, 99)
            assert seen == await store.orders_of_shop(tx, shop.id, State.PLACED, NEWEST, 99)
            assert await store.orders_of_shop(tx, shop.id, State.PAID, NEWEST, 99) == []
        assert len(seen) == len({order.id for order in seen}) == 9
        assert seen == sorted(seen, key=lambda order: (order.placed_at, order.id), reverse=True)
        assert all(len(order.lines) == 1 for order in seen)

    async def test_a_shop_leafs_through_its_refunds_all_or_those_in_one_state(self, database: Database) -> None:
        shop = await open_shop(database, 3)
        orders = [await paid_order(database, shop), await shipped_order(database, shop)]
        asked = await ask(database, shop, *(Asking(order.id, whole(), BUYER, BUYER) for order in orders))
        agreed, waiting = sorted(map(accepted, asked), key=lambda refund: refund.state)
        async with database.transaction() as tx:
            assert await refunds_of_shop(tx, shop.id, RefundState.REQUESTED, NEWEST, 99) == [waiting]
            newer, older = await refunds_of_shop(tx, shop.id, None, NEWEST, 99)
            assert await refunds_of_shop(tx, shop.id, None, (newer.asked_at, newer.id), 99) == [older]
        assert [newer.id, older.id] == sorted([agreed.id, waiting.id], reverse=True)
