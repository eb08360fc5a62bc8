"""The SQL of promotions, short links and their clicks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import LiteralString

from fairwind.alliance.attribution import Click
from fairwind.alliance.link import (
    DayCount,
    Followed,
    Link,
    LinkCode,
    LinkDay,
    Outlet,
    Promotion,
    PromotionDraft,
    PromotionId,
)
from fairwind.kernel import (
    ClickId,
    PersonId,
    Query,
    Row,
    ShopId,
    Transaction,
    int_array,
    statement,
    text_array,
    time_array,
    uuid_array,
)

Before = tuple[datetime, str]
"""The key of a list of links that shows the newest first."""

_LINK: LiteralString = """
SELECT code, creator_id, promotion_id, shop_id, product_id, window_s, model, created_at, ends_at FROM alliance.link
"""
_DAYS: LiteralString = """
SELECT day, sum(clicks)::bigint AS clicks, sum(orders)::bigint AS orders FROM alliance.link_day
"""


def _promotion(row: Row) -> Promotion:
    return Promotion(row.id, row.creator_id, row.name, Outlet(row.outlet), row.created_at)


# Promotions.


async def promotions_page(tx: Transaction, creator_id: PersonId, after: PromotionId, limit: int) -> list[Promotion]:
    """The creator's promotions by id, after `after`."""
    rows = await tx.rows(
        """
        SELECT id, creator_id, name, outlet, created_at FROM alliance.promotion
        WHERE creator_id = %s AND id > %s ORDER BY id LIMIT %s
        """,
        (creator_id, after, limit),
    )
    return [_promotion(row) for row in rows]


async def save_promotion(
    tx: Transaction, promotion_id: PromotionId, creator_id: PersonId, draft: PromotionDraft, now: datetime
) -> Promotion:
    """The creator's promotion with this name and outlet, made under promotion_id unless it is there."""
    row = await tx.row(
        """
        INSERT INTO alliance.promotion (id, creator_id, name, outlet, created_at) VALUES (%s, %s, %s, %s, %s)
        ON CONFLICT (creator_id, outlet, name) DO UPDATE SET name = excluded.name
        RETURNING id, creator_id, name, outlet, created_at
        """,
        (promotion_id, creator_id, draft.name, draft.outlet, now),
    )
    assert row is not None
    return _promotion(row)


async def promotion_count(tx: Transaction, creator_id: PersonId) -> int:
    row = await tx.row("SELECT count(*) AS promotions FROM alliance.promotion WHERE creator_id = %s", (creator_id,))
    return int(row.promotions) if row else 0


def promotions_locked(ids: Collection[PromotionId]) -> Query[dict[PromotionId, Promotion]]:
    """These promotions, locked in the order of their ids: nobody else makes links of them meanwhile."""
    return Query(
        """
        SELECT id, creator_id, name, outlet, created_at FROM alliance.promotion
        WHERE id = ANY (%s::bigint[]) ORDER BY id FOR UPDATE
        """,
        (int_array(ids),),
        lambda rows: {row.id: _promotion(row) for row in rows},
    )


async def promotion(tx: Transaction, promotion_id: PromotionId) -> Promotion | None:
    row = await tx.row(
        "SELECT id, creator_id, name, outlet, created_at FROM alliance.promotion WHERE id = %s", (promotion_id,)
    )
    return row and _promotion(row)


# Links.


def links(codes: Collection[LinkCode]) -> Query[dict[LinkCode, Link]]:
    """Links by code; those that nobody made are absent."""
    return Query(
        _LINK + "WHERE code = ANY (%s::text[])",
        (text_array(codes),),
        lambda rows: {row.code: Link(*row) for row in rows},
    )


def links_locked(codes: Collection[LinkCode]) -> Query[dict[LinkCode, Link]]:
    return Query(
        _LINK + "WHERE code = ANY (%s::text[]) ORDER BY code FOR UPDATE",
        (text_array(codes),),
        lambda rows: {row.code: Link(*row) for row in rows},
    )


def like_links(promotion_ids: Collection[PromotionId], shop_ids: Collection[ShopId]) -> Query[list[Link]]:
    """The links of these promotions to these shops and their goods, oldest first."""
    return Query(
        _LINK + "WHERE promotion_id = ANY (%s::bigint[]) AND shop_id = ANY (%s::bigint[]) ORDER BY created_at, code",
        (int_array(promotion_ids), int_array(shop_ids)),
        lambda rows: [Link(*row) for row in rows],
    )


def link_counts(promotion_ids: Collection[PromotionId]) -> Query[dict[PromotionId, int]]:
    """How many links each promotion has; one that has none is absent."""
    return Query(
        """
        SELECT promotion_id, count(*) AS links FROM alliance.link
        WHERE promotion_id = ANY (%s::bigint[]) GROUP BY promotion_id
        """,
        (int_array(promotion_ids),),
        lambda rows: {row.promotion_id: row.links for row in rows},
    )


async def links_page(
    tx: Transaction, creator_id: PersonId, promotion_id: PromotionId | None, before: Before, limit: int
) -> list[Link]:
    """The creator's links, of one promotion or of all, newest first, before `before`."""
    rows = await tx.rows(
        _LINK
        + "WHERE creator_id = %(creator_id)s AND (created_at, code) < (%(at)s, %(code)s)\n"
        + ("" if promotion_id is None else "AND promotion_id = %(promotion_id)s\n")
        + "ORDER BY created_at DESC, code DESC LIMIT %(limit)s",
        {
            "creator_id": creator_id,
            "promotion_id": promotion_id,
            "at": before[0],
            "code": before[1],
            "limit": limit,
        },
    )
    return [Link(*row) for row in rows]


