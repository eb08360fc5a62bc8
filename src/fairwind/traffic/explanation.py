"""Why a host was shown, and what kept it from more; for a request, why each slot. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairwind.traffic.allocator import Hosts, Ranking, Scores, Why
from fairwind.traffic.counts import IMPRESSIONS, MICRO, Count, Counts
from fairwind.traffic.prices import PriceSnapshot


class SlotReason(NamedTuple):
    """Why a slot is whose it is.

    without_prices: whether the pure list has it too. welfare, floor, stage, cap: what was added to its bid by each part
    of its host's price, after halving; per unit of its utility when that is what is shared.
    """

    position: int
    host: int
    utility: float
    why: Why
    without_prices: bool
    welfare: float
    floor: float
    stage: float
    cap: float


def explain_request(ranking: Ranking, snapshot: PriceSnapshot, scores: Scores, hosts: Hosts) -> list[SlotReason]:
    """A reason for each slot of ranking. snapshot: the one it was made with. scores, hosts: of its candidates."""
    assert ranking.version == snapshot.version
    reasons = []
    for position, code in zip(ranking.positions.tolist(), ranking.why.tolist(), strict=True):
        host = int(hosts[position])
        priced = host if 0 <= host < snapshot.hosts else snapshot.hosts
        parts = (snapshot.welfare, snapshot.floor, snapshot.stage, snapshot.cap)
        added = (ranking.factor * float(part[priced]) for part in parts)
        why = Why(code)
        reasons.append(SlotReason(position, host, float(scores[position]), why, why is Why.UTILITY, *added))
    return reasons


class Limit(StrEnum):
    """What keeps a host from more exposure."""

    NOT_ACTIVE = "not_active"
    HEAD_CAP = "head_cap"
    NEW_BUDGET = "new_budget"
    ABOVE_EQUAL_SHARE = "above_equal_share"
    SELDOM_FOUND = "seldom_found"
    LOW_UTILITY = "low_utility"


class Held(NamedTuple):
    """A limit with its figures: what the host has, and what it is measured by."""

    limit: Limit
    has: float
    measure: float


class HostPeriod(msgspec.Struct, frozen=True):
    """A host's exposure in a period. by_…: impressions by why they were made; they sum to impressions.

    limits: what kept it from more; has and measure are prices for caps, else counts or utilities of a mean active host.
    """

    impressions: int
    by_utility: int
    by_floor: int
    by_stage: int
    by_welfare: int
    clicks: int
    equal_shares: float
    limits: tuple[Held, ...]


def explain_period(
    host: int, counts: Counts, active: NDArray[np.bool_], snapshot: PriceSnapshot, *, new: bool
) -> HostPeriod:
    """Where host stands. counts: int64[G, len(Count)] of the period. active: bool[G]. new: whether it is in a stage."""
    own = counts[host]
    impressions = int(own[IMPRESSIONS].sum())
    # Over active hosts only: those who cannot be shown would lower every mean.
    total = counts[active].sum(axis=0)
    number = max(1, int(np.count_nonzero(active)))
    mean = total[IMPRESSIONS].sum() / number
    return HostPeriod(
        impressions=impressions,
        by_utility=int(own[Count.UTILITY]),
        by_floor=int(own[Count.FLOOR]),
        by_stage=int(own[Count.STAGE]),
        by_welfare=int(own[Count.WELFARE]),
        clicks=int(own[Count.CLICKS]),
        equal_shares=float(impressions / mean) if mean > 0 else 0.0,
        limits=tuple(_limits(host, own, total / number, snapshot, is_active=bool(active[host]), new=new)),
    )


def _limits(
    host: int, own: Counts, mean: NDArray[np.float64], snapshot: PriceSnapshot, *, is_active: bool, new: bool
) -> list[Held]:
    if not is_active:
        return [Held(Limit.NOT_ACTIVE, 0.0, 0.0)]
    limits = []
    cap, welfare = float(snapshot.cap[host]), float(snapshot.welfare[host])
    if cap < 0:
        limits.append(Held(Limit.NEW_BUDGET if new else Limit.HEAD_CAP, cap, 0.0))
    if welfare < 0:
        limits.append(Held(Limit.ABOVE_EQUAL_SHARE, welfare, 0.0))
    found, found_mean = float(own[Count.CANDIDACIES]), float(mean[Count.CANDIDACIES])
    if found < found_mean:
        limits.append(Held(Limit.SELDOM_FOUND, found, found_mean))
    utility, utility_mean = _utility_each(own), _utility_each(mean)
    if utility < utility_mean:
        limits.append(Held(Limit.LOW_UTILITY, utility, utility_mean))
    return limits


def _utility_each(counts: Counts | NDArray[np.float64]) -> float:
    """The mean utility of an impression; 0 without any."""
    impressions = float(counts[IMPRESSIONS].sum())
    return float(counts[Count.UTILITY_MICRO]) / MICRO / impressions if impressions > 0 else 0.0
