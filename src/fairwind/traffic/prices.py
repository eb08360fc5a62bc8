"""Prices of hosts: what is added to a candidate's utility so that exposure meets what was promised. Pure.

Dual prices of: maximise utility + λ · Gini welfare of exposure, with a floor for every active host, a cap on the head,
paced stages for new hosts and a budget for all of them. The welfare's gradient is taken where exposure stands (online
Frank-Wolfe: Do & Usunier, "Optimizing generalized Gini indices for fairness in rankings", SIGIR 2022; Usunier et al.,
"Fast online ranking with fairness of exposure", FAccT 2022). The other prices are integrals of what is missing: what a
host lacks now is made good later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwind.traffic.maxmin import Duals, descended
from fairwind.traffic.policy import TrafficPolicy
from fairwind.traffic.projection import project

Floats = NDArray[np.float64]
Prices = NDArray[np.float32]
Flags = NDArray[np.bool_]


class PriceSnapshot(NamedTuple):
    """The prices that requests are served with, until the next. Never changed: all arrays are read-only.

    price: float32[G + 1], the last for a host that is not known: 0. Per impression, in units of a request's utility; or
    per unit of utility when that is what is shared. welfare, floor, stage, cap: float32[G + 1], its parts; they sum to
    it. version: rises with each. at_s: when it was made.
    """

    price: Prices
    welfare: Prices
    floor: Prices
    stage: Prices
    cap: Prices
    version: int
    at_s: float
    per_utility: bool = False

    @property
    def hosts(self) -> int:
        return len(self.price) - 1


class Standing(NamedTuple):
    """Where the hosts stand when prices are made. Arrays over all G hosts.

    exposure, gained: float64[G], in the policy's unit; decayed, and since the last refresh. active, staged: bool[G],
    who may be shown; who is new. floor_due, floor_shown: float64[G], exposure of the window: promised so far, and had.
    stage_due, stage_shown: float64[G], impressions since a new host joined: promised so far, and had. new_share: what
    new hosts had lately, 0 to 1. utility_mean: of one impression. staleness_s: how old the oldest counts are.
    """

    exposure: Floats
    gained: Floats
    active: Flags
    staged: Flags
    floor_due: Floats
    floor_shown: Floats
    stage_due: Floats
    stage_shown: Floats
    new_share: float = 0.0
    utility_mean: float = 1.0
    staleness_s: float = 0.0


class Controls(NamedTuple):
    """What the integrals hold from one refresh to the next.

    floor, stage: float64[G] (μ). head, new: the prices on the head (ν) and on new hosts. duals: of the max-min mode.
    """

    floor: Floats
    stage: Floats
    duals: Duals
    head: float = 0.0
    new: float = 0.0


def at_rest(hosts: int) -> Controls:
    """Controls before anything was counted."""
    zero = np.zeros(hosts)
    return Controls(zero, zero, Duals(zero, zero))


def unpriced(hosts: int, at_s: float = 0.0) -> PriceSnapshot:
    """Version 0: pure utility."""
    zero = _sealed(np.zeros(hosts))
    return PriceSnapshot(zero, zero, zero, zero, zero, 0, at_s)


def refresh(
    policy: TrafficPolicy, standing: Standing, controls: Controls, version: int, at_s: float
) -> tuple[PriceSnapshot, Controls]:
    """The next prices, and the controls after them. A host that is not active has no price."""
    active, new = standing.active, standing.active & standing.staged
    head = _head(policy, standing)
    after = Controls(
        *_guarantees(policy, standing, controls),
        _duals(policy, standing, controls.duals),
        _head_price(policy, standing.exposure, head, controls.head),
        _new_price(policy, standing.new_share, controls.new),
    )
    floor = np.where(active, _damped(policy, after.floor, standing.floor_due, standing.floor_shown), 0.0)
    stage = _damped(policy, after.stage, standing.stage_due, standing.stage_shown)
    parts = (
        _even(policy, standing, after.duals),
        floor,
        # A stage lifts a host only as far as its floor does not: one impression keeps both promises.
        np.where(new, np.maximum(stage - floor, 0), 0.0),
        -after.head * head - after.new * new,
    )
    return _snapshot(policy, standing.utility_mean, parts, version, at_s), after


def gini_gradient(exposure: Floats, smoothing: float) -> Floats:
    """How the smoothed Gini welfare changes with each host's exposure: float64[n], between −1 and 1, mean 0.

    exposure: float64[n], not negative. The welfare is Σ wᵢ x₍ᵢ₎ with x in equal shares, ascending, and weights
    wᵢ = (2(n − i) + 1)/n, which is n(1 − Gini); its gradient is Proj(−x/β) on the permutahedron of w (Do &
    Usunier, 2022, proposition 2), less 1, for what all have in common moves nobody.
    """
    n, total = len(exposure), exposure.sum()
    if total <= 0:
        return np.zeros(n)
    weights = np.arange(2 * n - 1, 0, -2) / n
    return project(exposure * (-n / (total * smoothing)), weights) - 1


def _even(policy: TrafficPolicy, standing: Standing, duals: Duals) -> Floats:
    price = np.zeros(len(standing.active))
    if policy.mode == "maxmin":
        price[standing.active] = -duals.dual[standing.active]
    elif policy.welfare_weight > 0:
        exposure = standing.exposure[standing.active] + policy.exposure_prior
        price[standing.active] = policy.welfare_weight * gini_gradient(exposure, policy.welfare_smoothing)
    return price


def _duals(policy: TrafficPolicy, standing: Standing, duals: Duals) -> Duals:
    """A step of the max-min mode: every active host is to get an equal share of what was given since the last."""
    active, total = standing.active, standing.gained.sum()
    if policy.mode != "maxmin" or total <= 0:
        return duals
    count = np.count_nonzero(active)
    gradient = np.where(active, 1 - standing.gained * (count / total), 0.0)
    rho = np.ones(len(active))
    return descended(duals, gradient, rho, policy.welfare_weight * count, policy.maxmin_step, policy.maxmin_momentum)


def _guarantees(policy: TrafficPolicy, standing: Standing, controls: Controls) -> tuple[Floats, Floats]:
    """The floor and stage prices. Counts that are too old leave them as they are: they would be driven too far."""
    if standing.staleness_s > policy.freeze_staleness * policy.guarantee_s:
        return controls.floor, controls.stage
    floor = _integral(policy, controls.floor, standing.floor_due, standing.floor_shown)
    stage = _integral(policy, controls.stage, standing.stage_due, standing.stage_shown)
    return floor, np.where(standing.staged, stage, 0.0)


def _integral(policy: TrafficPolicy, price: Floats, due: Floats, shown: Floats) -> Floats:
    """A price that rises while shown is below due and sinks while it is above: the faster the further, up to a step.

    A boost in proportion to what is missing settles short of the target; an integral does not.
    """
    return np.clip(price + policy.floor_step * _missing(policy, due, shown), 0, policy.floor_price_max)


def _damped(policy: TrafficPolicy, price: Floats, due: Floats, shown: Floats) -> Floats:
    """An integral with what is missing now on top. What is due is a sum itself, and a sum of sums alone would swing."""
    return np.clip(price + policy.floor_gain * _missing(policy, due, shown), 0, policy.floor_price_max)


def _missing(policy: TrafficPolicy, due: Floats, shown: Floats) -> Floats:
    """What is missing, from −1 to 1, which is a twentieth of what is due, and at least the slack."""
    missing: Floats = np.clip((due - shown) / np.maximum(policy.floor_slack, 0.05 * due), -1, 1)
    return missing


def _head(policy: TrafficPolicy, standing: Standing) -> Flags:
    """Who the head is: the part of the active hosts that has had most, rounded up."""
    active = np.flatnonzero(standing.active)
    head = np.zeros(len(standing.active), np.bool_)
    size = math.ceil(round(policy.head_part * len(active), 9))
    if size:
        rest = len(active) - size
        head[active[np.argpartition(standing.exposure[active], rest)[rest:]]] = True
    return head


def _head_price(policy: TrafficPolicy, exposure: Floats, head: Flags, price: float) -> float:
    total = exposure.sum()
    if policy.head_share_max >= 1 or total <= 0:
        return 0.0
    excess = exposure[head].sum() / total - (policy.head_share_max - policy.head_margin)
    return max(0.0, price + policy.head_step * float(excess))


def _new_price(policy: TrafficPolicy, new_share: float, price: float) -> float:
    """What keeps new hosts together in their budget: enough, at its highest, to undo any stage price."""
    return min(max(0.0, price + policy.head_step * (new_share - policy.new_share_max)), policy.floor_price_max)


def _snapshot(
    policy: TrafficPolicy, utility_mean: float, parts: Sequence[Floats], version: int, at_s: float
) -> PriceSnapshot:
    per_utility = policy.exposure_unit == "utility"
    scale = 1 / utility_mean if per_utility and utility_mean > 0 else 1.0
    price = _sealed(np.sum(parts, axis=0) * scale)
    welfare, floor, stage, cap = (_sealed(part * scale) for part in parts)
    return PriceSnapshot(price, welfare, floor, stage, cap, version, at_s, per_utility)


def _sealed(values: Floats) -> Prices:
    """values with a 0 behind them for a host that is not known, read-only."""
    sealed = np.append(values, 0).astype(np.float32)
    sealed.flags.writeable = False
    return sealed
