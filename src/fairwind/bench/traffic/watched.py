"""A simulated day as it goes by: what came of it, and how new hosts got their exposure."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import numpy as np

from fairwind.bench.traffic.published import Ranker
from fairwind.bench.traffic.simulator import BLOCK, Counts, Feed, Outcome, play


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """outcome: of the whole day. exposure: int64[G], impressions at its end.

    new: after which part of the day, 0 to 1, how many impressions new hosts had: the one above a tenth of them, and the
    one in the middle.
    """

    outcome: Outcome
    exposure: Counts
    new: list[tuple[float, float, float]]


def watch(feed: Feed, ranker: Ranker, progress: Callable[[int], None]) -> Watched:
    """Serve the day. progress: told how many requests were served since it was last told."""
    new = [(0.0, 0.0, 0.0)]
    for served, day in enumerate(play(feed, ranker), start=1):
        progress(BLOCK)
        low, middle = np.percentile(day.exposure[feed.new], (10, 50))
        new.append((served / feed.blocks, float(low), float(middle)))
    return Watched(outcome=day.outcome(feed, ranker.name), exposure=day.exposure, new=new)
