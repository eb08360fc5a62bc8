"""Ratings against the database: one for each line, and sums that stay right whoever comes first."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from fairwind.alliance import Rating, RatingClosed, RatingDraft, Reviewing, rate
from fairwind.alliance.rating import CHANGE_WITHIN, ProductRating
from fairwind.alliance.store import ratings as store
from fairwind.kernel import Database, PersonId, ProductId, Refused, accepted
from market import BUYER, NOW, Shop, open_shop, order_id


def said(shop: Shop, stars: int, text: str = "", buyer_id: PersonId = BUYER) -> Reviewing:
    return Reviewing(order_id(), 1, shop.product_ids[0], buyer_id, RatingDraft(stars, text))


def again(item: Reviewing, stars: int, text: str = "") -> Reviewing:
    return Reviewing(item.order_id, item.line_no, item.product_id, item.buyer_id, RatingDraft(stars, text))


async def give(database: Database, shop: Shop, *items: Reviewing, now: datetime = NOW) -> list[Rating | Refused]:
    return await database.run(lambda tx: rate(tx, shop.id, items, now))


async def summed(database: Database, shop: Shop, product_id: ProductId | None = None) -> ProductRating | None:
    wanted = product_id or shop.product_ids[0]
    async with database.transaction() as tx:
        return (await tx.ask(store.product_ratings(shop.id, [wanted]))).get(wanted)


async def test_ratings_add_up_and_a_change_moves_the_sum(database: Database) -> None:
    shop = await open_shop(database, 1)
    first, second = said(shop, 5), said(shop, 2, "色差大")
    assert await summed(database, shop) is None

    await give(database, shop, first, second)
    assert await summed(database, shop) == ProductRating(2, 350)

    [changed] = await give(database, shop, again(second, 4, "客服换了货"), now=NOW + timedelta(days=1))
    assert accepted(changed).changed_at == NOW + timedelta(days=1)
    assert await summed(database, shop) == ProductRating(2, 450)

    [late] = await give(database, shop, again(second, 1), now=NOW + CHANGE_WITHIN)
    assert isinstance(late, RatingClosed)
    assert await summed(database, shop) == ProductRating(2, 450)


async def test_a_line_rated_and_changed_in_one_batch_counts_once(database: Database) -> None:
    shop = await open_shop(database, 1)
    item = said(shop, 1)

    first, second, same = await give(database, shop, item, again(item, 4), again(item, 4))

    assert accepted(first).stars == 1
    assert accepted(second) == same
    assert await summed(database, shop) == ProductRating(1, 400)


async def test_many_at_once_lose_no_star(database: Database) -> None:
    shop = await open_shop(database, 1)
    items = [said(shop, 1 + number % 5, buyer_id=PersonId(number + 1)) for number in range(40)]

    await asyncio.gather(*(give(database, shop, item) for item in [*items, *items]))

    assert await summed(database, shop) == ProductRating(40, 300)


async def test_ratings_are_listed_newest_first_a_page_at_a_time(database: Database) -> None:
    shop = await open_shop(database, 1)
    for number in range(3):
        await give(database, shop, said(shop, number + 1), now=NOW + timedelta(hours=number))

    async with database.transaction() as tx:
        newest = (NOW + timedelta(days=1), order_id(), 1)
        first = await store.ratings_page(tx, shop.id, shop.product_ids[0], newest, 2)
        last = first[-1]
        rest = await store.ratings_page(
            tx, shop.id, shop.product_ids[0], (last.rated_at, last.order_id, last.line_no), 2
        )

    assert [each.stars for each in first + rest] == [3, 2, 1]
