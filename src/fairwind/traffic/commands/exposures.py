"""Taking in exposures: each is written down once, and counted in the same transaction.

Locks are taken in one order: viewers, hosts' days, items, affinities, each by key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import islice
from typing import NamedTuple

import msgspec

from fairwind.kernel import (
    Event,
    LiveSessionId,
    PersonId,
    ProductId,
    Query,
    Refused,
    ShopId,
    Transaction,
    day_in_china,
    midnight_in_china,
    uuid7,
)
from fairwind.traffic.counts import Delta
from fairwind.traffic.exposure import Bounds, Exposure, Outcome, Told, decide
from fairwind.traffic.showing import Item, live_item, product_item
from fairwind.traffic.store import exposures as store
from fairwind.traffic.store import pricing as pricing_store

CategoryOf = Callable[[Item], int | None]
"""The category of an item, as far as this server knows."""


class Report(NamedTuple):
    """What one viewer tells of at once. person_id: who has signed in; viewer: as whom they are known in tokens."""

    told: Sequence[Told | Refused]
    person_id: PersonId | None
    viewer: int


async def take_in(
    tx: Transaction, reports: Sequence[Report], bounds: Bounds, category_of: CategoryOf, now: datetime
) -> list[list[Exposure | Refused]]:
    """Count what viewers saw and did; answers, for each report, one outcome for each exposure."""
    told = [each for report in reports for each in report.told]
    showings = [each.showing for each in told if isinstance(each, Told)]
    viewers = {showing.viewer for showing in showings}
    _, there, shown = await tx.together(
        store.viewers_locked(viewers),
        store.exposures_of({(showing.feed_id, showing.slot) for showing in showings}),
        store.shown_since(viewers, midnight_in_china(day_in_china(now))),
    )
    outcome = decide(told, there, shown, bounds, now)
    if outcome.changed:
        await tx.together(
            store.exposures_saved(outcome.changed.values()),
            store.host_days_added(outcome.by_host()),
            store.items_added(outcome.by_item()),
            *_affinities(reports, outcome, category_of),
            pricing_store.delta_sent(sent(outcome.by_count(), now)),
        )
    answers = iter(outcome.answers)
    return [list(islice(answers, len(report.told))) for report in reports]


def sent(counts: Delta, now: datetime) -> pricing_store.Sent:
    """Counts under an id of their own, so that they are merged once."""
    return pricing_store.Sent(uuid7(now), now, counts)


def _affinities(reports: Sequence[Report], outcome: Outcome, category_of: CategoryOf) -> list[Query[None]]:
    """What people who have signed in made of categories: only of what they were shown themselves."""
    person_of = {
        (each.showing.feed_id, each.showing.slot): report.person_id
        for report in reports
        for each in report.told
        if isinstance(each, Told) and each.showing.viewer == report.viewer
    }
    added: dict[tuple[PersonId, int], tuple[int, int, int]] = {}
    for showing, impressions, clicks, _ in outcome.added():
        person_id, category_id = person_of.get((showing.feed_id, showing.slot)), category_of(showing.item)
        if person_id is not None and category_id is not None:
            before = added.get((person_id, category_id), (0, 0, 0))
            added[person_id, category_id] = (before[0] + impressions, before[1] + clicks, 0)
    return [store.affinities_added(added)] if added else []


class _PaidLine(msgspec.Struct, frozen=True):
    product_id: ProductId
    live_session_id: LiveSessionId | None = None


class _Paid(msgspec.Struct, frozen=True):
    lines: tuple[_PaidLine, ...] = ()


async def count_orders(tx: Transaction, shop_id: ShopId, events: Sequence[Event], _: datetime) -> None:
    """Orders were paid: count them for the live sessions they came from and the products, where those were shown."""
    sold: Counter[Item] = Counter()
    for event in events:
        for line in event.read(_Paid).lines:
            sold[product_item(shop_id, line.product_id)] += 1
            if line.live_session_id is not None:
                sold[live_item(line.live_session_id)] += 1
    await tx.ask(store.items_ordered(sold))
