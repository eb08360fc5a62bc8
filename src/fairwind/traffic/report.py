"""How traffic was shared on a day, counted from the exposure log, beside what was promised. Pure.

Anybody may read it: it is what makes traffic provably fair.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import msgspec
import numpy as np

from fairwind.traffic.measures import Floats, gini, lorenz, top_share
from fairwind.traffic.policy import TrafficPolicy
from fairwind.traffic.sample import Candidates

ACTIVE_PART = 0.5
"""Who was a candidate at least this part as often as the average was there most of the day, and is owed a floor."""
_POINTS = 21


class Day(NamedTuple):
    """What the log has of a host on a day, by why it was shown; and how often it could have been."""

    host_no: int
    by_utility: int
    by_floor: int
    by_stage: int
    by_welfare: int
    candidacies: int

    @property
    def impressions(self) -> int:
        return self.by_utility + self.by_floor + self.by_stage + self.by_welfare


class Promise(msgspec.Struct, frozen=True):
    """Something promised, what it came to, and whether it was kept; null where the day says nothing of it."""

    name: str
    promised: float
    measured: float | None
    kept: bool | None


class TrafficReport(msgspec.Struct, frozen=True):
    """How traffic was shared on a day.

    hosts: that could have been shown, of which hosts_shown were. gini, head_share: of impressions over them. lorenz:
    which share of impressions the hosts with the least had together, at every twentieth of the hosts. why: which share
    of impressions was owed to what. utility_kept: of what was the best list for each viewer, by the requests that were
    kept whole (sampled of them). policy_version: in force at the day's end.
    """

    day: date
    policy_version: int
    impressions: int
    hosts: int
    hosts_shown: int
    gini: float
    head_share: float
    lorenz: list[float]
    why: dict[str, float]
    utility_kept: float | None
    sampled: int
    promises: list[Promise]


def report(
    day: date,
    days: Sequence[Day],
    sampled: Sequence[Candidates],
    newcomers: Sequence[int],
    policy: TrafficPolicy,
    policy_version: int,
) -> TrafficReport:
    """The report of a day. days: of every host that could have been shown or was.

    newcomers: impressions by the day's end of new hosts whose first stage was to be filled by then.
    """
    shown = np.array([each.impressions for each in days], np.float64)
    total = float(shown.sum())
    kept = _utility_kept(sampled)
    return TrafficReport(
        day=day,
        policy_version=policy_version,
        impressions=int(total),
        hosts=len(days),
        hosts_shown=int(np.count_nonzero(shown)),
        gini=round(gini(shown), 4),
        head_share=round(top_share(shown, policy.head_part), 4),
        lorenz=_twentieths(shown),
        why=_shares(days, total),
        utility_kept=None if kept is None else round(kept, 4),
        sampled=len(sampled),
        promises=promises(days, shown, kept, newcomers, policy),
    )


def promises(
    days: Sequence[Day],
    shown: Floats,
    kept: float | None,
    newcomers: Sequence[int],
    policy: TrafficPolicy,
) -> list[Promise]:
    """What the policy promises of a day, and what it came to."""
    total = float(shown.sum())
    least = _least_floor(days, shown)
    head = top_share(shown, policy.head_part) if total else None
    stages = [impressions >= policy.stage_impressions[0] for impressions in newcomers]
    whole = float(np.mean(stages)) if stages else None
    return [
        Promise("head_share_max", policy.head_share_max, head, None if head is None else head <= policy.head_share_max),
        Promise("floor_share", policy.floor_share, least, None if least is None else least >= policy.floor_share),
        Promise(
            "utility_kept",
            round(1 - policy.utility_loss_max, 6),
            kept,
            None if kept is None else kept >= 1 - policy.utility_loss_max,
        ),
        Promise("first_stages_filled", 1.0, whole, None if whole is None else whole >= 1),
    ]


def _least_floor(days: Sequence[Day], shown: Floats) -> float | None:
    """What the host with the least had, in equal shares, of those who were there for most of the day."""
    candidacies = np.array([each.candidacies for each in days], np.float64)
    mean = float(candidacies[candidacies > 0].mean()) if (candidacies > 0).any() else 0.0
    there = candidacies >= max(1.0, ACTIVE_PART * mean)
    if not there.any() or not shown.sum():
        return None
    return float(shown[there].min() * np.count_nonzero(candidacies) / shown.sum())


def _shares(days: Sequence[Day], total: float) -> dict[str, float]:
    names = ("utility", "floor", "stage", "welfare")
    sums = {name: sum(each[place] for each in days) for place, name in enumerate(names, 1)}
    return {name: round(count / total, 4) if total else 0.0 for name, count in sums.items()}


def _twentieths(shown: Floats) -> list[float]:
    curve = np.asarray(lorenz(shown), np.float64)
    places = np.linspace(0, len(curve) - 1, _POINTS)
    return [round(float(value), 4) for value in np.interp(places, np.arange(len(curve)), curve)]


def _utility_kept(sampled: Sequence[Candidates]) -> float | None:
    """What the slots were worth of what the best ones would have been, over all requests that were kept."""
    had = best = 0.0
    for each in sampled:
        slots = len(each.positions)
        had += float(each.utilities[each.positions].sum())
        best += float(np.sort(each.utilities)[::-1][:slots].sum())
    return had / best if best > 0 else None
