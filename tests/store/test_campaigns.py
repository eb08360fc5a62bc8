"""Campaigns in the database: what batches draw and spend, what returns, and who may have how much."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from campaigns import (
    MERCHANT,
    OPERATOR,
    broken,
    budgets,
    draft,
    give_back,
    halves,
    platform_only,
    running,
    spend,
    spent,
    take_again,
    total,
    ware,
)
from fairwind.catalog import ProductDraft, SkuDraft, Stockroom, add_products, offers
from fairwind.inventory import OutOfStock, add_stock
from fairwind.kernel import CategoryId, Database, Fen, IdReused, Invalid, PersonId, Refused, accepted
from fairwind.orders import Order
from fairwind.orders.commands.delivery import Cancelling, cancel
from fairwind.orders.commands.paying import deliver
from fairwind.orders.commands.placing import place
from fairwind.orders.store.orders import orders_by_id
from fairwind.payments import Notice
from fairwind.policy import campaigns_locked, prepare, purse_saved
from fairwind.policy.campaign import PLATFORM, Campaign, FunderId, Rule, Scope, State
from fairwind.policy.commands.campaigns import accept, decline, end_over, propose, stop, stop_part
from fairwind.policy.commands.purses import previewed, return_unused
from fairwind.policy.store import burn_downs
from fairwind.policy.store import campaigns as store
from market import BUYER, HOLD_TTL, NOW, Shop, open_shop, payment_for, people, placed, placing

OTHER_BUYER = PersonId(8)
LATER = NOW + timedelta(minutes=2)


@pytest.fixture
async def database(module_database_url: str) -> AsyncIterator[Database]:
    """A database of this module's own, whose campaigns for all shops are stopped and audited after each test."""
    async with Database(module_database_url) as database:
        yield database
        async with database.transaction() as tx:
            assert await broken(tx) == []
        for campaign_id in await agreed(database):
            await database.run(lambda tx, which=campaign_id: stop(tx, which, OPERATOR, LATER))
        await return_unused(database, LATER)
        async with database.transaction() as tx:
            assert await broken(tx) == []


async def agreed(database: Database) -> list[Any]:
    async with database.transaction() as tx:
        return await tx.ask(store.agreed(100))


async def budgets_of(database: Database, campaign: Campaign) -> dict[int, tuple[int, int, int]]:
    async with database.transaction() as tx:
        return await budgets(tx, campaign.id)


async def test_a_campaign_pays_its_funders_parts_of_what_buyers_buy(database: Database) -> None:
    shop = await open_shop(database, 9, price_fen=1001)
    campaign = await running(database, draft(*halves(100_000, shop)))

    [grants, more] = await database.run(
        lambda tx: spend(tx, shop.id, [(BUYER, shop.sku_id, 1), (BUYER, shop.sku_id, 3)])
    )

    assert [(grant.funder_id, grant.amount_fen, grant.in_base) for grant in grants] == [
        (PLATFORM, 250, True),
        (shop.id, 250, True),
    ]
    assert total(more) == 1500
    found = await budgets_of(database, campaign)
    assert {funder: row[2] for funder, row in found.items()} == {PLATFORM: 1000, shop.id: 1000}
    assert all(spent <= drawn <= budget for budget, drawn, spent in found.values())


async def test_without_a_campaign_the_purse_is_empty_and_nothing_is_saved(database: Database) -> None:
    shop = await open_shop(database, 9)
    async with database.transaction() as tx:
        purse = await tx.ask(campaigns_locked(shop.id, NOW))

    assert not purse
    assert purse_saved(shop.id, purse, NOW) == []


async def test_a_line_is_paid_whole_or_not_at_all_and_what_is_left_waits_for_a_smaller_one(database: Database) -> None:
    shop = await open_shop(database, 9, price_fen=100)
    await running(database, draft(platform_only(120)))

    assert await spent(database, shop, BUYER) == [50]
    assert await spent(database, shop, BUYER, quantity=2) == [0]
    assert await spent(database, shop, BUYER, OTHER_BUYER) == [50, 0]


