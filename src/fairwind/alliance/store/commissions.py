"""The SQL of what creators earn; asked by every batch of orders that comes from creators."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from fairwind.alliance.commission import Commission, Commissions, Standing, decide
from fairwind.alliance.plan import Kind
from fairwind.alliance.store.plans import read_terms
from fairwind.kernel import PersonId, Ppm, ProductId, Query, Row, ShopId, int_array, uuid_array

_PICKED: LiteralString = """
SELECT pair.product_id, pair.creator_id, pick.picked IS NOT NULL AS picked, pick.activity_id
FROM unnest(%(products)s::bigint[], %(creators)s::bigint[]) AS pair (product_id, creator_id)
LEFT JOIN LATERAL (
    SELECT true AS picked, activity_id FROM alliance.pick
    WHERE pick.shop_id = %(shop)s AND pick.creator_id = pair.creator_id AND pick.product_id = pair.product_id
      AND dropped_at IS NULL LIMIT 1) AS pick ON true
"""
_AS_IF_PICKED: LiteralString = """
SELECT product_id, creator_id, true AS picked, activity_id
FROM unnest(%(products)s::bigint[], %(creators)s::bigint[], %(activities)s::uuid[])
    AS pair (product_id, creator_id, activity_id)
"""
_STANDING: LiteralString = """
SELECT wanted.product_id, wanted.creator_id, wanted.picked, plan.id AS plan_id, plan.kind, plan.agency_id,
       CASE plan.kind WHEN 'exclusive' THEN plan.creator_id = wanted.creator_id
                      WHEN 'targeted' THEN participant.taking_part IS NOT NULL
                      WHEN 'activity' THEN plan.activity_id = wanted.activity_id
                      ELSE true END AS open,
       plan.version, plan.creator_ppm, plan.agency_ppm, plan.steps_by, plan.step_from, plan.step_ppm,
       greatest(progress.quantity, 0) AS quantity, greatest(progress.gmv_fen, 0) AS gmv_fen,
       fee.rate_ppm AS alliance_ppm, mcn.agency_id AS mcn_id, mcn.split_ppm,
       EXISTS (SELECT FROM alliance.head WHERE head.creator_id = wanted.creator_id) AS head
FROM ("""
_WITH_PLANS: LiteralString = """) AS wanted
CROSS JOIN (SELECT rate_ppm FROM alliance.fee WHERE effective_from <= %(now)s
            ORDER BY effective_from DESC, version DESC LIMIT 1) AS fee
LEFT JOIN LATERAL (
    SELECT agency_id, split_ppm FROM alliance.mcn_member
    WHERE mcn_member.creator_id = wanted.creator_id AND starts_at <= %(now)s AND (ends_at IS NULL OR ends_at > %(now)s)
    LIMIT 1) AS mcn ON true
LEFT JOIN LATERAL (
    SELECT live.id, live.kind, live.creator_id, live.agency_id, live.activity_id, promised.*
    FROM alliance.plan AS live
    CROSS JOIN LATERAL (
        SELECT version, creator_ppm, agency_ppm, steps_by, step_from, step_ppm
        FROM alliance.plan_version
        WHERE plan_version.shop_id = %(shop)s AND plan_version.plan_id = live.id
          AND superseded_at IS NULL AND effective_from <= %(now)s
        ORDER BY effective_from DESC, version DESC LIMIT 1) AS promised
    WHERE live.shop_id = %(shop)s AND live.product_id = wanted.product_id
      AND (live.ends_at IS NULL OR live.ends_at > %(now)s)) AS plan ON true
LEFT JOIN LATERAL (
    SELECT true AS taking_part FROM alliance.participant
    WHERE plan.kind = 'targeted' AND participant.shop_id = %(shop)s AND participant.plan_id = plan.id
      AND participant.creator_id = wanted.creator_id
      AND since <= %(now)s AND (until IS NULL OR until > %(now)s) LIMIT 1) AS participant ON true
LEFT JOIN LATERAL (
    SELECT quantity, gmv_fen FROM alliance.progress
    WHERE plan.steps_by IS NOT NULL AND progress.shop_id = %(shop)s AND progress.plan_id = plan.id
      AND progress.creator_id = wanted.creator_id LIMIT 1) AS progress ON true
"""
# Each LIMIT 1 makes it one look-up per row: a join may be planned while tables are empty, and then reads all of them.
_COMMISSIONS: LiteralString = _STANDING + _PICKED + _WITH_PLANS
_IF_PICKED: LiteralString = _STANDING + _AS_IF_PICKED + _WITH_PLANS
"""For each pick one row per plan in force of its product, or a single one without a plan."""


def commissions(shop_id: ShopId, wanted: Collection[tuple[ProductId, PersonId]], now: datetime) -> Query[Commissions]:
    """What these creators earn of these products of the shop in orders placed now. One statement."""
    pairs = sorted(set(wanted))
    return Query(
        _COMMISSIONS,
        {
            "shop": shop_id,
            "now": now,
            "products": int_array(product_id for product_id, _ in pairs),
            "creators": int_array(creator_id for _, creator_id in pairs),
        },
        _read,
    )


def commissions_if_picked(
    shop_id: ShopId, wanted: Collection[tuple[ProductId, PersonId, UUID | None]], now: datetime
) -> Query[Commissions]:
    """What these creators would earn of these products, picked through these activities or directly (None)."""
    return Query(
        _IF_PICKED,
        {
            "shop": shop_id,
            "now": now,
            "products": int_array(product_id for product_id, _, _ in wanted),
            "creators": int_array(creator_id for _, creator_id, _ in wanted),
            "activities": uuid_array(activity_id for _, _, activity_id in wanted),
        },
        _read,
    )


def _read(rows: list[Row]) -> Commissions:
    standings: dict[tuple[ProductId, PersonId], list[Standing]] = defaultdict(list)
    picked: dict[tuple[ProductId, PersonId], bool] = {}
    for row in rows:
        pair = (row.product_id, row.creator_id)
        picked[pair] = row.picked
        if row.plan_id is not None:
            standings[pair].append(_standing(row))
    return Commissions({pair: decide(those, standings[pair]) for pair, those in picked.items()})


def _standing(row: Row) -> Standing:
    terms = read_terms(row)
    assert terms is not None, "a plan that has ended says so in its row"
    commission = Commission(
        row.plan_id,
        row.version,
        terms.rate(row.quantity, row.gmv_fen),
        row.agency_id,
        terms.agency_ppm,
        row.alliance_ppm,
        row.mcn_id,
        Ppm(row.split_ppm or 0),
        row.head,
    )
    return Standing(Kind(row.kind), bool(row.open), commission)
