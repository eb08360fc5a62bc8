"""The SQL of plans and their versions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from fairwind.alliance.plan import Kind, Plan, Step, Terms
from fairwind.alliance.versions import Version
from fairwind.kernel import (
    Fen,
    PersonId,
    PlanId,
    Ppm,
    ProductId,
    Query,
    Row,
    ShopId,
    Transaction,
    int_array,
    statement,
    text_array,
    time_array,
)

PLAN: LiteralString = """
SELECT plan.shop_id, plan.id, plan.product_id, plan.kind, plan.creator_id, plan.activity_id, plan.agency_id,
       plan.made_at, plan.ends_at
FROM alliance.plan
"""
_VERSION: LiteralString = """
SELECT plan_id, version, creator_ppm, agency_ppm, steps_by, step_from, step_ppm, cut, published_by, published_at,
       effective_from, superseded_at
FROM alliance.plan_version
"""


def read_plan(row: Row) -> Plan:
    return Plan(
        row.shop_id,
        row.id,
        row.product_id,
        Kind(row.kind),
        row.creator_id,
        row.activity_id,
        row.agency_id,
        row.made_at,
        row.ends_at,
    )


def read_terms(row: Row) -> Terms | None:
    """What a version promises; None when it ends the plan."""
    if row.creator_ppm is None:
        return None
    steps = tuple(Step(reached, Ppm(ppm)) for reached, ppm in zip(row.step_from, row.step_ppm, strict=True))
    return Terms(Ppm(row.creator_ppm), Ppm(row.agency_ppm), row.steps_by, steps)


def _version(row: Row) -> Version:
    return Version(
        row.version,
        read_terms(row),
        row.cut,
        row.published_by,
        row.published_at,
        row.effective_from,
        row.superseded_at,
    )


def plans_of(shop_id: ShopId, product_ids: Collection[ProductId], ended_after: datetime) -> Query[list[Plan]]:
    """The plans of these products, by id, without those that ended until ended_after."""
    return Query(
        PLAN
        + """
        WHERE shop_id = %s AND product_id = ANY (%s::bigint[]) AND (ends_at IS NULL OR ends_at > %s) ORDER BY id
        """,
        (shop_id, int_array(product_ids), ended_after),
        lambda rows: [read_plan(row) for row in rows],
    )


def plans(shop_id: ShopId, ids: Collection[PlanId]) -> Query[dict[PlanId, Plan]]:
    """Plans by id; one that the shop does not have is absent."""
    return Query(
        PLAN + "WHERE shop_id = %s AND id = ANY (%s::bigint[])",
        (shop_id, int_array(ids)),
        lambda rows: {row.id: read_plan(row) for row in rows},
    )


def versions_of(shop_id: ShopId, plan_ids: Collection[PlanId]) -> Query[dict[PlanId, list[Version]]]:
    """All versions of these plans, oldest first."""

    def read(rows: list[Row]) -> dict[PlanId, list[Version]]:
        by_plan: dict[PlanId, list[Version]] = defaultdict(list)
        for row in rows:
            by_plan[row.plan_id].append(_version(row))
        return by_plan

    return Query(
        _VERSION + "WHERE shop_id = %s AND plan_id = ANY (%s::bigint[]) ORDER BY plan_id, version",
        (shop_id, int_array(plan_ids)),
        read,
    )


async def plans_page(
    tx: Transaction, shop_id: ShopId, product_id: ProductId | None, live_at: datetime | None, after: PlanId, limit: int
) -> list[Plan]:
    """The shop's plans by id, after `after`; of one product, and those live at a moment, when these are given."""
    rows = await tx.rows(
        PLAN
        + "WHERE shop_id = %(shop)s AND id > %(after)s"
        + ("" if product_id is None else " AND product_id = %(product)s")
        + ("" if live_at is None else " AND (ends_at IS NULL OR ends_at > %(live_at)s)")
        + " ORDER BY id LIMIT %(limit)s",
        {"shop": shop_id, "after": after, "product": product_id, "live_at": live_at, "limit": limit},
    )
    return [read_plan(row) for row in rows]


async def plans_of_activity(tx: Transaction, activity_id: UUID, after: tuple[ShopId, PlanId], limit: int) -> list[Plan]:
    """The plans by which products are or were in the activity, over all shops, by shop and id, after `after`."""
    rows = await tx.rows(
        PLAN + "WHERE activity_id = %s AND (shop_id, id) > (%s, %s) ORDER BY shop_id, id LIMIT %s",
        (activity_id, *after, limit),
    )
    return [read_plan(row) for row in rows]


def plans_added(shop_id: ShopId, added: Sequence[Plan]) -> list[Query[Any]]:
    if not added:
        return []
    return [
        statement(
            """
            INSERT INTO alliance.plan (shop_id, id, product_id, kind, creator_id, activity_id, agency_id, made_at,
                                       ends_at)
            SELECT %s, * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::uuid[], %s::bigint[],
                                     %s::timestamptz[], %s::timestamptz[])
            """,
            (
                shop_id,
                int_array(plan.id for plan in added),
                int_array(plan.product_id for plan in added),
                text_array(plan.kind.value for plan in added),
                text_array(plan.creator_id for plan in added),
                text_array(plan.activity_id for plan in added),
                text_array(plan.agency_id for plan in added),
                time_array(plan.made_at for plan in added),
                time_array(plan.ends_at for plan in added),
            ),
        )
    ]