async def test_what_a_shop_holds_beyond_its_recent_sales_goes_to_the_other_that_needs_it(database: Database) -> None:
    one, other = await open_shop(database, 9, price_fen=100), await open_shop(database, 9, price_fen=100)
    campaign = await running(database, draft(platform_only(200)))
    granted = await database.run(lambda tx: spend(tx, one.id, [(BUYER, one.sku_id, 1)] * 4))
    given_back = [grant for grants in granted[1:] for grant in grants]
    await database.run(lambda tx: give_back(tx, one.id, BUYER, given_back))
    assert await spent(database, other, BUYER) == [0], "the other shop holds the budget"

    soon = NOW + timedelta(seconds=30)
    assert await return_unused(database, soon) == 1
    assert await return_unused(database, soon) == 0, "it keeps as much as it has sold"
    assert await spent(database, other, BUYER, OTHER_BUYER, BUYER, now=soon) == [50, 50, 0]
    assert await return_unused(database, LATER) == 1, "and nothing when it sells no more"
    assert await spent(database, other, BUYER, OTHER_BUYER, now=LATER) == [50, 0]
    assert await budgets_of(database, campaign) == {PLATFORM: (200, 200, 200)}


async def test_a_shop_that_holds_more_than_is_left_to_hand_out_gives_it_back(database: Database) -> None:
    one, other = await open_shop(database, 99, price_fen=100), await open_shop(database, 99, price_fen=100)
    await running(database, draft(platform_only(5000)))
    [grants] = await database.run(lambda tx: spend(tx, one.id, [(BUYER, one.sku_id, 60)]))
    await database.run(lambda tx: give_back(tx, one.id, BUYER, grants))
    assert await spent(database, other, BUYER, quantity=50) == [0]

    assert await return_unused(database, NOW) == 1
    assert await spent(database, other, BUYER, quantity=50) == [2500]


async def test_while_a_budget_is_ample_shops_keep_what_they_have_drawn_ahead(database: Database) -> None:
    shop = await open_shop(database, 9, price_fen=100)
    campaign = await running(database, draft(platform_only(10_000_000)))
    await spent(database, shop, BUYER)

    assert await return_unused(database, LATER) == 0
    assert (await budgets_of(database, campaign))[PLATFORM] == (10_000_000, 50 * 64, 50)


async def test_an_order_that_is_refused_moves_no_budget_into_its_shop(database: Database) -> None:
    shop, other = await open_shop(database, 9, price_fen=10_000), await open_shop(database, 9, price_fen=10_000)
    campaign = await running(database, draft(platform_only(10_000_000), rule=Rule(piece_fen=Fen(1000))))
    more_than_there_is, small = placing((shop.sku_id, 9999), buyer_id=OTHER_BUYER), placing((shop.sku_id, 1))

    refused, order = await database.run(lambda tx: place(tx, shop.id, [more_than_there_is, small], NOW, HOLD_TTL))

    assert isinstance(refused, OutOfStock)
    assert accepted(order).subsidy_fen == 1000
    assert await budgets_of(database, campaign) == {PLATFORM: (10_000_000, 1000, 1000)}
    assert await spent(database, other, BUYER, quantity=9) == [9000]


async def test_who_places_and_cancels_each_minute_keeps_no_budget_from_others(database: Database) -> None:
    greedy, honest = await open_shop(database, 99, price_fen=10_000), await open_shop(database, 99, price_fen=10_000)
    await running(database, draft(platform_only(90_000), rule=Rule(piece_fen=Fen(1000))))

    async def place_and_cancel(quantity: int, now: datetime) -> None:
        item = placing((greedy.sku_id, quantity), buyer_id=OTHER_BUYER)
        [order] = await database.run(lambda tx: place(tx, greedy.id, [item], now, HOLD_TTL))
        assert accepted(order).subsidy_fen == quantity * 1000
        cancelling = Cancelling(accepted(order).id, OTHER_BUYER)
        await database.run(lambda tx: cancel(tx, greedy.id, [cancelling], now))

    await place_and_cancel(90, NOW)
    assert await spent(database, honest, BUYER) == [0], "all of it lies in the other shop"
    for minute in range(1, 4):
        now = NOW + minute * timedelta(seconds=59)
        await place_and_cancel(1, now)
        await return_unused(database, now)
        assert await spent(database, honest, BUYER, now=now) == [1000]


