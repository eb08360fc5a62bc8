"""Getting a shop's purse ready for a batch of orders, and taking back what shops leave unused."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from fairwind.catalog import lowest_prices, offers
from fairwind.kernel import CampaignId, Database, NotFound, PersonId, Query, ShopId, SkuId, Transaction, isolated
from fairwind.policy.preview import SubsidyPreview, preview
from fairwind.policy.purse import Grant, Key, Purse, Ware, needs_of
from fairwind.policy.store import campaigns as campaign_store
from fairwind.policy.store import purses as store

RECENTLY = timedelta(minutes=1)
"""When money gets scarce, a shop keeps as much as it has spent since so long ago."""
_RETURNED_MAX = 500
_PREVIEWED_MAX = 50


async def prepare(
    tx: Transaction,
    shop_id: ShopId,
    purse: Purse,
    wanted: Sequence[tuple[PersonId, Sequence[Ware]]],
    now: datetime,
) -> None:
    """Make a purse of `campaigns_locked` ready for these orders: price histories, buyers' caps, money where it lacks.

    One round trip, and none when no campaign is for what is wanted. Caps and fundings stay locked. What may be needed
    decides what is locked and drawn ahead; when little is left, only what is spent is drawn.
    """
    wares = [ware for _, lines in wanted for ware in lines]
    guarded, caps, needs = purse.guarded(wares), purse.buyers(wanted), purse.needs(wanted)
    histories = _histories(shop_id, guarded, now)
    short = purse.short(needs)
    unopened = purse.unopened(short)
    locks: list[Query[Any]] = []
    if unopened:
        locks += store.allotments_opened(shop_id, unopened)
    if caps:
        locks += [store.caps_opened(caps), store.caps_locked(caps)]
    if short:
        locks.append(store.rests_locked(short))
    if not histories and not locks:
        return
    answers = iter(await tx.together(*histories, *locks))
    for days in guarded:
        purse.told(days, next(answers))
    if unopened:
        next(answers)
        purse.open(next(answers))
    if caps:
        next(answers)
        purse.caps |= next(answers)
    if short:
        purse.reach(next(answers))
        purse.draw_ahead(needs)


async def prepare_again(tx: Transaction, purse: Purse, grants: Iterable[Grant], now: datetime) -> None:
    """Make a purse of `purse_locked` ready to take these grants again: of campaigns that run, while money is left.

    For payments that come after their order was cancelled, whose money had gone back. Only what they take and the shop
    lacks is drawn anew.
    """
    purse.close(now)
    needs = needs_of(
        grant
        for grant in grants
        if (pot := purse.pots.get((grant.campaign_id, grant.funder_id))) is not None and not pot.stopped
    )
    if short := purse.short(needs):
        rests = await tx.ask(store.rests_locked(short))
        purse.reach(rests)


def _histories(shop_id: ShopId, guarded: Mapping[int, Collection[SkuId]], now: datetime) -> list[Query[Any]]:
    return [
        lowest_prices(shop_id, sku_ids, now - timedelta(days=days), throughout=True)
        for days, sku_ids in guarded.items()
    ]


def purse_locked(shop_id: ShopId, campaign_ids: Collection[CampaignId], pairs: Collection[Key]) -> list[Query[Any]]:
    """Two queries to ask together, whose answers `purse_of` makes into a purse: for what was granted before.

    pairs: the buyers, by campaign, who take or give back. Nothing is asked without campaigns.
    """
    if not campaign_ids:
        return []
    return [store.allotments_locked(shop_id, campaign_ids), store.caps_locked(pairs)]


def purse_of(shop_id: ShopId, answers: Sequence[Mapping[Key, Any]]) -> Purse:
    """The purse that the answers to `purse_locked` make; an empty one of no answers."""
    pots, caps = answers or ({}, {})
    return Purse(shop_id, {}, pots, caps)


async def return_unused(database: Database, now: datetime) -> int:
    """Hand money that shops have drawn and do not need back to its campaigns; how many allotments it was of.

    All of it where nothing is given any more; and what a shop holds beyond its recent spending, when a campaign has
    less to hand out than its shops hold, or little of its budget. What was spent and given back again does not count
    as spent, so that nobody keeps a budget by placing and cancelling.

    Each shop in a transaction of its own, so that a batch of orders waits for no other shop's.
    """
    since = now - RECENTLY
    async with database.transaction() as tx:
        found = await tx.ask(store.idle_allotments(since, _RETURNED_MAX))
    returned = 0
    for shop_id, campaign_id in found:

        async def work(tx: Transaction, shop_id: ShopId = shop_id, campaign_id: CampaignId = campaign_id) -> int:
            unused = await tx.ask(store.unused_locked(shop_id, campaign_id, since))
            if unused:
                await tx.together(store.rests_locked({campaign_id}), *store.unused_returned(shop_id, unused))
            return len(unused)

        async with isolated("allotment_not_returned", shop_id=shop_id, campaign_id=campaign_id):
            returned += await database.run(work)
    return returned


async def previewed(
    tx: Transaction, shop_id: ShopId, sku_id: SkuId, quantity: int, buyer_id: PersonId | None, now: datetime
) -> SubsidyPreview:
    """What a buyer would save now; for somebody unknown, as a buyer who has got nothing yet. Locks nothing.

    NotFound for a SKU that is not for sale.
    """
    buyer_id = buyer_id or PersonId(0)
    offered, purse = await tx.together(offers(shop_id, {sku_id}), store.campaigns_seen(shop_id, now))
    offer = offered.get(sku_id)
    if offer is None or not offer.on_shelf:
        raise NotFound(f"shop {shop_id} sells no SKU {sku_id} now")
    ware = Ware(sku_id, offer.product_id, offer.category_id, offer.parent_id, offer.price_fen, quantity)
    guarded = purse.guarded([ware])
    ids, had, *histories = await tx.together(
        campaign_store.agreed(_PREVIEWED_MAX),
        store.caps_seen(buyer_id, list(purse.terms)),
        *_histories(shop_id, guarded, now),
    )
    for days, lowest in zip(guarded, histories, strict=True):
        purse.told(days, lowest)
    purse.caps |= purse.buyers([(buyer_id, [ware])]) | had
    for pot in purse.pots.values():
        pot.reach(pot.rest_fen)
    campaigns = await campaign_store.campaigns(tx, [*ids, *purse.terms])
    return preview(campaigns.values(), purse, buyer_id, ware, now)
