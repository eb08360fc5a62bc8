"""Offering samples, asking for them, and what happens to them then.

Locks are taken in one order: offers by product, samples by id.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from fairwind.alliance.sample import (
    Sample,
    SampleAction,
    SampleDraft,
    SampleId,
    SampleOffer,
    SampleOfferDraft,
    SampleState,
    SampleStep,
    no_sample,
    request_refusal,
    step,
)
from fairwind.alliance.store import samples as store
from fairwind.catalog import Listing, listings
from fairwind.kernel import IdReused, NotFound, PersonId, ProductId, Refused, ShopId, Transaction


class Requesting(msgspec.Struct, frozen=True):
    """Which creator asks for which sample, under which id."""

    id: SampleId
    creator_id: PersonId
    draft: SampleDraft


async def offer_samples(
    tx: Transaction, shop_id: ShopId, product_id: ProductId, draft: SampleOfferDraft
) -> SampleOffer:
    """Say how many samples of a product the shop gives. Raises NotFound."""
    if product_id not in await tx.ask(listings(shop_id, [product_id])):
        raise NotFound(f"shop {shop_id} has no product {product_id}")
    return await store.save_offer(tx, SampleOffer(shop_id, product_id, draft.quantity, draft.per_creator_max))


async def request_samples(
    tx: Transaction, shop_id: ShopId, items: Sequence[Requesting], now: datetime
) -> list[Sample | Refused]:
    """Ask for samples. The id is the idempotency key: the same again answers the sample as it stands."""
    product_ids = {item.draft.product_id for item in items}
    offers, known, on_offer, asked = await tx.together(
        store.offers_locked(shop_id, product_ids),
        store.samples(shop_id, [item.id for item in items]),
        listings(shop_id, product_ids),
        store.asked_for(shop_id, {(item.draft.product_id, item.creator_id) for item in items}),
    )
    fresh: list[Sample] = []
    outcomes: list[Sample | Refused] = []
    for item in items:
        wanted = Sample(
            shop_id,
            item.id,
            item.draft.product_id,
            item.creator_id,
            SampleState.REQUESTED,
            item.draft.address,
            item.draft.note,
            now,
        )
        pair = (wanted.product_id, wanted.creator_id)
        there = known.get(item.id)
        if there is not None:
            outcomes.append(there if _same(there, wanted) else _reused(item.id))
            continue
        no = _refusal(on_offer.get(wanted.product_id), offers.get(wanted.product_id), asked.get(pair, 0), wanted)
        if no is None:
            asked[pair] = asked.get(pair, 0) + 1
            known[item.id] = wanted
            fresh.append(wanted)
        outcomes.append(no or wanted)
    if fresh:
        await tx.ask(store.samples_added(shop_id, fresh))
    return outcomes


def _same(there: Sample, wanted: Sample) -> bool:
    return (there.product_id, there.creator_id, there.address, there.note) == (
        wanted.product_id,
        wanted.creator_id,
        wanted.address,
        wanted.note,
    )


def _reused(sample_id: SampleId) -> IdReused:
    return IdReused(f"sample {sample_id} was asked for before with other content; make a new id")


def _refusal(listing: Listing | None, offer: SampleOffer | None, asked_quantity: int, wanted: Sample) -> Refused | None:
    if listing is None:
        return NotFound(f"shop {wanted.shop_id} has no product {wanted.product_id}")
    return request_refusal(offer, asked_quantity, on_shelf=listing.on_shelf)


async def move_samples(
    tx: Transaction, shop_id: ShopId, items: Sequence[SampleStep], now: datetime, show_within: timedelta
) -> list[Sample | Refused]:
    """Approve, decline, ship, withdraw, receive, show; each by whom it concerns. Repeating a step changes nothing."""
    ids = [item.sample_id for item in items]
    known = await tx.ask(store.samples(shop_id, ids))
    offers, samples = await tx.together(
        store.offers_locked(shop_id, {sample.product_id for sample in known.values()}),
        store.samples_locked(shop_id, ids),
    )
    changed: dict[SampleId, Sample] = {}
    given: dict[ProductId, SampleOffer] = {}
    outcomes: list[Sample | Refused] = []
    for item in items:
        sample = samples.get(item.sample_id)
        offer = offers.get(sample.product_id) if sample else None
        if sample is None or offer is None:
            outcomes.append(no_sample(item.sample_id))
            continue
        outcome = step(sample, item, offer, show_within, now)
        outcomes.append(outcome)
        if isinstance(outcome, Sample) and outcome != sample:
            samples[sample.id] = changed[sample.id] = outcome
            if item.action is SampleAction.APPROVE:
                offers[sample.product_id] = given[sample.product_id] = replace(
                    offer, given_quantity=offer.given_quantity + 1
                )
    if changed:
        await tx.ask(store.samples_saved(shop_id, changed.values()))
    if given:
        await tx.ask(store.offers_given(shop_id, given.values()))
    return outcomes