async def test_a_large_budget_is_drawn_for_many_batches_ahead(database: Database) -> None:
    shop = await open_shop(database, 99, price_fen=100)
    campaign = await running(database, draft(platform_only(10_000_000)))
    await spent(database, shop, BUYER)
    drawn = (await budgets_of(database, campaign))[PLATFORM][1]
    await spent(database, shop, *people(20))

    assert drawn == 50 * 64
    assert (await budgets_of(database, campaign))[PLATFORM][:2] == (10_000_000, drawn)


async def test_what_is_given_back_returns_to_each_funder_and_to_the_buyers_cap(database: Database) -> None:
    shop = await open_shop(database, 9, price_fen=1000)
    campaign = await running(database, draft(*halves(10_000, shop), buyer_max_fen=500))
    [grants] = await database.run(lambda tx: spend(tx, shop.id, [(BUYER, shop.sku_id, 1)]))
    assert total(grants) == 500
    assert await spent(database, shop, BUYER, OTHER_BUYER) == [0, 500]

    part = [type(grant)(grant.campaign_id, grant.funder_id, Fen(100), grant.in_base) for grant in grants]
    await database.run(lambda tx: give_back(tx, shop.id, BUYER, part))

    assert {funder: row[2] for funder, row in (await budgets_of(database, campaign)).items()} == {
        PLATFORM: 400,
        shop.id: 400,
    }
    assert await spent(database, shop, BUYER) == [200]


async def test_a_buyers_cap_counts_over_all_shops(database: Database) -> None:
    shops = [await open_shop(database, 9, price_fen=1000) for _ in range(2)]
    await running(database, draft(platform_only(10_000), buyer_max_fen=700))

    assert [await spent(database, shop, BUYER, OTHER_BUYER) for shop in shops] == [[500, 500], [200, 200]]


async def test_the_cap_of_an_order_bounds_its_lines_together(database: Database) -> None:
    shop = await open_shop(database, 9, 9, price_fen=1000)
    await running(database, draft(platform_only(10_000), order_max_fen=700))
    async with database.transaction() as tx:
        offered, purse = await tx.together(offers(shop.id, shop.sku_ids), campaigns_locked(shop.id, NOW))
        lines = [ware(offered[sku_id], 1) for sku_id in shop.sku_ids]
        await prepare(tx, shop.id, purse, [(BUYER, lines)], NOW)
        assert [total(grants) for grants in purse.grants(BUYER, lines)] == [500, 200]


async def test_a_late_payment_takes_its_subsidy_again_while_there_is_money(database: Database) -> None:
    shop = await open_shop(database, 9, price_fen=100)
    campaign = await running(database, draft(*halves(50, shop), buyer_max_fen=60))

    async def cancelled(buyer: PersonId) -> Any:
        [grants] = await database.run(lambda tx: spend(tx, shop.id, [(buyer, shop.sku_id, 1)]))
        await database.run(lambda tx: give_back(tx, shop.id, buyer, grants))
        return grants

    first = await cancelled(BUYER)
    await return_unused(database, LATER)
    assert await database.run(lambda tx: take_again(tx, shop.id, BUYER, first)) is True
    assert await database.run(lambda tx: take_again(tx, shop.id, BUYER, first)) is False, "that is over the buyer's cap"
    second = await cancelled(OTHER_BUYER)
    assert await spent(database, shop, PersonId(9)) == [50]
    assert await database.run(lambda tx: take_again(tx, shop.id, OTHER_BUYER, second)) is False, "the budget is gone"
    assert await budgets_of(database, campaign) == {PLATFORM: (50, 50, 50), shop.id: (50, 50, 50)}


async def test_a_late_payment_draws_what_it_takes_and_nothing_ahead(database: Database) -> None:
    shop = await open_shop(database, 9, price_fen=100)
    campaign = await running(database, draft(platform_only(1_000_000)))
    [grants] = await database.run(lambda tx: spend(tx, shop.id, [(BUYER, shop.sku_id, 1)]))
    await database.run(lambda tx: give_back(tx, shop.id, BUYER, grants))
    async with database.transaction() as tx:  # as if the sweep had come round
        await tx.execute("UPDATE policy.allotment SET drawn_fen = 10 WHERE campaign_id = %s", (campaign.id,))
        await tx.execute("UPDATE policy.funding SET drawn_fen = 10 WHERE campaign_id = %s", (campaign.id,))

    assert await database.run(lambda tx: take_again(tx, shop.id, BUYER, grants)) is True
    assert await budgets_of(database, campaign) == {PLATFORM: (1_000_000, 50, 50)}


