"""The SQL of allotments, buyers' caps and what was spent when: what a batch of orders loads and saves.

Locks are taken in one order: a shop's allotments by campaign and funder, buyers' caps by campaign and buyer, fundings
by campaign and funder.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from fairwind.kernel import (
    CampaignId,
    Fen,
    PersonId,
    Query,
    Row,
    ShopId,
    int_array,
    statement,
)
from fairwind.policy.campaign import Rule, Scope, Terms
from fairwind.policy.purse import Key, Pot, Purse

_SCARCE_PARTS = 64
"""A budget is scarce when less than such a part of it is left to hand out."""


def campaigns_locked(shop_id: ShopId, now: datetime) -> Query[Purse]:
    """The campaigns that run in a shop now and what it has drawn of them, locked; an empty purse when there is none."""
    return Query(
        """
        WITH running AS MATERIALIZED (
            SELECT id, rate_ppm, piece_fen, piece_max_fen, category_ids, product_ids,
                   order_max_fen, buyer_max_fen, guard_days, ends_at
            FROM policy.campaign
            WHERE state = 'agreed' AND starts_at <= %(now)s AND ends_at > %(now)s
              AND (shop_ids = '{}' OR %(shop_id)s = ANY (shop_ids))
        ), allotted AS MATERIALIZED (
            SELECT campaign_id, funder_id, drawn_fen, spent_fen FROM policy.allotment
            WHERE shop_id = %(shop_id)s AND campaign_id IN (SELECT id FROM running)
            ORDER BY campaign_id, funder_id FOR UPDATE
        )
        SELECT running.*, funding.funder_id, share_ppm, in_base, stopped_at IS NOT NULL AS stopped,
               budget_fen - funding.drawn_fen AS rest_fen,
               allotted.drawn_fen - spent_fen AS left_fen
        FROM running
        JOIN policy.funding ON funding.campaign_id = running.id
        LEFT JOIN allotted ON allotted.campaign_id = running.id AND allotted.funder_id = funding.funder_id
        ORDER BY running.id, funding.funder_id
        """,
        {"shop_id": shop_id, "now": now},
        lambda rows: _purse(shop_id, rows),
    )


def campaigns_seen(shop_id: ShopId, now: datetime) -> Query[Purse]:
    """The same, not locked: for who only looks."""
    return Query(
        """
        SELECT campaign.id, rate_ppm, piece_fen, piece_max_fen, category_ids, product_ids,
               order_max_fen, buyer_max_fen, guard_days, ends_at,
               funding.funder_id, share_ppm, in_base, stopped_at IS NOT NULL AS stopped,
               budget_fen - funding.drawn_fen AS rest_fen,
               allotment.drawn_fen - spent_fen AS left_fen
        FROM policy.campaign
        JOIN policy.funding ON funding.campaign_id = campaign.id
        LEFT JOIN policy.allotment ON shop_id = %(shop_id)s AND allotment.campaign_id = campaign.id
            AND allotment.funder_id = funding.funder_id
        WHERE state = 'agreed' AND starts_at <= %(now)s AND ends_at > %(now)s
          AND (shop_ids = '{}' OR %(shop_id)s = ANY (shop_ids))
        ORDER BY campaign.id, funding.funder_id
        """,
        {"shop_id": shop_id, "now": now},
        lambda rows: _purse(shop_id, rows),
    )


def _purse(shop_id: ShopId, rows: list[Row]) -> Purse:
    terms = {
        row.id: Terms(
            Rule(row.rate_ppm, row.piece_fen, row.piece_max_fen),
            Scope((), tuple(row.category_ids), tuple(row.product_ids)),  # the statement has seen to the shops
            row.order_max_fen,
            row.buyer_max_fen,
            row.guard_days,
        )
        for row in rows
    }
    return Purse(shop_id, terms, {(row.id, row.funder_id): _pot(row) for row in rows})


def _pot(row: Row) -> Pot:
    rest_fen = 0 if row.stopped else row.rest_fen
    return Pot(
        row.left_fen,
        rest_fen,
        share_ppm=row.share_ppm,
        in_base=row.in_base,
        stopped=row.stopped,
        ends_at=row.ends_at,
    )


def allotments_locked(shop_id: ShopId, campaign_ids: Collection[CampaignId]) -> Query[dict[Key, Pot]]:
    """What a shop has drawn of these campaigns, locked; nothing is taken any more of one that ended or was stopped."""
    return Query(
        """
        WITH allotted AS MATERIALIZED (
            SELECT campaign_id, funder_id, drawn_fen, spent_fen FROM policy.allotment
            WHERE shop_id = %s AND campaign_id = ANY (%s::bigint[]) ORDER BY campaign_id, funder_id FOR UPDATE
        )
        SELECT campaign_id, funder_id, share_ppm, in_base, stopped_at IS NOT NULL OR state <> 'agreed' AS stopped,
               ends_at, budget_fen - funding.drawn_fen AS rest_fen, allotted.drawn_fen - spent_fen AS left_fen
        FROM allotted
        JOIN policy.funding USING (campaign_id, funder_id)
        JOIN policy.campaign ON campaign.id = campaign_id
        ORDER BY campaign_id, funder_id
        """,
        (shop_id, int_array(campaign_ids)),
        lambda rows: {(row.campaign_id, row.funder_id): _pot(row) for row in rows},
    )


def allotments_opened(shop_id: ShopId, keys: Collection[Key]) -> list[Query[Any]]:
    """Make empty allotments where there are none, and lock these; the second query answers what is left in each.

    They come before caps and fundings, as all allotments do: one that were made when it is first saved would be waited
    for by who holds what others wait for. They may come before ones that the batch has locked already: a cancellation
    at the same moment that has both may then have to run again, which a shop's first sale under a campaign is worth.
    """
    return [
        statement(
            """
            INSERT INTO policy.allotment (shop_id, campaign_id, funder_id, drawn_fen, spent_fen)
            SELECT %s, campaign_id, funder_id, 0, 0
            FROM unnest(%s::bigint[], %s::bigint[]) AS new (campaign_id, funder_id) ORDER BY campaign_id, funder_id
            ON CONFLICT (shop_id, campaign_id, funder_id) DO NOTHING
            """,
            (shop_id, *_keys(keys)),
        ),
        Query(
            """
            SELECT campaign_id, funder_id, drawn_fen - spent_fen AS left_fen FROM policy.allotment
            WHERE shop_id = %s AND (campaign_id, funder_id) IN (SELECT * FROM unnest(%s::bigint[], %s::bigint[]))
            ORDER BY campaign_id, funder_id FOR UPDATE
            """,
            (shop_id, *_keys(keys)),
            lambda rows: {(row.campaign_id, row.funder_id): row.left_fen for row in rows},
        ),
    ]


def caps_opened(caps: Mapping[Key, Fen]) -> Query[None]:
    """Begin to count what these buyers get of campaigns with a cap for each; the cap is copied, for a CHECK."""
    keys = sorted(caps)
    return statement(
        """
        INSERT INTO policy.buyer_cap (buyer_id, campaign_id, cap_fen, received_fen)
        SELECT buyer_id, campaign_id, cap_fen, 0
        FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS new (campaign_id, buyer_id, cap_fen)
        ORDER BY campaign_id, buyer_id
        ON CONFLICT (buyer_id, campaign_id) DO NOTHING
        """,
        (*_keys(keys), int_array(caps[key] for key in keys)),
    )


def caps_locked(pairs: Collection[Key]) -> Query[dict[Key, int]]:
    """What is left of buyers' caps, locked; a pair without a cap is absent."""
    return Query(
        """
        SELECT campaign_id, buyer_id, cap_fen - received_fen AS left_fen FROM policy.buyer_cap
        WHERE (buyer_id, campaign_id) IN
            (SELECT buyer_id, campaign_id FROM unnest(%s::bigint[], %s::bigint[]) AS pair (campaign_id, buyer_id))
        ORDER BY campaign_id, buyer_id FOR UPDATE
        """,
        _keys(sorted(pairs)),
        lambda rows: {(row.campaign_id, row.buyer_id): row.left_fen for row in rows},
    )


