"""Short links against the database: what they lead to, what their clicks are worth, and what is counted of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from msgspec.structs import replace

from fairwind.alliance import Click, Evidence, attribute, clicks
from fairwind.alliance.commands import links as commands
from fairwind.alliance.commands.desk import EVERYWHERE, Links
from fairwind.alliance.commands.links import (
    Ending,
    Linking,
    count_orders,
    end_links,
    find_links,
    follow,
    make_links,
    open_promotion,
)
from fairwind.alliance.commands.watch import Watch
from fairwind.alliance.link import (
    CLICKS_KEPT,
    Followed,
    Following,
    Link,
    LinkCode,
    LinkDay,
    LinkDraft,
    LinkEnded,
    NotOnShelf,
    Outlet,
    Promotion,
    PromotionDraft,
    TooManyLinks,
    TooManyPromotions,
    address,
)
from fairwind.alliance.store import links as store
from fairwind.kernel import (
    ClickId,
    Database,
    Event,
    EventId,
    Forbidden,
    Invalid,
    NotFound,
    PersonId,
    Platform,
    ProductId,
    Refused,
    Settings,
    ShiftedClock,
    ShopId,
    accepted,
    next_ids,
    uuid7,
)
from market import NOW, Shop, open_shop

DAY = timedelta(days=1)


async def someone(database: Database) -> PersonId:
    return PersonId((await database.run(lambda tx: next_ids(tx, 1)))[0])


@pytest.fixture
async def shop(database: Database) -> Shop:
    return await open_shop(database, 10, 10)


@pytest.fixture
async def creator(database: Database) -> PersonId:
    return await someone(database)


async def promotion(database: Database, creator_id: PersonId, name: str = "粉丝群") -> Promotion:
    draft = PromotionDraft(name, Outlet.WECHAT)
    return await database.run(lambda tx: open_promotion(tx, creator_id, draft, NOW))


async def draft(database: Database, creator_id: PersonId, shop: Shop) -> LinkDraft:
    """A draft of a link to the shop's first product."""
    return LinkDraft((await promotion(database, creator_id)).id, shop.id, shop.product_ids[0])


async def make(database: Database, creator_id: PersonId, *drafts: LinkDraft, now: datetime = NOW) -> list[Link]:
    items = [Linking(creator_id, each) for each in drafts]
    return [accepted(link) for link in await database.run(lambda tx: make_links(tx, items, now))]


async def refused(database: Database, creator_id: PersonId, wanted: LinkDraft) -> Refused:
    [outcome] = await database.run(lambda tx: make_links(tx, [Linking(creator_id, wanted)], NOW))
    assert isinstance(outcome, Refused)
    return outcome


async def click(database: Database, link: Link, times: int = 1, now: datetime = NOW) -> list[Followed]:
    items = [Following(link, None)] * times
    return await database.run(lambda tx: follow(tx, link.shop_id, items, now))


async def evidence(database: Database, shop_id: ShopId, *ids: ClickId) -> Evidence:
    async with database.transaction() as tx:
        found = await tx.ask(clicks(shop_id, ids))
    return Evidence(clicks=tuple(found[each] for each in ids if each in found))


async def days(database: Database, link: Link) -> list[LinkDay]:
    async with database.transaction() as tx:
        return await store.days_of_link(tx, link, date.max, 10)


async def test_a_promotion_is_one_place_however_often_it_is_named(database: Database, creator: PersonId) -> None:
    first, again = await promotion(database, creator), await promotion(database, creator)
    other = await promotion(database, await someone(database))

    assert first == again
    assert (first.name, first.outlet, first.creator_id) == ("粉丝群", Outlet.WECHAT, creator)
    assert other.id != first.id


async def test_a_creator_has_so_many_promotions_and_a_promotion_so_many_links(
    database: Database, creator: PersonId, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "PROMOTIONS_MAX", 1)
    monkeypatch.setattr(commands, "LINKS_MAX", 1)
    wanted = await draft(database, creator, shop)
    await make(database, creator, wanted)

    with pytest.raises(TooManyPromotions):
        await promotion(database, creator, "another")
    assert isinstance(await refused(database, creator, replace(wanted, model="first")), TooManyLinks)
    assert len(await make(database, creator, wanted)) == 1
    async with database.transaction() as tx:
        assert await store.promotion_count(tx, creator) == 1