async def test_a_payment_that_is_late_for_the_campaign_too_goes_back(database: Database) -> None:
    shop = await open_shop(database, 9, price_fen=10_000)
    ends_at = NOW + 2 * HOLD_TTL
    campaign = await running(database, draft(platform_only(1_000_000), rule=Rule(piece_fen=Fen(1000)), ends_at=ends_at))
    orders = [await placed(database, shop, buyer_id=buyer) for buyer in people(4)]
    in_time, *late = [await payment_for(database, order) for order in orders]
    expired = [Cancelling(order.id, None) for order in orders[1:]]
    await database.run(lambda tx: cancel(tx, shop.id, expired, NOW + HOLD_TTL))

    async def state_after(notice: Notice, order: Order, now: datetime) -> str:
        await database.run(lambda tx: deliver(tx, shop.id, [notice], now))
        async with database.transaction() as tx:
            return (await orders_by_id(tx, shop.id, {order.id}))[order.id].state

    moment = timedelta(microseconds=1)
    assert await state_after(late[0], orders[1], ends_at - moment) == "paid", "the campaign still runs"
    assert await state_after(late[1], orders[2], ends_at) == "cancelled", "its period is over"
    await end_over(database, ends_at)
    await return_unused(database, ends_at)
    assert await state_after(late[2], orders[3], ends_at - moment) == "cancelled", "and it has ended"
    assert await state_after(in_time, orders[0], ends_at) == "paid", "an order that still waits keeps its subsidy"
    assert await budgets_of(database, campaign) == {PLATFORM: (1_000_000, 2000, 2000)}
    async with database.transaction() as tx:
        strays = await tx.rows("SELECT reason FROM orders.stray_payment WHERE shop_id = %s", (shop.id,))
    assert [stray.reason for stray in strays] == ["subsidy_over"] * 2


async def test_nothing_is_taken_again_from_a_funder_who_has_stopped(database: Database) -> None:
    shop = await open_shop(database, 9, price_fen=100)
    campaign = await running(database, draft(*halves(5000, shop)))
    [grants] = await database.run(lambda tx: spend(tx, shop.id, [(BUYER, shop.sku_id, 1)]))
    await database.run(lambda tx: stop_part(tx, campaign.id, FunderId(shop.id), MERCHANT, NOW))
    await database.run(lambda tx: give_back(tx, shop.id, BUYER, grants))

    assert await database.run(lambda tx: take_again(tx, shop.id, BUYER, grants)) is False
    assert await spent(database, shop, BUYER) == [25], "the other half goes on"
    await return_unused(database, NOW)
    assert (await budgets_of(database, campaign))[shop.id] == (5000, 0, 0)


async def test_when_all_funders_stop_the_campaign_does(database: Database) -> None:
    shop = await open_shop(database, 9)
    campaign = await running(database, draft((shop.id, 1_000_000, 5000)))
    stopped = await database.run(lambda tx: stop_part(tx, campaign.id, FunderId(shop.id), MERCHANT, NOW))

    assert (stopped.state, stopped.closed_at) == (State.STOPPED, NOW)
    assert await spent(database, shop, BUYER) == [0]


async def test_a_stopped_campaign_gives_nothing_more_and_takes_its_money_home(database: Database) -> None:
    shop = await open_shop(database, 9, price_fen=100)
    campaign = await running(database, draft(platform_only(5000)))
    [grants] = await database.run(lambda tx: spend(tx, shop.id, [(BUYER, shop.sku_id, 1)]))
    await database.run(lambda tx: stop(tx, campaign.id, OPERATOR, NOW))

    assert await spent(database, shop, BUYER) == [0]
    await return_unused(database, NOW)
    assert await budgets_of(database, campaign) == {PLATFORM: (5000, 50, 50)}
    await database.run(lambda tx: give_back(tx, shop.id, BUYER, grants))
    await return_unused(database, NOW)
    assert await budgets_of(database, campaign) == {PLATFORM: (5000, 0, 0)}