def plans_ended(shop_id: ShopId, changed: Sequence[Plan]) -> list[Query[Any]]:
    """Note since when these plans have ended or will have, or that they go on after all."""
    if not changed:
        return []
    return [
        statement(
            """
            UPDATE alliance.plan SET ends_at = change.ends_at
            FROM unnest(%s::bigint[], %s::timestamptz[]) AS change (id, ends_at)
            WHERE plan.shop_id = %s AND plan.id = change.id
            """,
            (int_array(plan.id for plan in changed), time_array(plan.ends_at for plan in changed), shop_id),
        )
    ]


def versions_superseded(shop_id: ShopId, marked: Sequence[tuple[PlanId, Version]]) -> list[Query[Any]]:
    """Mark versions that will not take effect."""
    if not marked:
        return []
    return [
        statement(
            """
            UPDATE alliance.plan_version SET superseded_at = change.superseded_at
            FROM unnest(%s::bigint[], %s::integer[], %s::timestamptz[]) AS change (plan_id, version, superseded_at)
            WHERE plan_version.shop_id = %s AND plan_version.plan_id = change.plan_id
              AND plan_version.version = change.version
            """,
            (
                int_array(plan_id for plan_id, _ in marked),
                int_array(version.version for _, version in marked),
                time_array(version.superseded_at for _, version in marked),
                shop_id,
            ),
        )
    ]


def versions_added(shop_id: ShopId, added: Sequence[tuple[PlanId, Version]]) -> list[Query[Any]]:
    """Write versions. Steps travel as text: unnest would take nested arrays apart."""
    if not added:
        return []
    terms = [version.terms for _, version in added]
    return [
        statement(
            """
            INSERT INTO alliance.plan_version (shop_id, plan_id, version, creator_ppm, agency_ppm, steps_by, step_from,
                                               step_ppm, cut, published_by, published_at, effective_from, superseded_at)
            SELECT %s, plan_id, version, creator_ppm, agency_ppm, steps_by, step_from::bigint[], step_ppm::bigint[],
                   cut, published_by, published_at, effective_from, superseded_at
            FROM unnest(%s::bigint[], %s::integer[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::text[],
                        %s::boolean[], %s::bigint[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[])
                AS new (plan_id, version, creator_ppm, agency_ppm, steps_by, step_from, step_ppm, cut, published_by,
                        published_at, effective_from, superseded_at)
            """,
            (
                shop_id,
                int_array(plan_id for plan_id, _ in added),
                int_array(version.version for _, version in added),
                text_array(each and each.creator_ppm for each in terms),
                int_array(each.agency_ppm if each else 0 for each in terms),
                text_array(each and each.steps_by for each in terms),
                text_array(int_array(step.reached for step in each.steps) if each else "{}" for each in terms),
                text_array(int_array(step.creator_ppm for step in each.steps) if each else "{}" for each in terms),
                text_array(version.cut for _, version in added),
                int_array(version.published_by for _, version in added),
                time_array(version.published_at for _, version in added),
                time_array(version.effective_from for _, version in added),
                time_array(version.superseded_at for _, version in added),
            ),
        )
    ]


def progress_of(
    shop_id: ShopId, plan_ids: Collection[PlanId], creator_id: PersonId
) -> Query[dict[PlanId, tuple[int, Fen]]]:
    """What sticks of what the creator sold under each of these plans: pieces, and fen of goods.

    A plan without sales is absent.
    """
    return Query(
        """
        SELECT plan_id, greatest(quantity, 0) AS quantity, greatest(gmv_fen, 0) AS gmv_fen FROM alliance.progress
        WHERE shop_id = %s AND plan_id = ANY (%s::bigint[]) AND creator_id = %s
        """,
        (shop_id, int_array(plan_ids), creator_id),
        lambda rows: {row.plan_id: (row.quantity, Fen(row.gmv_fen)) for row in rows},
    )


def creators_among(person_ids: Collection[PersonId]) -> Query[set[PersonId]]:
    """Those of these people who are creators."""
    return Query(
        "SELECT person_id FROM identity.role WHERE person_id = ANY (%s::bigint[]) AND role = 'creator'",
        (int_array(person_ids),),
        lambda rows: {row.person_id for row in rows},
    )


def activities_joined(
    shop_id: ShopId, product_ids: Collection[ProductId], now: datetime
) -> Query[set[tuple[ProductId, UUID]]]:
    """Which of these products are in which activities now."""
    return Query(
        """
        SELECT product_id, activity_id FROM alliance.plan
        WHERE shop_id = %s AND product_id = ANY (%s::bigint[]) AND kind = 'activity'
          AND (ends_at IS NULL OR ends_at > %s)
        """,
        (shop_id, int_array(product_ids), now),
        lambda rows: {(row.product_id, row.activity_id) for row in rows},
    )
