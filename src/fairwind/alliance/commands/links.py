"""Making promotions and short links, ending links, following them, and counting what came of them.

Locks are taken in one order: promotions by id, links by code. Days of links are counted in the order of code and day.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from fairwind.alliance.link import (
    CODE_LENGTH,
    LINKS_MAX,
    PROMOTIONS_MAX,
    DayCount,
    Followed,
    Following,
    Link,
    LinkCode,
    LinkDraft,
    LinkEnded,
    NotOnShelf,
    Promotion,
    PromotionDraft,
    PromotionId,
    TooManyLinks,
    TooManyPromotions,
    ended,
    has_ended,
    link_of,
    same_link,
)
from fairwind.alliance.store import links as store
from fairwind.catalog import Listing, Shop, listings, shops
from fairwind.kernel import (
    ClickId,
    Event,
    Forbidden,
    Invalid,
    NotFound,
    PersonId,
    ProductId,
    Refused,
    ShopId,
    Transaction,
    day_in_china,
    next_ids,
    uuid7s,
)


class Linking(msgspec.Struct, frozen=True):
    """Which creator wants which link."""

    creator_id: PersonId
    draft: LinkDraft


class Ending(msgspec.Struct, frozen=True):
    """Which creator ends which link."""

    creator_id: PersonId
    code: LinkCode


class _Placed(msgspec.Struct, frozen=True):
    """What the alliance reads of an order that was placed. link_codes: those whose clicks decided its lines."""

    link_codes: tuple[str, ...] = ()


async def open_promotion(tx: Transaction, creator_id: PersonId, draft: PromotionDraft, now: datetime) -> Promotion:
    """The creator's promotion of this name and outlet, made unless it is there. Raises TooManyPromotions."""
    [promotion_id] = await next_ids(tx, 1)
    promotion = await store.save_promotion(tx, PromotionId(promotion_id), creator_id, draft, now)
    if await store.promotion_count(tx, creator_id) > PROMOTIONS_MAX:
        raise TooManyPromotions(f"you have {PROMOTIONS_MAX} promotions; make links of those")
    return promotion


async def make_links(tx: Transaction, items: Sequence[Linking], now: datetime) -> list[Link | Refused]:
    """Make short links. One that is there with the same terms and has not ended is answered as it stands."""
    promotion_ids = {item.draft.promotion_id for item in items}
    shop_ids = {item.draft.shop_id for item in items}
    promotions, counts, like, known_shops = await tx.together(
        store.promotions_locked(promotion_ids),
        store.link_counts(promotion_ids),
        store.like_links(promotion_ids, shop_ids),
        shops(shop_ids),
    )
    drafts = [item.draft for item in items]
    on_offer = await _listings(tx, {(draft.shop_id, draft.product_id) for draft in drafts if draft.product_id})
    codes = _codes(len(items))
    fresh: list[Link] = []
    outcomes: list[Link | Refused] = []
    for item, code in zip(items, codes, strict=True):
        wanted = link_of(item.draft, code, item.creator_id, now)
        no = _refusal(wanted, promotions.get(wanted.promotion_id), known_shops, on_offer, now)
        there = None if no else same_link(like, wanted, now)
        if no is None and there is None and counts.get(wanted.promotion_id, 0) >= LINKS_MAX:
            no = TooManyLinks(f"the promotion has {LINKS_MAX:,} links; make another promotion")
        if no is None and there is None:
            counts[wanted.promotion_id] = counts.get(wanted.promotion_id, 0) + 1
            like.append(wanted)
            fresh.append(wanted)
        outcomes.append(no or there or wanted)
    if fresh:
        await tx.ask(store.links_added(fresh))
    return outcomes


def _refusal(
    wanted: Link,
    promotion: Promotion | None,
    known_shops: Mapping[ShopId, Shop],
    on_offer: Mapping[tuple[ShopId, ProductId], Listing],
    now: datetime,
) -> Refused | None:
    if promotion is None:
        return NotFound(f"there is no promotion {wanted.promotion_id}; make one first: POST /promotions")
    if promotion.creator_id != wanted.creator_id:
        return Forbidden("the promotion is another creator's; make one of your own: POST /promotions")
    if has_ended(wanted, now):
        return Invalid("ends_at: the link would have ended already; name a later time or null")
    if wanted.shop_id not in known_shops:
        return NotFound(f"there is no shop {wanted.shop_id}")
    if wanted.product_id is None:
        return None
    listing = on_offer.get((wanted.shop_id, wanted.product_id))
    if listing is None:
        return NotFound(f"shop {wanted.shop_id} has no product {wanted.product_id}")
    return None if listing.on_shelf else NotOnShelf("the product is off the shelf; its shop can put it back")