async def test_a_campaign_ends_with_its_period(database: Database) -> None:
    shop = await open_shop(database, 9)
    campaign = await running(database, draft(platform_only(500_000)))
    await spent(database, shop, BUYER)

    assert await spent(database, shop, BUYER, now=campaign.ends_at) == [0]
    assert await spent(database, shop, BUYER, now=campaign.starts_at - timedelta(seconds=1)) == [0]
    assert await end_over(database, campaign.ends_at - timedelta(seconds=1)) == 0
    assert await end_over(database, campaign.ends_at) == 1
    assert await end_over(database, campaign.ends_at) == 0


@pytest.mark.parametrize(
    ("days", "raised_before", "expected"),
    [
        (30, timedelta(days=1), 0),
        (30, timedelta(days=31), 500),
        (0, timedelta(days=1), 500),
        (2, timedelta(days=3), 500),
    ],
)
async def test_a_price_that_was_raised_just_before_is_not_subsidised(
    database: Database, days: int, raised_before: timedelta, expected: int
) -> None:
    shop = await open_shop(database, 9, price_fen=1000)
    await priced(database, shop, (900, NOW - timedelta(days=90)), (1000, NOW - raised_before))
    await running(database, draft(platform_only(5000), guard_days=days))

    assert await spent(database, shop, BUYER) == [expected]


async def test_a_price_that_was_lowered_is_subsidised(database: Database) -> None:
    shop = await open_shop(database, 9, price_fen=1000)
    await priced(database, shop, (1200, NOW - timedelta(days=39)), (1000, NOW - timedelta(days=1)))
    await running(database, draft(platform_only(5000), guard_days=30))

    assert await spent(database, shop, BUYER) == [500]


async def test_goods_that_are_listed_anew_with_another_price_are_not_subsidised(database: Database) -> None:
    shop = await open_shop(database, 9, price_fen=1000)
    await priced(database, shop, (1000, NOW - timedelta(days=90)))
    await running(database, draft(platform_only(50_000), guard_days=30))
    twin = ProductDraft(code="P0-2", title="雨伞 0", skus=[SkuDraft(price_fen=Fen(2000), stock=9)])
    [listed] = await database.run(lambda tx: add_products(tx, shop.id, [twin], NOW, Stockroom(add_stock)))
    wanted = [(BUYER, shop.sku_id, 1), (BUYER, accepted(listed).skus[0].id, 1)]

    async def found(now: datetime) -> list[int]:
        return [total(grants) for grants in await database.run(lambda tx: spend(tx, shop.id, wanted, now))]

    assert await found(NOW) == [500, 0]
    async with database.transaction() as tx:
        seen = await previewed(tx, shop.id, accepted(listed).skus[0].id, 1, None, NOW)
    assert (seen.code, seen.subsidy_fen) == ("price_new", 0)


@pytest.mark.parametrize(
    ("days", "listed_before", "expected"),
    [
        (30, timedelta(days=30) - timedelta(microseconds=1), 0),
        (30, timedelta(days=30), 500),
        (1, timedelta(days=30), 500),
        (0, timedelta(0), 500),
    ],
)
async def test_a_price_is_subsidised_once_it_is_as_old_as_the_days_of_the_guard(
    database: Database, days: int, listed_before: timedelta, expected: int
) -> None:
    shop = await open_shop(database, 9, price_fen=1000)
    await priced(database, shop, (1000, NOW - listed_before))
    await running(database, draft(platform_only(5000), guard_days=days))

    assert await spent(database, shop, BUYER) == [expected]


async def priced(database: Database, shop: Shop, *prices: tuple[int, datetime]) -> None:
    """Give the shop's SKU this history, whose last is the present price."""
    async with database.transaction() as tx:
        await tx.execute("DELETE FROM catalog.price_change WHERE shop_id = %s", (shop.id,))
        for revision, (price_fen, since) in enumerate(prices, 1):
            await tx.execute(
                "INSERT INTO catalog.price_change VALUES (%s, %s, %s, %s, %s, %s)",
                (shop.id, shop.sku_id, revision, price_fen, price_fen, since),
            )
        await tx.execute("UPDATE catalog.sku SET price_revision = %s WHERE shop_id = %s", (len(prices), shop.id))


