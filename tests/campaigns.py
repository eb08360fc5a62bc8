"""Campaigns that run, and batches of buyers who profit from them: shared by the tests of subsidies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from fairwind.catalog import offers
from fairwind.kernel import (
    PPM_WHOLE,
    CampaignId,
    Database,
    Fen,
    PersonId,
    Ppm,
    Query,
    ShopId,
    SkuId,
    Transaction,
    uuid7,
)
from fairwind.kernel.audit import checks_of
from fairwind.policy import Grant, Ware, campaigns_locked, prepare, prepare_again, purse_locked, purse_of, purse_saved
from fairwind.policy.campaign import PLATFORM, Campaign, CampaignDraft, FunderId, FundingDraft, Rule
from fairwind.policy.commands.campaigns import accept, propose
from market import NOW, Shop

OPERATOR = PersonId(2)
MERCHANT = PersonId(3)
HALF = Ppm(PPM_WHOLE // 2)

CHECKS = [check for check in checks_of("fairwind.policy") if "campaign" in check.sql]

Wanted = tuple[PersonId, SkuId, int]
"""A buyer wants so many pieces of a SKU."""


def draft(*fundings: tuple[int, int, int], rule: Rule | None = None, **terms: Any) -> CampaignDraft:
    """A campaign that runs around NOW: funders with their shares in ppm and budgets; half of the price unless told.

    Without a price guard: the shops of tests open at NOW, and what is new gets nothing from a campaign with one.
    """
    values: dict[str, Any] = {
        "starts_at": NOW - timedelta(days=1),
        "ends_at": NOW + timedelta(days=1),
        "guard_days": 0,
    }
    return CampaignDraft(
        **{
            "id": uuid7(NOW),
            "name": "双百亿补贴",
            "rule": rule or Rule(rate_ppm=HALF),
            "fundings": tuple(FundingDraft(FunderId(f), Ppm(s), Fen(b)) for f, s, b in fundings),
            **values,
            **terms,
        }
    )


def platform_only(budget_fen: int) -> tuple[int, int, int]:
    return (PLATFORM, PPM_WHOLE, budget_fen)


def halves(budget_fen: int, funder: Shop) -> tuple[tuple[int, int, int], ...]:
    """The platform and a shop, half and half, with the same budget."""
    return ((PLATFORM, HALF, budget_fen), (funder.id, HALF, budget_fen))


async def running(database: Database, wanted: CampaignDraft, now: datetime = NOW - timedelta(days=2)) -> Campaign:
    """The campaign that a draft becomes when all its funders accept."""

    async def work(tx: Transaction) -> Campaign:
        campaign = await propose(tx, wanted, OPERATOR, now)
        for funding in campaign.fundings:
            campaign = await accept(tx, campaign.id, funding.funder_id, MERCHANT, now)
        return campaign

    return await database.run(work)


async def spend(
    tx: Transaction, shop_id: ShopId, wanted: Sequence[Wanted], now: datetime = NOW
) -> list[tuple[Grant, ...]]:
    """What each order of one line is granted and takes, as placing a batch of orders does it."""
    offered, purse = await tx.together(offers(shop_id, {sku for _, sku, _ in wanted}), campaigns_locked(shop_id, now))
    lines = [(buyer_id, [ware(offered[sku_id], quantity)]) for buyer_id, sku_id, quantity in wanted]
    if not purse:
        return [()] * len(lines)
    await prepare(tx, shop_id, purse, lines, now)
    granted = []
    for buyer_id, wares in lines:
        [grants] = purse.grants(buyer_id, wares)
        assert purse.take(buyer_id, grants)
        granted.append(grants)
    await save(tx, purse_saved(shop_id, purse, now))
    return granted


def ware(offer: Any, quantity: int) -> Ware:
    return Ware(offer.sku_id, offer.product_id, offer.category_id, offer.parent_id, offer.price_fen, quantity)


async def spent(database: Database, shop: Shop, *buyers: PersonId, quantity: int = 1, now: datetime = NOW) -> list[int]:
    """What each buyer of the shop's only SKU is granted, in one batch."""
    wanted = [(buyer, shop.sku_id, quantity) for buyer in buyers]
    return [total(grants) for grants in await database.run(lambda tx: spend(tx, shop.id, wanted, now))]


def total(grants: Iterable[Grant]) -> int:
    return sum(grant.amount_fen for grant in grants)


async def give_back(
    tx: Transaction, shop_id: ShopId, buyer_id: PersonId, grants: Sequence[Grant], now: datetime = NOW
) -> None:
    """Grants return, as cancelling and refunding do it."""
    ids = {grant.campaign_id for grant in grants}
    queries = purse_locked(shop_id, ids, {(id, buyer_id) for id in ids})  # noqa: A001
    purse = purse_of(shop_id, await tx.together(*queries))
    purse.give_back(buyer_id, grants)
    await save(tx, purse_saved(shop_id, purse, now))


async def take_again(
    tx: Transaction, shop_id: ShopId, buyer_id: PersonId, grants: Sequence[Grant], now: datetime = NOW
) -> bool:
    """A late payment wants what its order was granted once more."""
    ids = {grant.campaign_id for grant in grants}
    queries = purse_locked(shop_id, ids, {(id, buyer_id) for id in ids})  # noqa: A001
    purse = purse_of(shop_id, await tx.together(*queries))
    await prepare_again(tx, purse, grants, now)
    taken = purse.take(buyer_id, grants)
    await save(tx, purse_saved(shop_id, purse, now))
    return taken


async def save(tx: Transaction, queries: Sequence[Query[Any]]) -> None:
    if queries:
        await tx.together(*queries)


async def budgets(tx: Transaction, campaign_id: CampaignId) -> dict[int, tuple[int, int, int]]:
    """What each funder has: budget, drawn, and spent over all shops."""
    rows = await tx.rows(
        """
        SELECT funder_id, budget_fen, funding.drawn_fen,
               (SELECT coalesce(sum(spent_fen), 0)::bigint FROM policy.allotment
                WHERE allotment.campaign_id = funding.campaign_id AND allotment.funder_id = funding.funder_id) AS spent
        FROM policy.funding WHERE campaign_id = %s ORDER BY funder_id
        """,
        (campaign_id,),
    )
    return {row.funder_id: (row.budget_fen, row.drawn_fen, row.spent) for row in rows}


async def broken(tx: Transaction) -> list[str]:
    """The invariants of campaigns that are broken in the whole database."""
    return [check.invariant for check in CHECKS if await tx.row(check.sql.replace("%", "%%"))]  # type: ignore[arg-type]