def caps_seen(buyer_id: PersonId, campaign_ids: Collection[CampaignId]) -> Query[dict[Key, int]]:
    """What is left of a buyer's caps, not locked; one that nothing was counted for is absent."""
    return Query(
        """
        SELECT campaign_id, buyer_id, cap_fen - received_fen AS left_fen FROM policy.buyer_cap
        WHERE buyer_id = %s AND campaign_id = ANY (%s::bigint[])
        """,
        (buyer_id, int_array(campaign_ids)),
        lambda rows: {(row.campaign_id, row.buyer_id): row.left_fen for row in rows},
    )


def rests_locked(campaign_ids: Collection[CampaignId]) -> Query[dict[Key, int]]:
    """What each funding of these campaigns has yet to hand out, locked; 0 for a funder who has stopped."""
    return Query(
        """
        SELECT campaign_id, funder_id,
               CASE WHEN stopped_at IS NULL THEN budget_fen - drawn_fen ELSE 0 END AS rest_fen
        FROM policy.funding WHERE campaign_id = ANY (%s::bigint[])
        ORDER BY campaign_id, funder_id FOR NO KEY UPDATE
        """,
        (int_array(sorted(campaign_ids)),),
        lambda rows: {(row.campaign_id, row.funder_id): row.rest_fen for row in rows},
    )