async def test_the_same_link_again_is_the_same_link_until_it_has_ended(
    database: Database, creator: PersonId, shop: Shop
) -> None:
    wanted = await draft(database, creator, shop)
    first, again, other = await make(database, creator, wanted, wanted, replace(wanted, window_days=30))

    assert first == again
    assert len(first.code) >= 8
    assert other.code != first.code
    assert other.window_s == 30 * 86_400
    [ended] = await database.run(lambda tx: end_links(tx, [Ending(creator, first.code)], NOW + DAY))
    assert accepted(ended).ends_at == NOW + DAY
    [fresh] = await make(database, creator, wanted, now=NOW + DAY)
    assert fresh.code != first.code


async def test_what_makes_no_sense_is_not_linked_to(database: Database, creator: PersonId, shop: Shop) -> None:
    wanted = await draft(database, creator, shop)
    stranger = await someone(database)
    async with database.transaction() as tx:
        await tx.execute(
            "UPDATE catalog.product SET on_shelf = false WHERE shop_id = %s AND id = %s", (shop.id, shop.product_ids[1])
        )

    assert isinstance(await refused(database, stranger, wanted), Forbidden)
    assert isinstance(await refused(database, creator, replace(wanted, promotion_id=1)), NotFound)
    assert isinstance(await refused(database, creator, replace(wanted, product_id=ProductId(1))), NotFound)
    assert isinstance(await refused(database, creator, replace(wanted, shop_id=ShopId(1), product_id=None)), NotFound)
    assert isinstance(await refused(database, creator, replace(wanted, product_id=shop.product_ids[1])), NotOnShelf)
    assert isinstance(await refused(database, creator, replace(wanted, ends_at=NOW)), Invalid)
    assert (await make(database, creator, replace(wanted, product_id=None)))[0].product_id is None


async def test_only_its_creator_ends_a_link_and_ending_it_again_changes_nothing(
    database: Database, creator: PersonId, shop: Shop
) -> None:
    [link] = await make(database, creator, await draft(database, creator, shop))
    stranger = await someone(database)

    items = [Ending(stranger, link.code), Ending(creator, LinkCode("no-such-1")), Ending(creator, link.code)]
    forbidden, missing, first = await database.run(lambda tx: end_links(tx, items, NOW + DAY))
    [again] = await database.run(lambda tx: end_links(tx, [Ending(creator, link.code)], NOW + 2 * DAY))

    assert isinstance(forbidden, Forbidden)
    assert isinstance(missing, NotFound)
    assert first == again == replace(link, ends_at=NOW + DAY)


async def test_a_link_is_followed_until_it_ends(database: Database, creator: PersonId, shop: Shop) -> None:
    wanted = replace(await draft(database, creator, shop), ends_at=NOW + DAY)
    [link] = await make(database, creator, wanted)

    async def found(now: datetime) -> Link | Refused:
        async with database.transaction() as tx:
            [outcome] = await find_links(tx, EVERYWHERE, [link.code], now)
        return outcome

    assert await found(NOW) == link
    assert await found(NOW + DAY - timedelta(microseconds=1)) == link
    assert isinstance(await found(NOW + DAY), LinkEnded)


async def test_clicks_keep_the_terms_of_their_link_and_count_as_evidence(
    database: Database, creator: PersonId, shop: Shop
) -> None:
    wanted = await draft(database, creator, shop)
    ours, whole = await make(
        database, creator, replace(wanted, window_days=1, model="first"), replace(wanted, product_id=None)
    )
    [first] = await click(database, ours)
    [second] = await click(database, whole, now=NOW + timedelta(hours=1))
    found = await evidence(database, shop.id, first.id, second.id, ClickId(UUID(int=1)))

    assert found.clicks[0] == Click(first.id, ours.code, creator, shop.product_ids[0], NOW, 86_400, "first", None)
    assert found.clicks[1].product_id is None
    buyer_id = PersonId(7)
    assert attribute(found, shop.product_ids[0], NOW + DAY - timedelta(microseconds=1), buyer_id).reason == "last_click"
    assert attribute(found, shop.product_ids[1], NOW + DAY, buyer_id).link_code == whole.code
    [mine] = await database.run(lambda tx: follow(tx, shop.id, [Following(ours, buyer_id)], NOW))
    assert (await evidence(database, shop.id, mine.id)).clicks[0].person_id == buyer_id
    assert (await evidence(database, ShopId(shop.id + 1), first.id)).clicks == ()
    assert address(first.link, first.id) == f"/shops/{shop.id}/products/{shop.product_ids[0]}?click={first.id}"
    assert address(second.link, second.id) == f"/shops/{shop.id}?click={second.id}"


