"""Plans, picks, the pool, MCNs and kept stock on the real tables: what creators earn at which moment, and why not."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from fairwind.alliance.commands.activities import close_activity
from fairwind.alliance.commands.fees import set_fee
from fairwind.alliance.commands.mcn import accept, invite
from fairwind.alliance.commands.mcn import end as leave
from fairwind.alliance.commands.participants import TakingPart, take_part
from fairwind.alliance.commands.picks import Dropping, Picking, drop, pick
from fairwind.alliance.commands.plans import publish_plans
from fairwind.alliance.commands.reserves import Keeping, keep_stock
from fairwind.alliance.commands.sales import count_returned, count_sold
from fairwind.alliance.fee import FeeDraft
from fairwind.alliance.jobs import Sweeps
from fairwind.alliance.participant import Action
from fairwind.alliance.pick import NotInPool, Pick, PickDraft, ShopNeeded
from fairwind.alliance.plan import Kind
from fairwind.alliance.pool import Pooled, PoolSearch, Sort
from fairwind.alliance.promise import Dated, OrdinaryNeeded, PlanLive, Publishing
from fairwind.alliance.reserve import NotPromised, Reserve
from fairwind.alliance.store.commissions import commissions
from fairwind.alliance.store.picks import shelf
from fairwind.alliance.store.plans import progress_of
from fairwind.alliance.store.pool import pooled
from fairwind.alliance.store.reserves import reserves_locked, reserves_saved
from fairwind.alliance.store.sales import head_of
from fairwind.catalog import words
from fairwind.identity import Role
from fairwind.kernel import (
    Database,
    NotFound,
    PersonId,
    Platform,
    Ppm,
    ProductId,
    Refused,
    Settings,
    ShopId,
    accepted,
)
from market import NOW, Shop, broken, open_shop
from plans import (
    DAY,
    MERCHANT,
    MIDNIGHT,
    activity,
    creator,
    earned,
    end,
    publish,
    rate,
    sold,
    someone,
    terms,
    told,
    undone,
)


async def picked(
    database: Database, shop: Shop, creator_id: PersonId, at: datetime = NOW, product: int = 0, **draft: Any
) -> Pick | Refused:
    item = Picking(creator_id, shop.product_ids[product], PickDraft(**draft))
    [outcome] = await database.run(lambda tx: pick(tx, shop.id, [item], at))
    return outcome


async def takes_part(
    database: Database, shop: Shop, plan: Dated | Refused, creator_id: PersonId, action: Action = Action.APPROVE
) -> Any:
    assert isinstance(plan, Dated)
    item = TakingPart(plan.plan.id, creator_id, action)
    [outcome] = await database.run(lambda tx: take_part(tx, shop.id, [item], NOW))
    return outcome


async def search(database: Database, shop: Shop, at: datetime = NOW, **wanted: Any) -> list[Pooled]:
    async with database.transaction() as tx:
        return await pooled(tx, PoolSearch(shop_id=shop.id, **wanted), at)


class Clock:
    """A clock that stands still."""

    def __init__(self, at: datetime) -> None:
        self._at = at

    def now(self) -> datetime:
        return self._at


def sweeps(database: Database, at: datetime, share_ppm: int = 500_000) -> Sweeps:
    return Sweeps(Platform(database, Clock(at), Settings(alliance_head_share_ppm=share_ppm)))


async def sound(database: Database, shop: Shop) -> bool:
    async with database.transaction() as tx:
        assert await broken(tx, [shop.id]) == []
    return True


# Earning.


async def test_a_creator_earns_by_a_pick_and_a_plan_and_hears_why_not_otherwise(database: Database) -> None:
    shop, who = await open_shop(database, 9), await creator(database)
    assert await rate(database, shop, who) == "no_plan"
    await publish(database, shop, terms(20))
    assert await rate(database, shop, who) == "not_picked"
    assert isinstance(await picked(database, shop, who), Pick)
    assert await rate(database, shop, who) == 20
    await database.run(lambda tx: drop(tx, shop.id, [Dropping(who, shop.product_ids[0])], NOW))
    assert await rate(database, shop, who) == "not_picked"
    assert await sound(database, shop)


async def test_a_raise_bites_at_once_and_a_cut_and_an_end_at_midnight(database: Database) -> None:
    shop, who = await open_shop(database, 9), await creator(database)
    plan = await publish(database, shop, terms(20))
    await picked(database, shop, who)
    await publish(database, shop, terms(30), at=NOW + timedelta(minutes=1))
    assert await rate(database, shop, who) == 20
    assert await rate(database, shop, who, NOW + timedelta(minutes=1)) == 30
    await publish(database, shop, terms(10), at=NOW + timedelta(minutes=2))
    assert await rate(database, shop, who, MIDNIGHT - timedelta(microseconds=1)) == 30
    assert await rate(database, shop, who, MIDNIGHT) == 10
    assert isinstance(plan, Dated)
    await end(database, shop, plan.plan.id, at=MIDNIGHT)
    assert await rate(database, shop, who, MIDNIGHT + DAY - timedelta(microseconds=1)) == 10
    assert await rate(database, shop, who, MIDNIGHT + DAY) == "no_plan"
    again = await publish(database, shop, terms(5), at=MIDNIGHT + DAY)
    assert isinstance(again, Dated)
    assert again.plan.id != plan.plan.id
    assert await rate(database, shop, who, MIDNIGHT + DAY) == 5
    assert await sound(database, shop)


async def test_the_same_terms_again_write_nothing(database: Database) -> None:
    shop = await open_shop(database, 9)
    first = await publish(database, shop, terms(20, (5, 30), (9, 40)))
    again = await publish(database, shop, terms(20, (5, 30), (9, 40)), at=NOW + DAY)
    assert isinstance(first, Dated)
    assert isinstance(again, Dated)
    assert (again.plan, again.versions) == (first.plan, first.versions)


async def test_items_of_a_batch_build_on_each_other(database: Database) -> None:
    shop = await open_shop(database, 9, 9)
    first, second = shop.product_ids
    items = [
        Publishing(first, Kind.TARGETED, terms(60), MERCHANT),
        Publishing(first, Kind.ORDINARY, terms(20), MERCHANT),
        Publishing(first, Kind.TARGETED, terms(60), MERCHANT),
        Publishing(second, Kind.ORDINARY, terms(20), MERCHANT),
        Publishing(first, Kind.ORDINARY, terms(30), MERCHANT),
        Publishing(first, Kind.ORDINARY, terms(10), MERCHANT),
        Publishing(ProductId(1), Kind.ORDINARY, terms(10), MERCHANT),
    ]
    outcomes = await database.run(lambda tx: publish_plans(tx, shop.id, items, NOW))
    assert [type(outcome) for outcome in outcomes] == [OrdinaryNeeded, Dated, Dated, Dated, Dated, Dated, NotFound]
    assert outcomes[1] is outcomes[4] is outcomes[5]
    [plan] = [each for each in outcomes[5:6] if isinstance(each, Dated)]
    assert [(version.cut, version.effective_from) for version in plan.versions] == [
        (False, NOW),
        (False, NOW),
        (True, MIDNIGHT),
    ]
    again = await publish(database, shop, terms(10))
    assert isinstance(again, Dated)
    assert again.versions == plan.versions
    assert await sound(database, shop)


async def test_a_targeted_plan_goes_before_the_ordinary_one_for_whom_it_is(database: Database) -> None:
    shop, named, other = await open_shop(database, 9), await creator(database), await creator(database)
    await publish(database, shop, terms(20))
    plan = await publish(database, shop, terms(60), Kind.TARGETED)
    for who in (named, other):
        await picked(database, shop, who)
    await takes_part(database, shop, plan, named)
    await takes_part(database, shop, plan, other, Action.APPLY)
    assert (await rate(database, shop, named), await rate(database, shop, other)) == (60, 20)
    await takes_part(database, shop, plan, named, Action.DECLINE)
    assert await rate(database, shop, named) == 60
    assert await rate(database, shop, named, MIDNIGHT) == 20
    assert isinstance(await takes_part(database, shop, plan, await someone(database, Role.BUYER)), NotFound)
    assert await sound(database, shop)


async def test_while_an_exclusive_plan_is_in_force_nobody_else_earns(database: Database) -> None:
    shop, one, other = await open_shop(database, 9), await creator(database), await creator(database)
    ordinary = await publish(database, shop, terms(20))
    for who in (one, other):
        await picked(database, shop, who)
    plan = await publish(database, shop, terms(50), Kind.EXCLUSIVE, creator_id=one)
    assert (await rate(database, shop, one), await rate(database, shop, other)) == (20, 20)
    assert await rate(database, shop, one, MIDNIGHT) == 50
    assert await rate(database, shop, other, MIDNIGHT) == "exclusive_to_other"
    taken = await publish(database, shop, terms(50), Kind.EXCLUSIVE, creator_id=other)
    assert isinstance(taken, PlanLive)
    assert isinstance(plan, Dated)
    await end(database, shop, plan.plan.id, at=MIDNIGHT)
    assert await rate(database, shop, other, MIDNIGHT + DAY) == 20
    assert isinstance(ordinary, Dated)
    assert await sound(database, shop)


async def test_through_an_activity_creator_and_agency_earn(database: Database) -> None:
    shop, through, direct = await open_shop(database, 9), await creator(database), await creator(database)
    agency_id = await someone(database, Role.AGENCY)
    recruited = await activity(database, agency_id, 30, 10)
    await publish(database, shop, terms(20))
    joined = await publish(database, shop, terms(40, agency=10), Kind.ACTIVITY, activity_id=recruited.id)
    assert isinstance(joined, Dated)
    assert joined.plan.agency_id == agency_id
    await picked(database, shop, through, activity_id=recruited.id)
    await picked(database, shop, direct)
    found = await earned(database, shop, through)
    assert not isinstance(found, str)
    assert (found.creator_ppm, found.agency_id, found.agency_ppm) == (400_000, agency_id, 100_000)
    assert await rate(database, shop, direct) == 20
    too_low = await publish(database, shop, terms(29, agency=10), Kind.ACTIVITY, activity_id=recruited.id)
    assert isinstance(too_low, Refused)
    await database.run(lambda tx: close_activity(tx, recruited.id, agency_id, NOW))
    more = await publish(database, shop, terms(45, agency=10), Kind.ACTIVITY, activity_id=recruited.id)
    assert isinstance(more, Dated)
    await end(database, shop, joined.plan.id, agency_id=agency_id)
    assert await rate(database, shop, through, MIDNIGHT) == 20
    assert isinstance(await end(database, shop, joined.plan.id, agency_id=PersonId(1)), Refused)
    assert await sound(database, shop)


async def test_only_an_activity_pick_earns_where_there_is_no_ordinary_plan(database: Database) -> None:
    shop, who = await open_shop(database, 9), await creator(database)
    recruited = await activity(database, await someone(database, Role.AGENCY))
    await publish(database, shop, terms(40, agency=10), Kind.ACTIVITY, activity_id=recruited.id)
    refused = await picked(database, shop, who)
    assert isinstance(refused, NotInPool)
    assert refused.more["reason"] == "not_for_creator"
    assert isinstance(await picked(database, shop, who, activity_id=recruited.id), Pick)
    assert await rate(database, shop, who) == 40


async def test_steps_look_at_what_this_creator_sold_under_this_plan(database: Database) -> None:
    shop, big, small = await open_shop(database, 9), await creator(database), await creator(database)
    plan = await publish(database, shop, terms(20, (5, 30), (10, 40)))
    assert isinstance(plan, Dated)
    for who in (big, small):
        await picked(database, shop, who)
    await sold(database, shop, [(shop.product_ids[0], 4, 400, plan.plan.id, big)])
    assert await rate(database, shop, big) == 20
    await sold(database, shop, [(shop.product_ids[0], 1, 100, plan.plan.id, big)])
    assert (await rate(database, shop, big), await rate(database, shop, small)) == (30, 20)
    await undone(database, shop, [(shop.product_ids[0], 1, 100, plan.plan.id, big)])
    assert await rate(database, shop, big) == 20
    await sold(database, shop, [(shop.product_ids[0], 9, 900, plan.plan.id, big)])
    assert await rate(database, shop, big) == 40
    assert await sound(database, shop)


@pytest.mark.parametrize("by", ["quantity", "gmv"])
async def test_a_refund_that_is_told_before_its_sale_comes_to_the_same(database: Database, by: str) -> None:
    shop, who = await open_shop(database, 9), await creator(database)
    plan = await publish(database, shop, terms(20, (5, 30), by=by))
    assert isinstance(plan, Dated)
    await picked(database, shop, who)
    line = (shop.product_ids[0], 5, 500, plan.plan.id, who)
    await undone(database, shop, [line])
    assert (await rate(database, shop, who), await progress(database, shop, plan, who)) == (20, (0, 0))
    assert await sound(database, shop)
    await sold(database, shop, [line])
    assert (await rate(database, shop, who), await progress(database, shop, plan, who)) == (20, (0, 0))
    await sold(database, shop, [line])
    assert (await rate(database, shop, who), await progress(database, shop, plan, who)) == (30, (5, 500))
    assert await sound(database, shop)


async def progress(database: Database, shop: Shop, plan: Dated, who: PersonId) -> tuple[int, int]:
    async with database.transaction() as tx:
        return (await tx.ask(progress_of(shop.id, [plan.plan.id], who)))[plan.plan.id]


async def test_a_batch_asks_for_many_pairs_in_one_statement(database: Database) -> None:
    shop, one, other = await open_shop(database, 9, 9), await creator(database), await creator(database)
    await publish(database, shop, terms(20))
    await publish(database, shop, terms(30), product=1)
    await picked(database, shop, one)
    await picked(database, shop, one, product=1)
    pairs = [(product, who) for product in (*shop.product_ids, ProductId(1)) for who in (one, other)]
    async with database.transaction() as tx:
        found = await tx.ask(commissions(shop.id, pairs, NOW))
        nothing = await tx.ask(commissions(ShopId(1), pairs, NOW))
    answers = [found.of(*pair) for pair in pairs]
    rates = [each if isinstance(each, str) else each.creator_ppm for each in answers]
    assert rates == [200_000, "not_picked", 300_000, "not_picked", "no_plan", "no_plan"]
    assert {nothing.of(*pair) for pair in pairs} == {"no_plan"}


async def test_an_mcn_has_its_split_from_midnight_to_midnight(database: Database) -> None:
    shop, who, agency_id = await open_shop(database, 9), await creator(database), await someone(database, Role.AGENCY)
    await publish(database, shop, terms(20))
    await picked(database, shop, who)
    await database.run(lambda tx: invite(tx, agency_id, who, Ppm(300_000), NOW))
    await database.run(lambda tx: accept(tx, who, agency_id, Ppm(300_000), NOW))
    await database.run(lambda tx: leave(tx, who, agency_id, MIDNIGHT))
    splits = []
    for at in (NOW, MIDNIGHT, MIDNIGHT + DAY):
        found = await earned(database, shop, who, at)
        assert not isinstance(found, str)
        splits.append((found.mcn_id, found.mcn_ppm))
    assert splits == [(None, 0), (agency_id, 300_000), (None, 0)]


async def test_the_platforms_share_is_that_of_the_moment(database: Database) -> None:
    shop, who = await open_shop(database, 9), await creator(database)
    await publish(database, shop, terms(20))
    await picked(database, shop, who)
    far = NOW + 4000 * DAY  # other tests share the table
    await database.run(lambda tx: set_fee(tx, FeeDraft(Ppm(50_000), far), PersonId(1), NOW))
    before, after = await earned(database, shop, who), await earned(database, shop, who, far)
    assert not isinstance(before, str)
    assert not isinstance(after, str)
    assert (before.alliance_ppm, after.alliance_ppm) == (100_000, 50_000)


# Picks and shelves.


async def test_a_creator_without_a_shop_of_their_own_adds_no_alliance_goods(database: Database) -> None:
    shop, who = await open_shop(database, 9), await someone(database, Role.CREATOR)
    await publish(database, shop, terms(20))
    assert isinstance(await picked(database, shop, who), ShopNeeded)


async def test_only_what_earns_is_picked_and_what_was_picked_can_be_moved(database: Database) -> None:
    shop, who = await open_shop(database, 9), await creator(database)
    assert isinstance(await picked(database, shop, who), NotInPool)
    plan = await publish(database, shop, terms(20))
    first = await picked(database, shop, who)
    assert isinstance(plan, Dated)
    assert isinstance(first, Pick)
    await end(database, shop, plan.plan.id)
    moved = await picked(database, shop, who, MIDNIGHT, position=3, note="自用")
    assert isinstance(moved, Pick)
    assert (moved.position, moved.picked_at) == (3, first.picked_at)
    stranger = await creator(database)
    assert isinstance(await picked(database, shop, stranger, MIDNIGHT), NotInPool)
    nowhere = await activity(database, await someone(database, Role.AGENCY))
    assert isinstance(await picked(database, shop, stranger, NOW, activity_id=nowhere.id), NotInPool)


async def test_a_shelf_spans_shops_in_its_creators_order(database: Database) -> None:
    one, two, who = await open_shop(database, 9, 9), await open_shop(database, 9), await creator(database)
    for shop, product, position in ((one, 0, 2), (one, 1, 1), (two, 0, 2)):
        await publish(database, shop, terms(20), product=product)
        await picked(database, shop, who, product=product, position=position)
    async with database.transaction() as tx:
        shown = await shelf(tx, who, None, 2)
        last = shown[-1]
        place = (last.position, last.picked_at, last.shop_id, last.product_id)
        rest = await shelf(tx, who, place, 2)
    places = [(each.shop_id, each.product_id) for each in [*shown, *rest]]
    assert places == [(one.id, one.product_ids[1]), (one.id, one.product_ids[0]), (two.id, two.product_ids[0])]


# The pool.


async def test_the_pool_finds_goods_by_rate_words_price_sales_and_returns(database: Database) -> None:
    shop = await open_shop(database, 9, 9, 9)
    for product, percent in ((0, 20), (1, 30)):
        await publish(database, shop, terms(percent), product=product)
    first, second, third = shop.product_ids
    await sold(database, shop, [(first, 10, 1000, None, None), (second, 4, 400, None, None), (third, 9, 9, None, None)])
    back = told(shop.id, "orders.refund_agreed", {"lines": [{"product_id": second, "quantity": 1}]}, NOW)
    old = told(shop.id, "orders.refund_agreed", {"refund_id": 1}, NOW)
    await database.run(lambda tx: count_returned(tx, shop.id, [back, old], NOW))
    found = await search(database, shop)
    assert [(each.product_id, each.public_ppm, each.return_rate_ppm) for each in found] == [
        (second, 300_000, 250_000),
        (first, 200_000, 0),
    ]
    assert found[0].earning_fen == 2673  # 30 % of 99 yuan, less the platform's tenth of it
    for sort in Sort:
        assert len(await search(database, shop, sort=sort)) == 2
    for wanted, expected in (
        ({"sort": Sort.SALES}, [first, second]),
        ({"sort": Sort.RETURNS}, [first, second]),
        ({"words": words("雨伞 1")}, [second]),
        ({"rate_min_ppm": 300_000}, [second]),
        ({"sold_min_quantity": 5}, [first]),
        ({"return_rate_max_ppm": 100_000}, [first]),
        ({"price_max_fen": 100}, []),
        ({"product_id": third}, []),
        ({"category_id": 1}, []),
    ):
        assert [each.product_id for each in await search(database, shop, **wanted)] == expected, wanted
    search_by_rate = PoolSearch(shop_id=shop.id)
    async with database.transaction() as tx:
        after = await pooled(tx, search_by_rate, NOW, search_by_rate.key(found[0]), 10)
    assert after == found[1:]


async def test_the_pool_follows_the_plans_at_midnight_and_shows_the_better_way(database: Database) -> None:
    shop = await open_shop(database, 9)
    recruited = await activity(database, await someone(database, Role.AGENCY))
    await publish(database, shop, terms(20))
    await publish(database, shop, terms(35, agency=1), Kind.ACTIVITY, activity_id=recruited.id)
    [item] = await search(database, shop)
    assert (item.public_ppm, item.activity_id) == (350_000, recruited.id)
    assert len(await search(database, shop, activity_id=recruited.id)) == 1
    await publish(database, shop, terms(10, agency=1), Kind.ACTIVITY, activity_id=recruited.id)
    await sweeps(database, MIDNIGHT).refresh_pool()
    [item] = await search(database, shop, MIDNIGHT)
    assert (item.public_ppm, item.activity_id) == (200_000, None)
    await publish(database, shop, terms(50), Kind.EXCLUSIVE, creator_id=await creator(database), at=MIDNIGHT)
    assert await sound(database, shop)
    await sweeps(database, MIDNIGHT + DAY).refresh_pool()
    assert await search(database, shop, MIDNIGHT + DAY) == []
    assert await sound(database, shop)


# The head, and what is kept from it.


async def test_the_head_is_who_sold_most_in_thirty_days(database: Database) -> None:
    shop, big, small = await open_shop(database, 9), await creator(database), await creator(database)
    plan = await publish(database, shop, terms(20))
    assert isinstance(plan, Dated)
    for who in (big, small):
        await picked(database, shop, who)
    far = NOW + 2000 * DAY
    await sold(database, shop, [(shop.product_ids[0], 1, 10**14, plan.plan.id, big)], far - 29 * DAY)
    await sold(database, shop, [(shop.product_ids[0], 1, 10**13, plan.plan.id, small)], far)
    await sold(database, shop, [(shop.product_ids[0], 1, 5 * 10**14, plan.plan.id, small)], far - 31 * DAY)
    await sweeps(database, far).find_head()
    heads = [await earned(database, shop, who, far) for who in (big, small)]
    assert [not isinstance(each, str) and each.head for each in heads] == [True, False]
    await sweeps(database, far + 2 * DAY).find_head()
    heads = [await earned(database, shop, who, far) for who in (big, small)]
    assert [not isinstance(each, str) and each.head for each in heads] == [False, True]
    # What was undone leaves the day on which it was paid, so that it never counted.
    await undone(database, shop, [(shop.product_ids[0], 1, 10**13, plan.plan.id, small)], far, far + 2 * DAY)
    await sold(database, shop, [(shop.product_ids[0], 1, 1, plan.plan.id, big)], far)
    await sweeps(database, far + 2 * DAY).find_head()
    async with database.transaction() as tx:
        heads = await tx.ask(head_of())
    assert (big in heads, small in heads) == (True, False)
    await sweeps(database, far, share_ppm=0).find_head()
    assert await sound(database, shop)


async def kept(database: Database, shop: Shop, quantity: int, at: datetime = NOW) -> Reserve | Refused:
    [outcome] = await database.run(lambda tx: keep_stock(tx, shop.id, [Keeping(shop.sku_id, quantity)], at))
    return outcome


async def test_stock_is_kept_while_the_product_has_a_plan(database: Database) -> None:
    shop = await open_shop(database, 10)
    assert isinstance(await kept(database, shop, 4), NotPromised)
    plan = await publish(database, shop, terms(20))
    assert isinstance(plan, Dated)
    assert accepted(await kept(database, shop, 4)).left == 4
    assert isinstance(await kept(database, shop, 11), Refused)

    async def take(quantity: int) -> tuple[int, int]:
        async with database.transaction() as tx:
            reserves = await tx.ask(reserves_locked(shop.id, [shop.sku_id]))
            taken = reserves.take(shop.sku_id, quantity)
            await tx.together(*reserves_saved(shop.id, reserves))
            return taken, reserves.left(shop.sku_id)

    assert await take(3) == (3, 1)
    assert await take(3) == (1, 0)
    async with database.transaction() as tx:
        reserves = await tx.ask(reserves_locked(shop.id, [shop.sku_id]))
        reserves.give_back(shop.sku_id, 2)
        await tx.together(*reserves_saved(shop.id, reserves))
    assert await take(0) == (0, 2)
    await end(database, shop, plan.plan.id)
    await sweeps(database, MIDNIGHT).refresh_pool()
    assert await take(1) == (0, 0)


@pytest.mark.parametrize("line", [{}, {"plan_id": None, "earner_id": None, "goods_fen": 5}])
async def test_events_without_what_is_new_in_them_are_counted_as_far_as_they_go(database: Database, line: Any) -> None:
    shop = await open_shop(database, 9)
    await publish(database, shop, terms(20))
    event = told(shop.id, "orders.paid", {"lines": [{"product_id": shop.product_ids[0], "quantity": 2, **line}]}, NOW)
    await database.run(lambda tx: count_sold(tx, shop.id, [event], NOW))
    [item] = await search(database, shop)
    assert item.sold_quantity == 2