def purse_saved(shop_id: ShopId, purse: Purse, now: datetime) -> list[Query[Any]]:
    """Save what a batch drew, spent and gave back: a few statements, however many orders."""
    drawn = {key: pot.drawn_fen for key, pot in sorted(purse.pots.items()) if pot.drawn_fen}
    moved = {key: pot for key, pot in sorted(purse.pots.items()) if pot.spent_fen or pot.given_back_fen}
    received = {key: fen for key, fen in sorted(purse.received.items()) if fen}
    queries: list[Query[Any]] = []
    if drawn:
        queries += _drawings_saved(shop_id, drawn)
    if moved:
        queries += _spendings_saved(shop_id, moved, now)
    if received:
        queries.append(_received_saved(received))
    return queries


def _drawings_saved(shop_id: ShopId, drawn: Mapping[Key, int]) -> list[Query[Any]]:
    """Move money from fundings to the shop's allotments; all are locked."""
    values = (*_keys(drawn), int_array(drawn.values()))
    return [
        statement(
            """
            UPDATE policy.funding SET drawn_fen = funding.drawn_fen + change.drawn_fen
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS change (campaign_id, funder_id, drawn_fen)
            WHERE funding.campaign_id = change.campaign_id AND funding.funder_id = change.funder_id
            """,
            values,
        ),
        statement(
            """
            UPDATE policy.allotment SET drawn_fen = allotment.drawn_fen + change.drawn_fen
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS change (campaign_id, funder_id, drawn_fen)
            WHERE shop_id = %s AND allotment.campaign_id = change.campaign_id
              AND allotment.funder_id = change.funder_id
            """,
            (*values, shop_id),
        ),
    ]


def _spendings_saved(shop_id: ShopId, moved: Mapping[Key, Pot], now: datetime) -> list[Query[Any]]:
    keys = _keys(moved)
    return [
        statement(
            """
            UPDATE policy.allotment SET spent_fen = allotment.spent_fen + change.spent_fen
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS change (campaign_id, funder_id, spent_fen)
            WHERE shop_id = %s AND allotment.campaign_id = change.campaign_id
              AND allotment.funder_id = change.funder_id
            """,
            (*keys, int_array(pot.spent_fen - pot.given_back_fen for pot in moved.values()), shop_id),
        ),
        statement(
            """
            INSERT INTO policy.burn_down (shop_id, campaign_id, funder_id, minute, spent_fen, given_back_fen)
            SELECT %s, campaign_id, funder_id, %s, spent_fen, given_back_fen
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])
                AS new (campaign_id, funder_id, spent_fen, given_back_fen)
            ON CONFLICT (shop_id, campaign_id, funder_id, minute) DO UPDATE
            SET spent_fen = burn_down.spent_fen + excluded.spent_fen,
                given_back_fen = burn_down.given_back_fen + excluded.given_back_fen
            """,
            (
                shop_id,
                now.replace(second=0, microsecond=0),
                *keys,
                int_array(pot.spent_fen for pot in moved.values()),
                int_array(pot.given_back_fen for pot in moved.values()),
            ),
        ),
    ]


def _received_saved(received: Mapping[Key, int]) -> Query[None]:
    return statement(
        """
        UPDATE policy.buyer_cap SET received_fen = buyer_cap.received_fen + change.received_fen
        FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS change (campaign_id, buyer_id, received_fen)
        WHERE buyer_cap.buyer_id = change.buyer_id AND buyer_cap.campaign_id = change.campaign_id
        """,
        (*_keys(received), int_array(received.values())),
    )


