"""Forty calls at the same moment for what is there once: never one too many, whoever stands in front of the database.

Each race is run three times: as one server does, through a gate; as four servers do, each through a gate of its own;
and with no gate at all, a transaction for each call and twenty at the same moment.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import partial
from itertools import cycle
from random import Random
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from fairwind.inventory import AdjustmentDraft, Stock, set_buyer_limit, stock_of
from fairwind.inventory.commands import Adjusting, adjust
from fairwind.kernel import (
    Database,
    Event,
    EventId,
    Fen,
    PersonId,
    Platform,
    Refused,
    Settings,
    ShiftedClock,
    Transaction,
    accepted,
    metrics,
    uuid7,
)
from fairwind.ledger import balances
from fairwind.orders import Order, Orders, State
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
from fairwind.orders.commands.paying import deliver
from fairwind.orders.commands.placing import place
from fairwind.orders.events import PART_PAID
from fairwind.orders.refund import Refund, RefundDraft, RefundLineDraft
from fairwind.orders.states import RefundAction
from fairwind.orders.store import orders as store
from fairwind.payments import Refunded
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
    people,
    placed,
    placing,
    refund_id,
)

MERCHANT = PersonId(1)
CALLS = 40
CONNECTIONS = 20
"""At the same moment; few enough that several test workers fit on one server."""
Command = Callable[..., Awaitable[Sequence[Any]]]
Call = tuple[Command, Any]
"""A batch command, bound to all but transaction, shop, items and time; and its one item."""


class Ways:
    """How calls reach the database."""

    def __init__(self, url: str, database: Database) -> None:
        self._database = database
        self._settings = Settings(database_url=url)

    async def alone(self, shop: Shop, calls: Iterable[Call]) -> list[Any]:
        """Each in a transaction of its own."""

        async def run(command: Command, item: Any) -> Any:
            return (await self._database.run(lambda tx: command(tx, shop.id, [item], NOW)))[0]

        return await asyncio.gather(*(run(*call) for call in calls))

    async def gate(self, shop: Shop, calls: Iterable[Call]) -> list[Any]:
        return await self._through(1, shop, calls)

    async def servers(self, shop: Shop, calls: Iterable[Call]) -> list[Any]:
        return await self._through(4, shop, calls)

    async def _through(self, servers: int, shop: Shop, calls: Iterable[Call]) -> list[Any]:
        calls = list(calls)
        platforms = [Platform(self._database, ShiftedClock(), self._settings) for _ in range(servers)]
        gates = {
            command: cycle([platform.gate("race", partial(_at_now, command)) for platform in platforms])
            for command in {command for command, _ in calls}
        }
        outcomes = await asyncio.gather(
            *(next(gates[command])(shop.id, item) for command, item in calls), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, Refused):
                raise outcome
        return outcomes


async def _at_now(command: Command, tx: Transaction, shop_id: int, items: Sequence[Any], _: object) -> Sequence[Any]:
    return await command(tx, shop_id, items, NOW)


PLACE = partial(place, hold_ttl=HOLD_TTL)
SHIP = partial(ship, receipt_after=RECEIPT_AFTER)
ASK = partial(ask_refunds, window=WINDOW)
DECIDE = partial(decide_refunds, window=WINDOW)
RECEIVE = partial(receive, window=WINDOW)
MEET = partial(meet_deadlines, window=WINDOW)


@pytest.fixture(scope="module")
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, connections_max=CONNECTIONS) as database:
        yield database


Race = Callable[[Shop, Iterable[Call]], Awaitable[list[Any]]]


@pytest.fixture(params=["alone", "gate", "servers"])
async def race(request: pytest.FixtureRequest, database: Database, database_url: str) -> AsyncIterator[Race]:
    """Runs calls at the same moment; the shops they met are audited at the end."""
    met: set[int] = set()
    way = getattr(Ways(database_url, database), request.param)

    async def run(shop: Shop, calls: Iterable[Call]) -> list[Any]:
        met.add(shop.id)
        return await way(shop, calls)

    yield run
    async with database.transaction() as tx:
        assert await broken(tx, sorted(met)) == []


def codes(outcomes: Iterable[Any]) -> Counter[str]:
    """How often each refusal or state was answered."""
    return Counter(o.code if isinstance(o, Refused) else str(getattr(o, "state", "ok")) for o in outcomes)


async def stock(database: Database, shop: Shop) -> Stock:
    async with database.transaction() as tx:
        return (await stock_of(tx, shop.id, [shop.sku_ids[0]]))[shop.sku_ids[0]]


async def book(database: Database, shop: Shop) -> dict[str, int]:
    async with database.transaction() as tx:
        return {balance.kind: balance.balance_fen for balance in await tx.ask(balances(shop.id))}


async def states(database: Database, orders: Sequence[Order]) -> Counter[str]:
    async with database.transaction() as tx:
        found = await store.orders_by_id(tx, orders[0].shop_id, [order.id for order in orders])
    return Counter(order.state.value for order in found.values())


async def paid_order(database: Database, shop: Shop, quantity: int = 1) -> Order:
    order = await placed(database, shop, (shop.sku_ids[0], quantity))
    await paid(database, order)
    return order


def shuffled(*calls: Call) -> list[Call]:
    return random.sample(calls, len(calls))


# The last unit, and a twin that sells it again and again.


async def sold_too_many(units: int, sell: Callable[[PersonId], Awaitable[bool]]) -> int:
    """How many more than units are sold when forty buyers come for one each."""
    sold = await asyncio.gather(*(sell(buyer) for buyer in people(CALLS)))
    return sum(sold) - units


@pytest.mark.parametrize("units", [1, 7])
async def test_the_last_units_are_sold_once(database: Database, race: Race, units: int) -> None:
    shop = await open_shop(database, units)
    outcomes = await race(shop, [(PLACE, placing((shop.sku_id, 1), buyer_id=buyer)) for buyer in people(CALLS)])
    assert codes(outcomes) == {"placed": units, "out_of_stock": CALLS - units}
    assert (await stock(database, shop)).held_quantity == units


async def test_one_order_at_a_time_is_never_one_too_many(database: Database) -> None:
    shop = await open_shop(database, 1)

    async def sell(buyer: PersonId) -> bool:
        item = placing((shop.sku_id, 1), buyer_id=buyer)
        [outcome] = await database.run(lambda tx: place(tx, shop.id, [item], NOW, HOLD_TTL))
        return isinstance(outcome, Order)

    assert await sold_too_many(1, sell) == 0


async def test_a_shop_that_looks_before_it_sells_sells_too_many(database: Database) -> None:
    """The twin: it reads what is left, decides, and writes, with no lock and no CHECK. The race finds it out."""
    async with database.transaction() as tx:
        await tx.execute("DROP TABLE IF EXISTS public.naive_stock")
        await tx.execute("CREATE TABLE public.naive_stock (units bigint NOT NULL)")
        await tx.execute("INSERT INTO public.naive_stock VALUES (1)")

    async def sell(_: PersonId) -> bool:
        async def work(tx: Transaction) -> bool:
            found = await tx.row("SELECT units FROM public.naive_stock")
            if found is None or found.units < 1:
                return False
            await tx.execute("UPDATE public.naive_stock SET units = %s", (found.units - 1,))
            return True

        return await database.run(work)

    assert await sold_too_many(1, sell) > 0


# One buyer, one id.


async def test_a_buyer_in_a_hurry_gets_no_more_than_the_limit(database: Database, race: Race) -> None:
    shop = await open_shop(database, 99)
    await database.run(lambda tx: set_buyer_limit(tx, shop.id, shop.sku_id, 3))
    outcomes = await race(shop, [(PLACE, placing((shop.sku_id, 1))) for _ in range(CALLS)])
    assert codes(outcomes) == {"placed": 3, "over_buyer_limit": CALLS - 3}


async def test_an_order_sent_forty_times_is_placed_once(database: Database, race: Race) -> None:
    shop = await open_shop(database, 99)
    item = placing((shop.sku_id, 1))
    outcomes = await race(shop, [(PLACE, item)] * CALLS)
    assert len({accepted(outcome).id for outcome in outcomes}) == 1
    assert (await stock(database, shop)).held_quantity == 1


async def test_an_id_used_for_two_orders_of_different_goods_stands_for_one(database: Database, race: Race) -> None:
    """Their stock has different locks, so nothing but the id itself is between them."""
    shop = await open_shop(database, 99, 99)
    the_id = order_id()
    items = [placing((sku_id, 1), id=the_id) for sku_id in shop.sku_ids]
    outcomes = await race(shop, shuffled(*[(PLACE, item) for item in items * (CALLS // 2)]))
    assert codes(outcomes) == {"placed": CALLS // 2, "id_reused": CALLS // 2}


async def test_orders_for_the_same_goods_in_any_order_do_not_block_each_other(database: Database, race: Race) -> None:
    shop = await open_shop(database, 99, 99, 99)
    wanted = [(sku_id, 1) for sku_id in shop.sku_ids]
    items = [placing(*random.sample(wanted, 3), buyer_id=buyer) for buyer in people(CALLS)]
    assert codes(await race(shop, [(PLACE, item) for item in items])) == {"placed": CALLS}


# Money.


async def test_a_callback_told_forty_times_pays_once(database: Database, race: Race) -> None:
    shop = await open_shop(database, 1)
    order = await placed(database, shop)
    notice = await payment_for(database, order)
    await race(shop, [(deliver, notice)] * CALLS)
    assert await book(database, shop) == {"provider": -9900, "escrow": 9900}


async def test_a_callback_told_forty_times_sends_another_shops_part_once(database: Database, race: Race) -> None:
    home, other = await open_shop(database, 1), await open_shop(database, 1)
    notice = await payment_for(database, await placed(database, home), await placed(database, other))
    await race(home, [(deliver, notice)] * CALLS)
    async with database.transaction() as tx:
        events = await tx.rows("SELECT topic FROM kernel.outbox WHERE shop_id = %s", (home.id,))
    assert Counter(row.topic for row in events) == {"orders.placed": 1, "orders.paid": 1, PART_PAID: 1}


async def test_an_order_paid_by_many_payments_keeps_one_and_sends_the_others_back(
    database: Database, race: Race
) -> None:
    shop = await open_shop(database, 1)
    order = await placed(database, shop)
    notices = [await payment_for(database, order) for _ in range(8)]
    await race(shop, shuffled(*[(deliver, notice) for notice in notices * 3]))
    assert await book(database, shop) == {"provider": -9900 * 8, "escrow": 9900, "buyer_refund": 9900 * 7}


async def test_cancel_against_pay_leaves_one_of_them(database: Database, race: Race) -> None:
    shop = await open_shop(database, 20)
    orders = [await placed(database, shop) for _ in range(20)]
    cancels = [(cancel, Cancelling(order.id, BUYER)) for order in orders]
    pays = [(deliver, await payment_for(database, order)) for order in orders]
    outcomes = await race(shop, shuffled(*cancels, *pays))
    after = await states(database, orders)
    assert after["paid"] + after["cancelled"] == 20
    assert codes(outcomes) == Counter(ok=20, cancelled=after["cancelled"], wrong_state=after["paid"])
    there = await stock(database, shop)
    assert (there.held_quantity, there.sold_quantity) == (0, after["paid"])
    back = 9900 * after["cancelled"]
    assert (await book(database, shop)).get("buyer_refund", 0) == back


async def test_time_out_against_pay_and_new_buyers_never_sells_twice(database: Database, race: Race) -> None:
    """Late money takes what is left; what others took meanwhile is theirs, and the money goes back."""
    shop = await open_shop(database, 20)
    orders = [await placed(database, shop) for _ in range(20)]
    time_outs = [(cancel, Cancelling(order.id, None)) for order in orders]
    pays = [(deliver, await payment_for(database, order)) for order in orders]
    new = [(PLACE, placing((shop.sku_id, 1), buyer_id=buyer)) for buyer in people(20)]
    outcomes = await race(shop, shuffled(*time_outs, *pays, *new))
    there, after = await stock(database, shop), await states(database, orders)
    assert after["paid"] + after["cancelled"] == 20
    assert there.sold_quantity == after["paid"]
    assert there.held_quantity == codes(outcomes)["placed"] <= 20 - after["paid"]
    account = await book(database, shop)
    assert account["escrow"] == 9900 * after["paid"]
    assert account.get("buyer_refund", 0) == 9900 * after["cancelled"]


async def test_relays_at_the_same_time_pay_a_part_once(database: Database, database_url: str) -> None:
    home, other = await open_shop(database, 9), await open_shop(database, 9)
    orders = [(await placed(database, home), await placed(database, other)) for _ in range(5)]
    notices = [await payment_for(database, *pair) for pair in orders]
    await database.run(lambda tx: deliver(tx, home.id, notices, NOW))
    platforms = [Platform(database, ShiftedClock(), Settings(database_url=database_url)) for _ in range(4)]
    for platform in platforms:
        platform.relay.subscribe(PART_PAID, Orders(platform, None, None).pay_part)  # type: ignore[arg-type]
    await asyncio.gather(*(platform.relay.drain() for platform in platforms * 2))
    for shop in (home, other):
        assert (await book(database, shop))["escrow"] == 9900 * 5
    async with database.transaction() as tx:
        assert await broken(tx, [home.id, other.id]) == []


# After-sales.


def whole(order: Order) -> Asking:
    return Asking(order.id, RefundDraft(refund_id(), "refund_only", "不想要了"), BUYER, BUYER)


async def test_a_refund_asked_for_forty_times_goes_back_once(database: Database, race: Race) -> None:
    shop = await open_shop(database, 1)
    asking = whole(await paid_order(database, shop))
    outcomes = await race(shop, [(ASK, asking)] * CALLS)
    assert codes(outcomes) == {"refunding": CALLS}
    assert await book(database, shop) == {"provider": -9900, "escrow": 0, "buyer_refund": 9900}


async def test_many_refunds_of_one_order_give_its_money_back_once(database: Database, race: Race) -> None:
    shop = await open_shop(database, 1)
    order = await paid_order(database, shop)
    outcomes = await race(shop, [(ASK, whole(order)) for _ in range(CALLS)])
    assert codes(outcomes) == {"refunding": 1, "wrong_state": CALLS - 1}
    assert await book(database, shop) == {"provider": -9900, "escrow": 0, "buyer_refund": 9900}


async def test_partial_refunds_never_go_beyond_what_was_paid(database: Database, race: Race) -> None:
    shop = await open_shop(database, 1)
    order = await paid_order(database, shop)
    drafts = [RefundDraft(refund_id(), "refund_only", "补偿", (RefundLineDraft(1, Fen(1000)),)) for _ in range(CALLS)]
    items = [Asking(order.id, draft, MERCHANT, None) for draft in drafts]
    outcomes = await race(shop, [(ASK, item) for item in items])
    assert codes(outcomes) == {"refunding": 9, "refund_too_large": CALLS - 9}
    assert await book(database, shop) == {"provider": -9900, "escrow": 900, "buyer_refund": 9000}


async def test_what_is_refunded_is_not_shipped_and_what_is_shipped_needs_consent(
    database: Database, race: Race
) -> None:
    shop = await open_shop(database, 20)
    orders = [await paid_order(database, shop) for _ in range(10)]
    shipment = ShipmentDraft("顺丰速运", "SF1000")
    refunds = [(ASK, whole(order)) for order in orders]
    outcomes = await race(shop, shuffled(*refunds, *[(SHIP, Shipping(order.id, shipment)) for order in orders]))
    told, after = codes(outcomes), await states(database, orders)
    assert after["refunded"] + after["shipped"] == 10
    assert told == Counter(
        refunding=after["refunded"], wrong_state=after["refunded"], shipped=after["shipped"], requested=after["shipped"]
    )


async def test_a_refund_is_decided_one_way(database: Database, race: Race) -> None:
    shop = await open_shop(database, 1)
    order = await paid_order(database, shop)
    items = [Shipping(order.id, ShipmentDraft("顺丰速运", "SF1000"))]
    await database.run(lambda tx: ship(tx, shop.id, items, NOW, RECEIPT_AFTER))
    [asked] = await database.run(lambda tx: ask_refunds(tx, shop.id, [whole(order)], NOW, WINDOW))
    refund = accepted(asked)
    assert isinstance(refund, Refund)
    decisions = [
        Deciding(refund.id, RefundAction.AGREE, "", None),
        Deciding(refund.id, RefundAction.DECLINE, "", None),
        Deciding(refund.id, RefundAction.WITHDRAW, "", BUYER),
    ]
    outcomes = await race(shop, shuffled(*[(DECIDE, decision) for decision in decisions * 10]))
    told = codes(outcomes)
    assert told.pop("wrong_state") == 20
    assert list(told.values()) == [10]
    assert (await book(database, shop)).get("buyer_refund", 0) == (9900 if "refunding" in told else 0)


async def test_money_sent_back_leaves_the_book_once(database: Database) -> None:
    shop = await open_shop(database, 1)
    order = await paid_order(database, shop)
    [asked] = await database.run(lambda tx: ask_refunds(tx, shop.id, [whole(order)], NOW, WINDOW))
    told = Refunded(accepted(asked).id, order.id, order.id, order.total_fen)  # type: ignore[arg-type]
    event = Event(EventId(uuid7(NOW)), shop.id, "payments.refunded", msgspec.Raw(msgspec.json.encode(told)), NOW)
    hear = [database.run(lambda tx: confirm_refunds(tx, shop.id, [event], NOW)) for _ in range(20)]
    await asyncio.gather(*hear)
    assert await book(database, shop) == {"provider": 0, "escrow": 0, "buyer_refund": 0}


# Stock.


async def test_stock_taken_away_and_stock_sold_are_never_the_same(database: Database, race: Race) -> None:
    shop = await open_shop(database, 20)
    losses = [Adjusting(shop.sku_id, AdjustmentDraft(uuid7(NOW), -1, "损耗"), BUYER) for _ in range(20)]
    orders = [placing((shop.sku_id, 1), buyer_id=buyer) for buyer in people(20)]
    outcomes = await race(shop, shuffled(*[(adjust, loss) for loss in losses], *[(PLACE, order) for order in orders]))
    told, there = codes(outcomes), await stock(database, shop)
    assert told["ok"] + told["placed"] == 20
    assert (there.adjusted_quantity, there.held_quantity, there.available) == (20 - told["ok"], told["placed"], 0)


async def test_an_adjustment_sent_forty_times_is_made_once(database: Database, race: Race) -> None:
    shop = await open_shop(database, 20, 20)
    draft = AdjustmentDraft(uuid7(NOW), -3, "损耗")
    same = Adjusting(shop.sku_ids[0], draft, BUYER)
    assert codes(await race(shop, [(adjust, same)] * CALLS)) == {"ok": CALLS}
    other = replace(same, sku_id=shop.sku_ids[1], draft=replace(draft, id=uuid7(NOW)))
    both = [other, replace(other, sku_id=shop.sku_ids[0])]
    assert codes(await race(shop, [(adjust, item) for item in both * 10])) == {"ok": 10, "id_reused": 10}
    assert (await stock(database, shop)).adjusted_quantity in (17, 14)


async def test_a_cancelled_order_gives_its_stock_back_once(database: Database, race: Race) -> None:
    shop = await open_shop(database, 3)
    order = await placed(database, shop, (shop.sku_id, 2))
    calls = [(cancel, Cancelling(order.id, buyer)) for buyer in (BUYER, None)] * (CALLS // 2)
    await race(shop, shuffled(*calls))
    assert (await stock(database, shop)).available == 3
    assert await states(database, [order]) == {State.CANCELLED.value: 1}


# Everything.


async def test_everything_at_once_breaks_nothing_and_nobody_waits_for_each_other_in_a_ring(database: Database) -> None:
    """Every command on the same few orders and goods, on twenty connections: books and stock agree, no deadlock."""
    random = Random(618)
    shop = await open_shop(database, 30, 30, 30)
    await database.run(lambda tx: set_buyer_limit(tx, shop.id, shop.sku_ids[0], 9))
    buyers = people(4)
    orders = [
        await placed(database, shop, *random.sample([(sku, 1) for sku in shop.sku_ids], 2), buyer_id=buyer)
        for buyer in buyers * 5
    ]
    notices = {order.id: [await payment_for(database, order) for _ in range(2)] for order in orders}
    drafts = [RefundDraft(refund_id(), kind, "不想要了") for kind in ("refund_only", "return") for _ in orders]  # type: ignore[arg-type]
    shipment = ShipmentDraft("顺丰速运", "SF1000")

    def call() -> Call:
        order, draft = random.choice(orders), random.choice(drafts)
        wanted = random.sample([(sku, 1) for sku in shop.sku_ids], 3)
        action = random.choice([RefundAction.AGREE, RefundAction.TAKE_BACK, RefundAction.DECLINE])
        change = AdjustmentDraft(uuid7(NOW), random.choice([-1, 1]), "盘点")
        calls: list[Call] = [
            (PLACE, placing(*wanted, buyer_id=random.choice(buyers))),
            (cancel, Cancelling(order.id, random.choice([order.buyer_id, None]))),
            (deliver, random.choice(notices[order.id])),
            (deliver, random.choice(notices[order.id])),
            (SHIP, Shipping(order.id, shipment)),
            (RECEIVE, Receiving(order.id, order.buyer_id)),
            (MEET, order.id),
            (ASK, Asking(order.id, draft, order.buyer_id, order.buyer_id)),
            (ASK, Asking(order.id, draft, MERCHANT, None)),
            (DECIDE, Deciding(draft.id, action, "", None)),
            (adjust, Adjusting(random.choice(shop.sku_ids), change, BUYER)),
        ]
        return random.choice(calls)

    deadlocks = metrics.RETRIES.labels("40P01")
    before = deadlocks._value.get()

    async def run() -> Counter[str]:
        seen: Counter[str] = Counter()
        for _ in range(25):
            calls = [call() for _ in range(random.choice([1, 1, 8]))]
            command = calls[0][0]
            items = [item for other, item in calls if other is command]
            seen += codes(await database.run(lambda tx, c=command, i=items: c(tx, shop.id, i, NOW)))
        return seen

    seen = sum(await asyncio.gather(*(run() for _ in range(CONNECTIONS))), Counter())
    assert {"placed", "ok", "cancelled", "shipped", "received", "refunding", "wrong_state"} <= seen.keys()
    assert deadlocks._value.get() == before
    async with database.transaction() as tx:
        assert await broken(tx, [shop.id]) == []