async def test_a_viral_link_is_followed_in_batches_and_every_click_is_counted(
    database: Database, creator: PersonId, shop: Shop
) -> None:
    clock = ShiftedClock()
    platform = Platform(database, clock, Settings())
    links = Links(platform)
    [link] = await make(database, creator, await draft(database, creator, shop), now=clock.now())
    before = await commits(database)

    followed = await asyncio.gather(*(links.follow(link.code, PersonId(number)) for number in range(600)))

    assert len({each.id for each in followed}) == 600
    assert await commits(database) - before < 100
    assert sum(day.clicks for day in await days(database, link)) == 600
    async with database.transaction() as tx:
        rows = await tx.rows("SELECT person_id FROM alliance.click WHERE shop_id = %s", (shop.id,))
    assert sorted(row.person_id for row in rows) == list(range(600))
    with pytest.raises(NotFound):
        await links.follow(LinkCode("nobody-made-this"), None)


async def commits(database: Database) -> int:
    """How many transactions have written: each takes a number."""
    async with database.transaction() as tx:
        row = await tx.row("SELECT pg_current_xact_id()::text::bigint AS number")
    return int(row.number)  # type: ignore[union-attr]


async def test_days_are_those_of_china_and_orders_stand_beside_clicks(
    database: Database, creator: PersonId, shop: Shop
) -> None:
    wanted = await draft(database, creator, shop)
    first, second = await make(database, creator, wanted, replace(wanted, model="first"))
    midnight = datetime.fromisoformat("2020-06-18T16:00:00+00:00")
    await click(database, first, 3, midnight - timedelta(microseconds=1))
    await click(database, first, 2, midnight)
    await click(database, second, 1, midnight)

    async def placed(*codes: Sequence[str]) -> None:
        told = [event(shop.id, of_order, midnight) for of_order in codes]
        await database.run(lambda tx: count_orders(tx, shop.id, told, midnight + DAY))

    await placed([first.code], [first.code, second.code], [], ["no-such-link"])
    await placed([second.code])

    assert await days(database, first) == [
        LinkDay(date(2020, 6, 19), 2, 2), LinkDay(date(2020, 6, 18), 3, 0),
    ]  # fmt: skip
    async with database.transaction() as tx:
        both = await store.days_of_promotion(tx, first.promotion_id, date.max, 10)
        later = await store.days_of_promotion(tx, first.promotion_id, date(2020, 6, 19), 10)
    assert both == [LinkDay(date(2020, 6, 19), 3, 4), LinkDay(date(2020, 6, 18), 3, 0)]
    assert later == both[1:]


def event(shop_id: ShopId, codes: Sequence[str], at: datetime) -> Event:
    payload = msgspec.json.encode({"order_id": str(uuid7(at)), "link_codes": list(codes)})
    return Event(EventId(uuid7(at)), shop_id, "orders.placed", msgspec.Raw(payload), at)


async def test_orders_that_say_nothing_of_links_are_heard_and_change_nothing(database: Database, shop: Shop) -> None:
    payload = msgspec.Raw(b'{"order_id": "01900000-0000-7000-8000-000000000001", "total_fen": 1}')
    told = Event(EventId(uuid7(NOW)), shop.id, "orders.placed", payload, NOW)

    await database.run(lambda tx: count_orders(tx, shop.id, [told], NOW))


async def test_old_clicks_are_forgotten_and_the_counts_stay(database: Database, creator: PersonId, shop: Shop) -> None:
    clock = ShiftedClock()
    now = clock.now()
    [link] = await make(database, creator, await draft(database, creator, shop), now=now)
    [old] = await click(database, link, now=now - CLICKS_KEPT - DAY)
    [young] = await click(database, link, now=now - CLICKS_KEPT + DAY)

    await Watch(Platform(database, clock, Settings())).forget_clicks()

    assert [each.id for each in (await evidence(database, shop.id, old.id, young.id)).clicks] == [young.id]
    assert sum(day.clicks for day in await days(database, link)) == 2


async def test_a_creators_links_are_listed_newest_first(database: Database, creator: PersonId, shop: Shop) -> None:
    wanted = await draft(database, creator, shop)
    made = [
        (await make(database, creator, replace(wanted, window_days=each), now=NOW + number * DAY))[0]
        for number, each in enumerate((1, 7, 15))
    ]
    newest = (datetime.max.replace(tzinfo=NOW.tzinfo), "~")

    async def listed(promotion_id: int | None, before: tuple[datetime, str]) -> list[Link]:
        async with database.transaction() as tx:
            return await store.links_page(tx, creator, promotion_id, before, 2)  # type: ignore[arg-type]

    first = await listed(None, newest)
    assert first == made[:0:-1]
    assert await listed(None, (first[-1].created_at, first[-1].code)) == made[:1]
    assert await listed(wanted.promotion_id, newest) == first
    assert await listed(1, newest) == []
