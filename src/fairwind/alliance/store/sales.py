"""The SQL of what creators have sold, and of the head that a sweep makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from fairwind.kernel import Fen, PersonId, PlanId, Query, ShopId, int_array, statement, time_array

Sold = tuple[int, Fen]
"""Pieces, and fen of goods; below zero for what refunds undid."""


def progress_made(shop_id: ShopId, sold: Mapping[tuple[PlanId, PersonId], Sold]) -> Query[None]:
    """Count what creators sold under plans, or take back what was undone of it."""
    keys = sorted(sold)
    return statement(
        """
        INSERT INTO alliance.progress AS progress (shop_id, plan_id, creator_id, quantity, gmv_fen)
        SELECT %s, * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
        ON CONFLICT (shop_id, plan_id, creator_id) DO UPDATE
        SET quantity = progress.quantity + excluded.quantity, gmv_fen = progress.gmv_fen + excluded.gmv_fen
        """,
        (
            shop_id,
            int_array(plan_id for plan_id, _ in keys),
            int_array(creator_id for _, creator_id in keys),
            int_array(sold[key][0] for key in keys),
            int_array(sold[key][1] for key in keys),
        ),
    )


def day_counted(shop_id: ShopId, day: date, sold: Mapping[PersonId, Sold]) -> Query[None]:
    """Count what creators sold on a day, or take back what was undone of it."""
    creators = sorted(sold)
    return statement(
        """
        INSERT INTO alliance.creator_day AS counted (shop_id, creator_id, day, quantity, gmv_fen)
        SELECT %s, creator_id, %s, quantity, gmv_fen
        FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS new (creator_id, quantity, gmv_fen)
        ON CONFLICT (shop_id, creator_id, day) DO UPDATE
        SET quantity = counted.quantity + excluded.quantity, gmv_fen = counted.gmv_fen + excluded.gmv_fen
        """,
        (
            shop_id,
            day,
            int_array(creators),
            int_array(sold[creator_id][0] for creator_id in creators),
            int_array(sold[creator_id][1] for creator_id in creators),
        ),
    )


def creators_selling(since: date) -> Query[int]:
    """How many creators have sold anything since a day."""
    return Query(
        """
        SELECT count(*) AS creators FROM (
            SELECT creator_id FROM alliance.creator_day
            WHERE day >= %s GROUP BY creator_id HAVING sum(gmv_fen) > 0) AS selling
        """,
        (since,),
        lambda rows: rows[0].creators,
    )


def head_found(since: date, size: int) -> Query[list[tuple[PersonId, Fen]]]:
    """The creators who sold most since a day, first first, `size` of them; of two alike the older account first."""
    return Query(
        """
        SELECT creator_id, sum(gmv_fen)::bigint AS gmv_fen FROM alliance.creator_day
        WHERE day >= %s GROUP BY creator_id HAVING sum(gmv_fen) > 0
        ORDER BY gmv_fen DESC, creator_id LIMIT %s
        """,
        (since, size),
        lambda rows: [(row.creator_id, Fen(row.gmv_fen)) for row in rows],
    )


def head_saved(head: list[tuple[PersonId, Fen]], now: datetime) -> list[Query[None]]:
    """Write the head; who was in it before keeps `since`."""
    creators = int_array(creator_id for creator_id, _ in head)
    return [
        statement("DELETE FROM alliance.head WHERE creator_id <> ALL (%s::bigint[])", (creators,)),
        statement(
            """
            INSERT INTO alliance.head (creator_id, rank, gmv_fen, since)
            SELECT * FROM unnest(%s::bigint[], %s::integer[], %s::bigint[], %s::timestamptz[])
            ON CONFLICT (creator_id) DO UPDATE SET rank = excluded.rank, gmv_fen = excluded.gmv_fen
            """,
            (
                creators,
                int_array(range(1, len(head) + 1)),
                int_array(gmv_fen for _, gmv_fen in head),
                time_array([now] * len(head)),
            ),
        ),
    ]


def head_of() -> Query[dict[PersonId, int]]:
    """The head: creators, each with their rank."""
    return Query(
        "SELECT creator_id, rank FROM alliance.head ORDER BY rank",
        (),
        lambda rows: {row.creator_id: row.rank for row in rows},
    )