async def _listings(
    tx: Transaction, targets: Collection[tuple[ShopId, ProductId]]
) -> dict[tuple[ShopId, ProductId], Listing]:
    """What the catalog says of these products; one that is not there is absent."""
    by_shop: dict[ShopId, list[ProductId]] = {}
    for shop_id, product_id in sorted(targets):
        by_shop.setdefault(shop_id, []).append(product_id)
    answers = await tx.together(*(listings(shop_id, ids) for shop_id, ids in by_shop.items()))
    found = zip(by_shop, answers, strict=True)
    return {(shop_id, product.product_id): product for shop_id, answer in found for product in answer.values()}


async def end_links(tx: Transaction, items: Sequence[Ending], now: datetime) -> list[Link | Refused]:
    """End links: they lead nowhere any more, and clicks that were made go on counting. Ending again changes nothing."""
    links = await tx.ask(store.links_locked({item.code for item in items}))
    changed: dict[LinkCode, Link] = {}
    outcomes: list[Link | Refused] = []
    for item in items:
        link = links.get(item.code)
        if link is None:
            outcomes.append(no_link())
        elif link.creator_id != item.creator_id:
            outcomes.append(Forbidden("only the creator of a link ends it"))
        else:
            links[item.code] = changed[item.code] = ended(link, now)
            outcomes.append(changed[item.code])
    if changed:
        await tx.ask(store.links_ended(changed.values()))
    return outcomes


async def find_links(tx: Transaction, _: ShopId, codes: Sequence[LinkCode], now: datetime) -> list[Link | Refused]:
    """The links with these codes, as they are followed: those that nobody made and that have ended are refused."""
    links = await tx.ask(store.links(set(codes)))
    return [_followable(links.get(code), now) for code in codes]


def _followable(link: Link | None, now: datetime) -> Link | Refused:
    if link is None:
        return no_link()
    if has_ended(link, now):
        return LinkEnded("the link has ended; look for the goods in the shop", shop_id=link.shop_id)
    return link


async def follow(tx: Transaction, shop_id: ShopId, items: Sequence[Following], now: datetime) -> list[Followed]:
    """Write a click for each item, and count the whole batch once for each link."""
    ids = map(ClickId, uuid7s(now, len(items)))
    followed = [Followed(click_id, item.link, item.person_id, now) for click_id, item in zip(ids, items, strict=True)]
    links = {item.link.code: item.link for item in items}
    clicks = Counter(item.link.code for item in items)
    day = day_in_china(now)
    counts = [DayCount(links[code], day, clicks=number) for code, number in clicks.items()]
    await tx.together(store.clicks_added(shop_id, followed), store.days_counted(shop_id, counts))
    return followed


async def count_orders(tx: Transaction, shop_id: ShopId, events: Sequence[Event], _: datetime) -> None:
    """Count for links the orders that their clicks decided, on the day when they were placed."""
    placed = Counter(
        (LinkCode(code), day_in_china(event.created_at))
        for event in events
        for code in set(event.read(_Placed).link_codes)
    )
    if not placed:
        return
    links = await tx.ask(store.links({code for code, _ in placed}))
    counts = [DayCount(links[code], day, orders=number) for (code, day), number in placed.items() if code in links]
    if counts:
        await tx.ask(store.days_counted(shop_id, counts))


def no_link() -> NotFound:
    return NotFound("there is no such link; check that the whole address was copied")


def _codes(count: int) -> list[LinkCode]:
    """count random codes. One that is taken violates the key, and the command is run again with others."""
    size = CODE_LENGTH * 3 // 4 + 1
    return [LinkCode(urlsafe_b64encode(os.urandom(size)).decode()[:CODE_LENGTH]) for _ in range(count)]
