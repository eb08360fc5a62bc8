"""The SQL of campaigns and their fundings."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from fairwind.kernel import CampaignId, Query, Row, Transaction, int_array, statement
from fairwind.policy.campaign import (
    PLATFORM,
    Campaign,
    CampaignDraft,
    FunderId,
    Funding,
    Rule,
    Scope,
    State,
    Terms,
)

_CAMPAIGN: LiteralString = """
SELECT id, draft_id, name, rate_ppm, piece_fen, piece_max_fen, order_max_fen, buyer_max_fen, guard_days,
       shop_ids, category_ids, product_ids, starts_at, ends_at, state, proposed_by, proposed_at, agreed_at, closed_at
FROM policy.campaign
"""
_FUNDING: LiteralString = """
SELECT campaign_id, funder_id, share_ppm, budget_fen, drawn_fen, in_base, accepted_at, accepted_by,
       stopped_at, stopped_by
FROM policy.funding
"""


async def campaigns(tx: Transaction, ids: Collection[CampaignId], *, lock: bool = False) -> dict[CampaignId, Campaign]:
    """Campaigns with their funders; lock: until the transaction ends, the campaigns first."""
    order: LiteralString = " FOR NO KEY UPDATE" if lock else ""
    rows, fundings = await tx.together(
        _rows(_CAMPAIGN + "WHERE id = ANY (%s::bigint[]) ORDER BY id" + order, int_array(sorted(ids))),
        _rows(
            _FUNDING + "WHERE campaign_id = ANY (%s::bigint[]) ORDER BY campaign_id, funder_id" + order,
            int_array(sorted(ids)),
        ),
    )
    return {row.id: _read(row, [each for each in fundings if each.campaign_id == row.id]) for row in rows}


def _rows(sql: LiteralString, *parameters: object) -> Query[list[Row]]:
    return Query(sql, parameters, lambda rows: rows)


def _read(row: Row, fundings: Sequence[Row]) -> Campaign:
    scope = Scope(tuple(row.shop_ids), tuple(row.category_ids), tuple(row.product_ids))
    rule = Rule(row.rate_ppm, row.piece_fen, row.piece_max_fen)
    return Campaign(
        id=row.id,
        draft_id=row.draft_id,
        name=row.name,
        terms=Terms(rule, scope, row.order_max_fen, row.buyer_max_fen, row.guard_days),
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        state=State(row.state),
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        agreed_at=row.agreed_at,
        closed_at=row.closed_at,
        fundings=tuple(
            Funding(
                funder_id=each.funder_id,
                share_ppm=each.share_ppm,
                budget_fen=each.budget_fen,
                in_base=each.in_base,
                drawn_fen=each.drawn_fen,
                accepted_at=each.accepted_at,
                accepted_by=each.accepted_by,
                stopped_at=each.stopped_at,
                stopped_by=each.stopped_by,
            )
            for each in fundings
        ),
    )


async def campaign_of_draft(tx: Transaction, draft_id: UUID) -> CampaignId | None:
    row = await tx.row("SELECT id FROM policy.campaign WHERE draft_id = %s", (draft_id,))
    return None if row is None else CampaignId(row.id)


async def insert_campaign(tx: Transaction, campaign: Campaign) -> None:
    rule, scope, terms = campaign.terms.rule, campaign.terms.scope, campaign.terms
    await tx.execute(
        """
        INSERT INTO policy.campaign (
            id, draft_id, name, rate_ppm, piece_fen, piece_max_fen, order_max_fen, buyer_max_fen, guard_days,
            shop_ids, category_ids, product_ids, starts_at, ends_at, state, proposed_by, proposed_at, agreed_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::bigint[], %s::bigint[], %s::bigint[], %s, %s, %s, %s, %s, %s)
        """,
        (
            campaign.id,
            campaign.draft_id,
            campaign.name,
            rule.rate_ppm,
            rule.piece_fen,
            rule.piece_max_fen,
            terms.order_max_fen,
            terms.buyer_max_fen,
            terms.guard_days,
            int_array(scope.shop_ids),
            int_array(scope.category_ids),
            int_array(scope.product_ids),
            campaign.starts_at,
            campaign.ends_at,
            campaign.state,
            campaign.proposed_by,
            campaign.proposed_at,
            campaign.agreed_at,
        ),
    )
    for funding in campaign.fundings:
        await tx.execute(
            """
            INSERT INTO policy.funding (
                campaign_id, funder_id, share_ppm, budget_fen, in_base, accepted_at, accepted_by)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            """,
            (
                campaign.id,
                funding.funder_id,
                funding.share_ppm,
                funding.budget_fen,
                funding.in_base,
                funding.accepted_at,
                funding.accepted_by,
            ),
        )


async def update_campaign(tx: Transaction, campaign: Campaign) -> None:
    """Save what can change: the state, and each funder's word. The campaign is locked."""
    await tx.together(
        statement(
            "UPDATE policy.campaign SET state = %s, agreed_at = %s, closed_at = %s WHERE id = %s",
            (campaign.state, campaign.agreed_at, campaign.closed_at, campaign.id),
        ),
        *(
            statement(
                """
                UPDATE policy.funding SET accepted_at = %s, accepted_by = %s, stopped_at = %s, stopped_by = %s
                WHERE campaign_id = %s AND funder_id = %s
                """,
                (
                    funding.accepted_at,
                    funding.accepted_by,
                    funding.stopped_at,
                    funding.stopped_by,
                    campaign.id,
                    funding.funder_id,
                ),
            )
            for funding in campaign.fundings
        ),
    )


