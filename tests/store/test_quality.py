"""The quality pool against the database: both sides approve, criteria are measured, and goods leave with the reason."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from fairwind.alliance import RatingDraft, Reviewing, rate
from fairwind.alliance.commands.quality import (
    Nominating,
    move_nominations,
    nominate,
    quality,
    recheck,
    set_criteria,
    standings,
)
from fairwind.alliance.commands.watch import Watch
from fairwind.alliance.quality import (
    AlreadyNominated,
    CriteriaDraft,
    CriteriaUnmet,
    Criterion,
    Nomination,
    NominationAction,
    NominationId,
    NominationState,
    NominationStep,
)
from fairwind.alliance.store import quality as store
from fairwind.alliance.store.pool import items_returned, items_sold
from fairwind.catalog.commands.products import Repricing, reprice
from fairwind.catalog.product import Price
from fairwind.kernel import (
    Database,
    Fen,
    IdReused,
    NotFound,
    PersonId,
    Platform,
    Ppm,
    ProductId,
    Refused,
    Settings,
    ShiftedClock,
    accepted,
    uuid7,
)
from fairwind.kernel.pages import NEWEST
from fairwind.kernel.states import WrongState
from market import BUYER, NOW, Shop, open_shop, order_id

OPERATOR, MERCHANT = PersonId(1), PersonId(2)
CRITERIA = CriteriaDraft(400, 2, Ppm(100_000), 10, 5, 30, Ppm(0))
LATER = NOW + timedelta(days=40)


@pytest.fixture(autouse=True)
async def _asked(database: Database) -> None:
    await database.run(lambda tx: set_criteria(tx, CRITERIA, OPERATOR, NOW))


@pytest.fixture
async def shop(database: Database) -> Shop:
    """A shop whose first product meets the criteria."""
    shop = await open_shop(database, 10, 10)
    await sell(database, shop, 20, 2)
    await rated(database, shop, 4, 5)
    return shop


async def sell(database: Database, shop: Shop, sold: int, returned: int = 0) -> None:
    product_id = shop.product_ids[0]

    async def work(tx: object) -> None:
        await tx.ask(items_sold(shop.id, {product_id: (sold, sold)}))  # type: ignore[attr-defined]
        await tx.ask(items_returned(shop.id, {product_id: (returned, returned)}))  # type: ignore[attr-defined]

    await database.run(work)


async def rated(database: Database, shop: Shop, *stars: int) -> None:
    items = [Reviewing(order_id(), 1, shop.product_ids[0], BUYER, RatingDraft(each)) for each in stars]
    await database.run(lambda tx: rate(tx, shop.id, items, NOW))


def nominating(shop: Shop, place: int = 0) -> Nominating:
    return Nominating(NominationId(uuid7(NOW)), shop.product_ids[place], MERCHANT)


async def put_up(database: Database, shop: Shop, *items: Nominating, now: datetime = NOW) -> list[Nomination | Refused]:
    return await database.run(lambda tx: nominate(tx, shop.id, items, now))


async def act(
    database: Database, shop: Shop, nomination: Nomination, action: NominationAction, message: str = ""
) -> Nomination | Refused:
    step = NominationStep(nomination.id, action, OPERATOR, message)
    [outcome] = await database.run(lambda tx: move_nominations(tx, shop.id, [step], NOW))
    return outcome


async def member(database: Database, shop: Shop) -> Nomination:
    [nomination] = await put_up(database, shop, nominating(shop))
    return accepted(await act(database, shop, accepted(nomination), NominationAction.APPROVE))


async def kept(database: Database, shop: Shop, nomination: Nomination) -> Nomination:
    async with database.transaction() as tx:
        return (await tx.ask(store.nominations(shop.id, [nomination.id])))[nomination.id]


async def in_pool(database: Database, words: list[str], shop: Shop) -> list[ProductId]:
    async with database.transaction() as tx:
        return [good.product_id for good in await store.goods(tx, words, None, NEWEST, 100) if good.shop_id == shop.id]


async def test_a_product_enters_when_its_shop_and_the_platform_both_approve(database: Database, shop: Shop) -> None:
    [nominated] = await put_up(database, shop, nominating(shop))
    assert await in_pool(database, [], shop) == []

    entered = await act(database, shop, accepted(nominated), NominationAction.APPROVE)

    assert await in_pool(database, ["雨伞"], shop) == [shop.product_ids[0]]
    assert await in_pool(database, ["毛毯"], shop) == []
    assert isinstance(entered, Nomination)
    assert entered == await kept(database, shop, entered)
    async with database.transaction() as tx:
        [good] = [each for each in await store.goods(tx, [], None, NEWEST, 100) if each.shop_id == shop.id]
    assert (good.centistars, good.ratings, good.sold_quantity, good.return_rate_ppm) == (450, 2, 20, 100_000)


async def test_what_is_nominated_or_in_the_pool_is_not_nominated_again(database: Database, shop: Shop) -> None:
    item = nominating(shop)
    [first] = await put_up(database, shop, item)
    [same], [reused], [other] = (
        await put_up(database, shop, item),
        await put_up(database, shop, replace(item, product_id=shop.product_ids[1])),
        await put_up(database, shop, nominating(shop)),
    )

    assert accepted(first) == same
    assert isinstance(reused, IdReused)
    assert isinstance(other, AlreadyNominated)
    await act(database, shop, accepted(first), NominationAction.DECLINE, "图片不合格")
    [fresh] = await put_up(database, shop, nominating(shop))
    assert isinstance(fresh, Nomination)
    assert (await kept(database, shop, accepted(first))).message == "图片不合格"


async def test_of_nominations_that_come_at_once_one_stays(database: Database, shop: Shop) -> None:
    outcomes = await asyncio.gather(*(put_up(database, shop, nominating(shop)) for _ in range(5)))

    assert sorted(type(each).__name__ for [each] in outcomes) == ["AlreadyNominated"] * 4 + ["Nomination"]


async def test_what_falls_short_is_told_which_and_by_how_much(database: Database, shop: Shop) -> None:
    [poor] = await put_up(database, shop, nominating(shop, 1))
    [missing] = await put_up(database, shop, replace(nominating(shop), product_id=ProductId(1)))

    assert isinstance(poor, CriteriaUnmet)
    assert [(fault.criterion, fault.by) for fault in poor.more["faults"]] == [
        (Criterion.RATINGS, 2),
        (Criterion.SOLD, 10),
    ]
    assert isinstance(missing, NotFound)
    async with database.transaction() as tx:
        assert (await quality(tx, shop.id, shop.product_ids[1], NOW)).faults == poor.more["faults"]
        with pytest.raises(NotFound):
            await quality(tx, shop.id, ProductId(1), NOW)


async def test_what_falls_short_after_its_nomination_is_not_approved(database: Database, shop: Shop) -> None:
    [nominated] = await put_up(database, shop, nominating(shop))
    await rated(database, shop, 1, 1)

    outcome = await act(database, shop, accepted(nominated), NominationAction.APPROVE)

    assert isinstance(outcome, CriteriaUnmet)
    assert (await kept(database, shop, accepted(nominated))).state is NominationState.NOMINATED


async def test_a_price_is_held_against_its_lowest_of_the_last_days(database: Database, shop: Shop) -> None:
    async def cost(price_fen: int, now: datetime) -> None:
        item = Repricing(shop.sku_ids[0], Price(Fen(price_fen)))
        await database.run(lambda tx: reprice(tx, shop.id, [item], now))

    async def prices(now: datetime) -> list[tuple[int, int]]:
        async with database.transaction() as tx:
            criteria = await tx.ask(store.criteria())
            found = await standings(tx, shop.id, shop.product_ids, criteria, now)
        return [(price.price_fen, price.lowest_fen) for price in found[shop.product_ids[0]].prices]

    await cost(8000, NOW + timedelta(days=1))
    await cost(9000, NOW + timedelta(days=2))
    assert await prices(NOW + timedelta(days=2)) == [(9000, 8000)]
    assert await prices(NOW + timedelta(days=32) - timedelta(microseconds=1)) == [(9000, 8000)]
    assert await prices(NOW + timedelta(days=32)) == [(9000, 9000)]
    assert await prices(NOW + timedelta(days=1, hours=1)) == [(9000, 8000)]

    [dear] = await put_up(database, shop, nominating(shop), now=NOW + timedelta(days=3))
    [fine] = await put_up(database, shop, nominating(shop), now=NOW + timedelta(days=32))
    assert isinstance(dear, CriteriaUnmet)
    assert [(fault.criterion, fault.by) for fault in dear.more["faults"]] == [(Criterion.PRICE, 1000)]
    assert isinstance(fine, Nomination)


async def test_goods_that_no_longer_meet_the_criteria_leave_with_the_reason_and_the_rest_stay(
    database: Database, shop: Shop
) -> None:
    clock = ShiftedClock()
    ours, other = await member(database, shop), await open_shop(database, 10)
    await sell(database, other, 20)
    await rated(database, other, 5, 5)
    theirs = await member(database, other)
    await sell(database, shop, 0, 1)

    await Watch(Platform(database, clock, Settings())).recheck_quality()

    gone = await kept(database, shop, ours)
    assert (gone.state, gone.left_by) == (NominationState.REMOVED, None)
    assert gone.left_at is not None
    assert gone.faults is not None
    assert [(fault.criterion, fault.measured) for fault in gone.faults] == [(Criterion.RETURN_RATE, 150_000)]
    assert (await kept(database, other, theirs)).state is NominationState.MEMBER
    assert await in_pool(database, [], shop) == []
    async with database.transaction() as tx:
        assert await store.history(tx, shop.id, shop.product_ids[0], NEWEST, 9) == [gone]


async def test_stricter_criteria_take_goods_out_and_are_a_version_of_their_own(database: Database, shop: Shop) -> None:
    ours = await member(database, shop)
    before = await database.run(lambda tx: set_criteria(tx, CRITERIA, OPERATOR, LATER))
    stricter = await database.run(
        lambda tx: set_criteria(tx, replace(CRITERIA, stock_min_quantity=11), OPERATOR, LATER)
    )

    removed = await database.run(lambda tx: recheck(tx, shop.id, [ours.id], LATER))
    again = await database.run(lambda tx: recheck(tx, shop.id, [ours.id], LATER))

    assert stricter.version == before.version + 1
    assert ours.criteria_version == before.version
    assert [fault.english for each in removed for fault in each.faults or []] == [
        "11 pieces in stock are needed and it has 10"
    ]
    assert again == []
    async with database.transaction() as tx:
        assert (await store.criteria_page(tx, stricter.version + 1, 2))[0] == stricter


async def test_criteria_set_at_once_become_versions_one_after_another(database: Database) -> None:
    drafts = [replace(CRITERIA, ratings_min=100 + number) for number in range(6)]

    made = await asyncio.gather(
        *(database.run(lambda tx, draft=draft: set_criteria(tx, draft, OPERATOR, LATER)) for draft in drafts)
    )

    versions = sorted(criteria.version for criteria in made)
    assert versions == list(range(versions[0], versions[0] + 6))


async def test_an_operator_takes_goods_out_and_a_shop_withdraws_its_own(database: Database, shop: Shop) -> None:
    ours = await member(database, shop)
    removed = await act(database, shop, ours, NominationAction.REMOVE, "标题夸大")
    [fresh] = await put_up(database, shop, nominating(shop), now=NOW + timedelta(hours=1))
    withdrawn = await act(database, shop, accepted(fresh), NominationAction.WITHDRAW)

    assert isinstance(removed, Nomination)
    assert (removed.state, removed.message, removed.left_by) == (NominationState.REMOVED, "标题夸大", OPERATOR)
    assert removed == await kept(database, shop, removed)
    assert isinstance(withdrawn, Nomination)
    assert isinstance(await act(database, shop, withdrawn, NominationAction.APPROVE), WrongState)
    no_such = replace(withdrawn, id=NominationId(uuid7(NOW)))
    assert isinstance(await act(database, shop, no_such, NominationAction.APPROVE), NotFound)
    async with database.transaction() as tx:
        assert [each.state for each in await store.nominations_page(tx, shop.id, None, NEWEST, 9)] == [
            NominationState.WITHDRAWN, NominationState.REMOVED,
        ]  # fmt: skip
        [only] = await store.nominations_page(tx, shop.id, NominationState.REMOVED, NEWEST, 9)
        assert only == removed
