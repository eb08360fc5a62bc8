"""Exposures as viewers tell of them, and what of them counts. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
import numpy as np
from msgspec import Meta
from msgspec.structs import replace

from fairwind.kernel import Refused, day_in_china
from fairwind.traffic.allocator import Why
from fairwind.traffic.counts import MICRO, Count, Delta, delta
from fairwind.traffic.showing import Item, Showing

SEEN_WITHIN = timedelta(hours=1)
"""A token that is older counts no more: who comes back later asks for a new feed."""
LOG_KEPT = timedelta(days=30)
"""So long exposures are kept one by one; what was counted of them stays."""
REPORTED_MAX = 100
WATCH_MS_MAX = 24 * 3_600_000
WATCH_COUNTED_MS = 60_000
"""So much of a slot's watch time counts for what an item is worth: nobody makes it dear by one long look."""

Key = tuple[UUID, int]
"""A slot of a feed."""


class TokenInvalid(Refused):
    """The token was not issued here: take it from the feed's items."""

    code = "exposure_token_invalid"
    status = 422


class TokenExpired(Refused):
    """The item was served too long ago to count as seen now."""

    code = "exposure_token_expired"
    status = 409


class ViewerLimit(Refused):
    """The viewer has been shown as much as counts in a day, in all or of one host: it is not counted."""

    code = "viewer_limit"
    status = 429


class ExposureDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item that was on the screen. clicked, watch_ms: may be told of later, with the same token; they only grow."""

    token: Annotated[str, Meta(max_length=200)]
    clicked: bool = False
    watch_ms: Annotated[int, Meta(ge=0, le=WATCH_MS_MAX, description="How long it was watched, in milliseconds")] = 0


class Exposure(msgspec.Struct, frozen=True):
    """A showing that was seen, and what the viewer made of it."""

    showing: Showing
    seen_at: datetime
    clicked: bool
    watch_ms: int

    @property
    def key(self) -> Key:
        return self.showing.feed_id, self.showing.slot


class Bounds(NamedTuple):
    """How many exposures count in a day in China: of a viewer in all, and of a viewer to one host."""

    viewer_day_max: int
    viewer_host_day_max: int


class Told(NamedTuple):
    """An exposure that somebody tells of."""

    showing: Showing
    clicked: bool
    watch_ms: int


Shown = Mapping[tuple[int, int], int]
"""How often each viewer was shown each host today."""


class HostCount(NamedTuple):
    """What exposures add to a host's day."""

    impressions: int
    by_floor: int
    by_stage: int
    by_welfare: int
    clicks: int
    watch_ms: int


class ItemCount(NamedTuple):
    """What exposures add to an item."""

    impressions: int
    clicks: int
    watch_ms: int


class Outcome(NamedTuple):
    """What a batch of exposures comes to. answers: one for each, in order; before: those that were there already."""

    answers: list[Exposure | Refused]
    changed: dict[Key, Exposure]
    before: Mapping[Key, Exposure]

    def added(self) -> Iterable[tuple[Showing, int, int, int]]:
        """Each changed slot with the impressions, clicks and watched milliseconds that it adds to the counts."""
        for key, exposure in self.changed.items():
            there = self.before.get(key)
            if there is None:
                yield exposure.showing, 1, int(exposure.clicked), exposure.watch_ms
            else:
                yield exposure.showing, 0, exposure.clicked - there.clicked, exposure.watch_ms - there.watch_ms

    def by_host(self) -> dict[tuple[int, date], HostCount]:
        """What is added to each host, by the day in China on which it was seen."""
        sums: dict[tuple[int, date], list[int]] = {}
        for showing, impressions, clicks, watch_ms in self.added():
            exposure = self.changed[showing.feed_id, showing.slot]
            mine = sums.setdefault((showing.host_no, day_in_china(exposure.seen_at)), [0] * 6)
            mine[0] += impressions
            if showing.why is not Why.UTILITY:
                mine[showing.why] += impressions
            mine[4] += clicks
            mine[5] += watch_ms
        return {key: HostCount(*each) for key, each in sums.items()}

    def by_count(self) -> Delta:
        """What is added to the counts that prices are made from."""
        added = list(self.added())
        hosts = np.array([showing.host_no for showing, *_ in added], np.int32)
        whys = np.array([showing.why for showing, *_ in added], np.int64)
        impressions, clicks = (np.array([each[place] for each in added], np.int64) for place in (1, 2))
        micro = np.array([round(max(showing.utility, 0) * MICRO) for showing, *_ in added], np.int64) * impressions
        columns = np.concatenate((whys, np.full_like(whys, Count.UTILITY_MICRO), np.full_like(whys, Count.CLICKS)))
        return delta(np.tile(hosts, 3), columns, np.concatenate((impressions, micro, clicks)))

    def by_item(self) -> dict[tuple[Item, int], ItemCount]:
        """What is added to each item, with its host."""
        sums: dict[tuple[Item, int], list[int]] = {}
        for showing, impressions, clicks, _ in self.added():
            key = showing.feed_id, showing.slot
            before = self.before[key].watch_ms if key in self.before else 0
            watch_ms = min(self.changed[key].watch_ms, WATCH_COUNTED_MS) - min(before, WATCH_COUNTED_MS)
            mine = sums.setdefault((showing.item, showing.host_no), [0] * 3)
            for place, count in enumerate((impressions, clicks, watch_ms)):
                mine[place] += count
        return {key: ItemCount(*each) for key, each in sums.items()}


def decide(
    told: Sequence[Told | Refused], there: Mapping[Key, Exposure], shown: Shown, bounds: Bounds, now: datetime
) -> Outcome:
    """Which of these exposures count. Telling of a slot again adds to it and never takes away.

    there: those known already; shown: how often each viewer was shown each host today.
    """
    known = dict(there)
    changed: dict[Key, Exposure] = {}
    of_pair = Counter(shown)
    of_viewer: Counter[int] = Counter()
    for (viewer, _), count in shown.items():
        of_viewer[viewer] += count
    answers: list[Exposure | Refused] = []
    for each in told:
        if isinstance(each, Refused):
            answers.append(each)
            continue
        showing, key = each.showing, (each.showing.feed_id, each.showing.slot)
        since = min(max(now - showing.served_at, timedelta(0)), SEEN_WITHIN)
        watch_ms = min(each.watch_ms, since // timedelta(milliseconds=1))
        before = known.get(key)
        if before is not None:
            after = replace(before, clicked=before.clicked or each.clicked, watch_ms=max(before.watch_ms, watch_ms))
            if after != before:
                known[key] = changed[key] = after
            answers.append(after)
            continue
        if now - showing.served_at > SEEN_WITHIN:
            answers.append(TokenExpired("it was served more than an hour ago; ask for a new feed"))
            continue
        viewer, pair = showing.viewer, (showing.viewer, showing.host_no)
        if of_viewer[viewer] >= bounds.viewer_day_max or of_pair[pair] >= bounds.viewer_host_day_max:
            answers.append(ViewerLimit("this viewer has been shown as much today as counts"))
            continue
        of_viewer[viewer] += 1
        of_pair[pair] += 1
        known[key] = changed[key] = Exposure(showing, max(now, showing.served_at), each.clicked, watch_ms)
        answers.append(known[key])
    return Outcome(answers, changed, there)