async def test_of_several_campaigns_a_line_gets_the_one_that_gives_most(database: Database) -> None:
    shop = await open_shop(database, 9, price_fen=1000)
    small = await running(database, draft(platform_only(5000), rule=Rule(piece_fen=Fen(100))))
    large = await running(database, draft(platform_only(900), rule=Rule(piece_fen=Fen(400))))
    equal = await running(database, draft(platform_only(5000), rule=Rule(piece_fen=Fen(100))))

    granted = await database.run(lambda tx: spend(tx, shop.id, [(BUYER, shop.sku_id, 1)] * 3))

    assert [grants[0].campaign_id for grants in granted] == [large.id, large.id, small.id]
    assert [total(grants) for grants in granted] == [400, 400, 100]
    assert small.id < equal.id
    async with database.transaction() as tx:
        seen = await previewed(tx, shop.id, shop.sku_id, 1, None, NOW)
    assert [(verdict.campaign_id, verdict.code) for verdict in seen.verdicts] == [
        (small.id, "given"),
        (large.id, "budget_used_up"),
        (equal.id, "less_than_another"),
    ]


async def test_scopes_are_shops_categories_and_products(database: Database) -> None:
    shop, other = await open_shop(database, 9, 9, price_fen=1000), await open_shop(database, 9, price_fen=1000)
    top, under = CategoryId(shop.id * 10), CategoryId(shop.id * 10 + 1)
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO catalog.category (id, depth, name) VALUES (%s, 1, %s)", (top, f"伞 {top}"))
        await tx.execute("INSERT INTO catalog.category VALUES (%s, 2, %s, DEFAULT, '晴雨伞')", (under, top))
        await tx.execute(
            "UPDATE catalog.product SET category_id = %s WHERE shop_id = %s AND id = %s",
            (under, shop.id, shop.product_ids[0]),
        )
    for scope, expected in (
        (Scope(), [500, 500, 500]),
        (Scope(shop_ids=(other.id,)), [0, 0, 500]),
        (Scope(category_ids=(top,)), [500, 0, 0]),
        (Scope(category_ids=(under,)), [500, 0, 0]),
        (Scope(product_ids=(shop.product_ids[1], other.product_ids[0])), [0, 500, 500]),
        (Scope(shop_ids=(shop.id,), product_ids=(other.product_ids[0],)), [0, 0, 0]),
    ):
        campaign = await running(database, draft(platform_only(50_000), scope=scope))
        goods = [(shop, shop.sku_ids[0]), (shop, shop.sku_ids[1]), (other, other.sku_ids[0])]
        found = [
            total((await database.run(lambda tx, s=s, k=k: spend(tx, s.id, [(BUYER, k, 1)])))[0]) for s, k in goods
        ]
        assert found == expected, scope
        await database.run(lambda tx, which=campaign.id: stop(tx, which, OPERATOR, NOW))


async def test_a_proposal_waits_for_every_funder(database: Database) -> None:
    shop = await open_shop(database, 9, price_fen=1000)
    wanted = draft(*halves(5000, shop))
    proposal = await database.run(lambda tx: propose(tx, wanted, OPERATOR, NOW))
    again = await database.run(lambda tx: propose(tx, wanted, OPERATOR, LATER))
    assert (proposal.state, again) == (State.PROPOSED, proposal)
    assert await spent(database, shop, BUYER) == [0]

    accepted = await database.run(lambda tx: accept(tx, proposal.id, FunderId(shop.id), MERCHANT, NOW))
    assert (accepted.state, accepted.agreed_at) == (State.AGREED, NOW)
    assert await database.run(lambda tx: accept(tx, proposal.id, FunderId(shop.id), MERCHANT, LATER)) == accepted
    assert await spent(database, shop, BUYER) == [500]
    with pytest.raises(Refused, match="cannot be declined"):
        await database.run(lambda tx: decline(tx, proposal.id, FunderId(shop.id), NOW))