def links_added(added: Collection[Link]) -> Query[None]:
    return statement(
        """
        INSERT INTO alliance.link
            (code, creator_id, promotion_id, shop_id, product_id, window_s, model, created_at, ends_at)
        SELECT * FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::integer[],
                             %s::text[], %s::timestamptz[], %s::timestamptz[])
        """,
        (
            text_array(link.code for link in added),
            int_array(link.creator_id for link in added),
            int_array(link.promotion_id for link in added),
            int_array(link.shop_id for link in added),
            text_array(link.product_id for link in added),
            int_array(link.window_s for link in added),
            text_array(link.model for link in added),
            time_array(link.created_at for link in added),
            time_array(link.ends_at for link in added),
        ),
    )


def links_ended(ended: Collection[Link]) -> Query[None]:
    return statement(
        """
        UPDATE alliance.link SET ends_at = change.ends_at
        FROM unnest(%s::text[], %s::timestamptz[]) AS change (code, ends_at)
        WHERE link.code = change.code
        """,
        (text_array(link.code for link in ended), time_array(link.ends_at for link in ended)),
    )


# Clicks.


def clicks(shop_id: ShopId, ids: Collection[ClickId]) -> Query[dict[ClickId, Click]]:
    """Clicks on links to this shop and its goods, for the evidence of orders; any other id is absent."""
    return Query(
        """
        SELECT id, link_code, creator_id, product_id, clicked_at, window_s, model, person_id
        FROM alliance.click WHERE shop_id = %s AND id = ANY (%s::uuid[])
        """,
        (shop_id, uuid_array(ids)),
        lambda rows: {row.id: Click(*row) for row in rows},
    )


def clicks_added(shop_id: ShopId, followed: Sequence[Followed]) -> Query[None]:
    return statement(
        """
        INSERT INTO alliance.click (shop_id, id, link_code, promotion_id, creator_id, product_id, person_id,
                                    clicked_at, window_s, model)
        SELECT %s, * FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                                 %s::timestamptz[], %s::integer[], %s::text[])
        """,
        (
            shop_id,
            uuid_array(click.id for click in followed),
            text_array(click.link.code for click in followed),
            int_array(click.link.promotion_id for click in followed),
            int_array(click.link.creator_id for click in followed),
            text_array(click.link.product_id for click in followed),
            text_array(click.person_id for click in followed),
            time_array(click.clicked_at for click in followed),
            int_array(click.link.window_s for click in followed),
            text_array(click.link.model for click in followed),
        ),
    )


def days_counted(shop_id: ShopId, counts: Collection[DayCount]) -> Query[None]:
    """Count clicks and orders: one update for each link and day, in one order."""
    in_order = sorted(counts, key=lambda count: (count.link.code, count.day))
    return statement(
        """
        INSERT INTO alliance.link_day (shop_id, link_code, day, promotion_id, clicks, orders)
        SELECT %s, * FROM unnest(%s::text[], %s::date[], %s::bigint[], %s::bigint[], %s::bigint[])
        ON CONFLICT (shop_id, link_code, day) DO UPDATE
        SET clicks = link_day.clicks + excluded.clicks, orders = link_day.orders + excluded.orders
        """,
        (
            shop_id,
            text_array(count.link.code for count in in_order),
            text_array(count.day.isoformat() for count in in_order),
            int_array(count.link.promotion_id for count in in_order),
            int_array(count.clicks for count in in_order),
            int_array(count.orders for count in in_order),
        ),
    )


async def days_of_link(tx: Transaction, link: Link, before: date, limit: int) -> list[LinkDay]:
    """What came of the link day by day, the latest first, before the day `before`; a day without anything is absent."""
    rows = await tx.rows(
        _DAYS + "WHERE shop_id = %s AND link_code = %s AND day < %s GROUP BY day ORDER BY day DESC LIMIT %s",
        (link.shop_id, link.code, before, limit),
    )
    return [LinkDay(*row) for row in rows]


async def days_of_promotion(tx: Transaction, promotion_id: PromotionId, before: date, limit: int) -> list[LinkDay]:
    """What came of all links of the promotion day by day, the latest first, before the day `before`."""
    rows = await tx.rows(
        _DAYS + "WHERE promotion_id = %s AND day < %s GROUP BY day ORDER BY day DESC LIMIT %s",
        (promotion_id, before, limit),
    )
    return [LinkDay(*row) for row in rows]


def oldest_clicks(before: datetime, limit: int) -> Query[dict[ShopId, list[ClickId]]]:
    """The oldest clicks from before this moment, at most limit of them, by shop."""
    return Query(
        """
        SELECT shop_id, array_agg(id) AS ids
        FROM (SELECT shop_id, id FROM alliance.click WHERE clicked_at < %s ORDER BY clicked_at LIMIT %s) AS old
        GROUP BY shop_id ORDER BY shop_id
        """,
        (before, limit),
        lambda rows: {row.shop_id: row.ids for row in rows},
    )


def clicks_dropped(shop_id: ShopId, ids: Collection[ClickId]) -> Query[None]:
    return statement(
        "DELETE FROM alliance.click WHERE shop_id = %s AND id = ANY (%s::uuid[])", (shop_id, uuid_array(ids))
    )