def idle_allotments(since: datetime, limit: int) -> Query[list[tuple[ShopId, CampaignId]]]:
    """Shops with money of a campaign that they do not need: it is over, its funder has stopped, or money is scarce.

    It is scarce when a funder has less to hand out than shops hold of its budget, or than a small part of it; what
    shops have spent since then they may keep once more.
    """
    return Query(
        """
        WITH held AS MATERIALIZED (
            SELECT campaign_id, funder_id, sum(drawn_fen - spent_fen) AS held_fen
            FROM policy.allotment WHERE drawn_fen > spent_fen GROUP BY campaign_id, funder_id
        ), wanted AS MATERIALIZED (
            SELECT campaign_id, funder_id, state IN ('ended', 'stopped') OR stopped_at IS NOT NULL AS over,
                   bool_or(budget_fen - drawn_fen < greatest(held_fen, budget_fen / %(parts)s))
                       OVER (PARTITION BY campaign_id) AS scarce
            FROM held
            JOIN policy.funding USING (campaign_id, funder_id)
            JOIN policy.campaign ON campaign.id = campaign_id
        ), recently AS MATERIALIZED (
            SELECT shop_id, campaign_id, funder_id, greatest(sum(spent_fen - given_back_fen), 0) AS recent_fen
            FROM policy.burn_down
            WHERE minute >= date_trunc('minute', %(since)s)
              AND campaign_id IN (SELECT campaign_id FROM wanted WHERE scarce AND NOT over)
            GROUP BY shop_id, campaign_id, funder_id
        )
        SELECT shop_id, campaign_id FROM policy.allotment
        JOIN wanted USING (campaign_id, funder_id)
        LEFT JOIN recently USING (shop_id, campaign_id, funder_id)
        WHERE drawn_fen > spent_fen AND (over OR scarce AND drawn_fen - spent_fen > coalesce(recent_fen, 0))
        GROUP BY shop_id, campaign_id ORDER BY shop_id, campaign_id LIMIT %(limit)s
        """,
        {"since": since, "limit": limit, "parts": _SCARCE_PARTS},
        lambda rows: [(row.shop_id, row.campaign_id) for row in rows],
    )


def unused_locked(shop_id: ShopId, campaign_id: CampaignId, since: datetime) -> Query[dict[Key, int]]:
    """What `idle_allotments` has found of one shop and campaign, by funder and locked, as it is by now."""
    return Query(
        """
        WITH allotted AS MATERIALIZED (
            SELECT campaign_id, funder_id, drawn_fen - spent_fen AS left_fen FROM policy.allotment
            WHERE shop_id = %(shop_id)s AND campaign_id = %(campaign_id)s ORDER BY funder_id FOR UPDATE
        ), recently AS (
            SELECT campaign_id, funder_id, greatest(sum(spent_fen - given_back_fen), 0) AS recent_fen
            FROM policy.burn_down
            WHERE shop_id = %(shop_id)s AND campaign_id = %(campaign_id)s
              AND minute >= date_trunc('minute', %(since)s)
            GROUP BY campaign_id, funder_id
        ), unused AS (
            SELECT campaign_id, funder_id, left_fen - CASE
                WHEN state IN ('ended', 'stopped') OR stopped_at IS NOT NULL THEN 0
                ELSE coalesce(recent_fen, 0) END AS unused_fen
            FROM allotted
            JOIN policy.campaign ON campaign.id = campaign_id
            JOIN policy.funding USING (campaign_id, funder_id)
            LEFT JOIN recently USING (campaign_id, funder_id)
        )
        SELECT campaign_id, funder_id, unused_fen::bigint FROM unused WHERE unused_fen > 0 ORDER BY funder_id
        """,
        {"shop_id": shop_id, "campaign_id": campaign_id, "since": since},
        lambda rows: {(row.campaign_id, row.funder_id): row.unused_fen for row in rows},
    )


def unused_returned(shop_id: ShopId, unused: Mapping[Key, int]) -> list[Query[Any]]:
    """Hand money that a shop has not spent back to its fundings; allotments and fundings are locked."""
    values = (*_keys(unused), int_array(unused.values()))
    return [
        statement(
            """
            UPDATE policy.allotment SET drawn_fen = allotment.drawn_fen - change.unused_fen
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS change (campaign_id, funder_id, unused_fen)
            WHERE shop_id = %s AND allotment.campaign_id = change.campaign_id
              AND allotment.funder_id = change.funder_id
            """,
            (*values, shop_id),
        ),
        statement(
            """
            UPDATE policy.funding SET drawn_fen = funding.drawn_fen - change.unused_fen
            FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS change (campaign_id, funder_id, unused_fen)
            WHERE funding.campaign_id = change.campaign_id AND funding.funder_id = change.funder_id
            """,
            values,
        ),
    ]


def _keys(keys: Collection[Key]) -> tuple[str, str]:
    return int_array(campaign_id for campaign_id, _ in keys), int_array(other_id for _, other_id in keys)