async def test_a_proposal_names_what_is_there_and_an_id_is_used_once(database: Database) -> None:
    wanted = draft(platform_only(5000))
    await database.run(lambda tx: propose(tx, wanted, OPERATOR, NOW))

    with pytest.raises(IdReused):
        await database.run(lambda tx: propose(tx, draft(platform_only(6000), id=wanted.id), OPERATOR, NOW))
    for unknown in (
        draft((999_999_999, 1_000_000, 1)),
        draft(platform_only(1), scope=Scope(category_ids=(999_999_999,))),
        draft(platform_only(1), scope=Scope(product_ids=(999_999_999,))),
    ):
        with pytest.raises(Invalid, match=r"there is no (shop|category|product) 999999999"):
            await database.run(lambda tx, draft=unknown: propose(tx, draft, OPERATOR, NOW))


async def test_the_burn_down_tells_what_became_of_each_budget(database: Database) -> None:
    shop = await open_shop(database, 99, price_fen=1000)
    campaign = await running(database, draft(*halves(10_000, shop)))
    early, late = NOW - timedelta(hours=2), NOW - timedelta(minutes=30)
    [grants] = await database.run(lambda tx: spend(tx, shop.id, [(BUYER, shop.sku_id, 4)], early))
    await database.run(lambda tx: spend(tx, shop.id, [(BUYER, shop.sku_id, 2)], late))
    await database.run(lambda tx: give_back(tx, shop.id, BUYER, grants, early + timedelta(minutes=1)))
    async with database.transaction() as tx:
        [seen] = await burn_downs.views(tx, [campaign], NOW)

    assert (seen.budget_fen, seen.spent_fen, seen.given_back_fen, seen.left_fen) == (20_000, 3000, 2000, 19_000)
    assert (seen.per_hour_fen, seen.running) == (1000, True)
    assert seen.used_up_at == NOW + timedelta(hours=19)
    [platform, ours] = seen.fundings
    assert [platform.left_fen, ours.left_fen] == [9500, 9500]
    assert [(hour.hour.hour, hour.spent_fen, hour.given_back_fen) for hour in ours.hours] == [
        (early.hour, 1000, 1000),
        (late.hour, 500, 0),
    ]


async def test_a_preview_says_what_a_buyer_would_save_and_locks_nothing(database: Database) -> None:
    shop = await open_shop(database, 9, price_fen=1000)
    campaign = await running(database, draft(platform_only(600), buyer_max_fen=800))
    async with database.transaction() as batch:
        await batch.ask(campaigns_locked(shop.id, NOW))
        async with database.transaction() as tx:
            seen = await previewed(tx, shop.id, shop.sku_id, 1, None, NOW)

    assert (seen.subsidy_fen, seen.buyer_pays_fen, seen.campaign_id, seen.code) == (500, 500, campaign.id, "given")
    assert await code(database, shop, quantity=2) == "budget_used_up"
    assert await spent(database, shop, BUYER) == [500]
    assert await code(database, shop) == "budget_used_up"
    assert await code(database, shop, BUYER) == "budget_used_up"


async def test_a_preview_says_why_there_is_nothing(database: Database) -> None:
    shop, other = await open_shop(database, 9, price_fen=1000), await open_shop(database, 9, price_fen=1)
    assert await code(database, shop) == "no_campaign"

    await running(database, draft(platform_only(5000), scope=Scope(shop_ids=(other.id,))))
    assert await code(database, shop) == "not_in_scope"
    assert await code(database, other) == "too_little"
    await running(database, draft(platform_only(5000), starts_at=NOW + timedelta(hours=1)))
    assert await code(database, shop) == "not_in_period"
    await running(database, draft(platform_only(5000), buyer_max_fen=500))
    await spent(database, shop, BUYER)
    assert await code(database, shop, BUYER) == "buyer_cap"
    assert await code(database, shop, OTHER_BUYER) == "given"
    for campaign_id in await agreed(database):
        await database.run(lambda tx, which=campaign_id: stop(tx, which, OPERATOR, NOW))
    await running(database, draft(platform_only(5000), guard_days=30))
    assert await code(database, shop) == "price_new"
    await priced(database, shop, (900, NOW - timedelta(days=39)), (1000, NOW - timedelta(days=1)))
    assert await code(database, shop) == "price_raised"


async def code(database: Database, shop: Shop, buyer_id: PersonId | None = None, quantity: int = 1) -> str:
    async with database.transaction() as tx:
        return (await previewed(tx, shop.id, shop.sku_id, quantity, buyer_id, NOW)).code