def agreed(limit: int) -> Query[list[CampaignId]]:
    """Campaigns that run or will, at most limit of the newest."""
    return Query(
        "SELECT id FROM policy.campaign WHERE state = 'agreed' ORDER BY id DESC LIMIT %s",
        (limit,),
        lambda rows: [row.id for row in rows],
    )


async def page_of_all(tx: Transaction, before: CampaignId, limit: int) -> list[CampaignId]:
    """Campaigns in any state, newest first, before `before`."""
    rows = await tx.rows("SELECT id FROM policy.campaign WHERE id < %s ORDER BY id DESC LIMIT %s", (before, limit))
    return [row.id for row in rows]


async def page_of_agreed(tx: Transaction, before: CampaignId, limit: int) -> list[CampaignId]:
    """Campaigns that were agreed upon, also those that are over, newest first, before `before`."""
    rows = await tx.rows(
        "SELECT id FROM policy.campaign WHERE agreed_at IS NOT NULL AND id < %s ORDER BY id DESC LIMIT %s",
        (before, limit),
    )
    return [row.id for row in rows]


async def page_of_funder(tx: Transaction, funder_id: FunderId, before: CampaignId, limit: int) -> list[CampaignId]:
    """Campaigns that a funder pays or is asked to pay for, newest first, before `before`."""
    rows = await tx.rows(
        """
        SELECT campaign_id FROM policy.funding WHERE funder_id = %s AND campaign_id < %s
        ORDER BY campaign_id DESC LIMIT %s
        """,
        (funder_id, before, limit),
    )
    return [row.campaign_id for row in rows]


async def over(tx: Transaction, now: datetime, limit: int) -> list[CampaignId]:
    """Campaigns whose period is over and that have yet to end."""
    rows = await tx.rows(
        """
        SELECT id FROM policy.campaign WHERE state IN ('proposed', 'agreed') AND ends_at <= %s ORDER BY ends_at LIMIT %s
        """,
        (now, limit),
    )
    return [row.id for row in rows]


async def unknown_ids(tx: Transaction, draft: CampaignDraft) -> list[str]:
    """What a draft names and nobody has: sentences such as "there is no shop 7"."""
    shop_ids = {*draft.scope.shop_ids, *(funding.funder_id for funding in draft.fundings)} - {PLATFORM}
    rows = await tx.rows(
        """
        SELECT 'shop' AS what, id FROM unnest(%s::bigint[]) AS id WHERE id NOT IN (SELECT shop_id FROM catalog.shop)
        UNION ALL
        SELECT 'category', id FROM unnest(%s::bigint[]) AS id WHERE id NOT IN (SELECT id FROM catalog.category)
        UNION ALL
        SELECT 'product', id FROM unnest(%s::bigint[]) AS id
        WHERE id NOT IN (SELECT id FROM catalog.product WHERE id = ANY (%s::bigint[]))
        ORDER BY 1, 2
        """,
        (
            int_array(shop_ids),
            int_array(draft.scope.category_ids),
            int_array(draft.scope.product_ids),
            int_array(draft.scope.product_ids),
        ),
    )
    return [f"there is no {row.what} {row.id}" for row in rows]
