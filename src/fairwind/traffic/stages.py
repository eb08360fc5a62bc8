"""New hosts: the stages in which they are shown until it is known how well they do. Pure.

A stage ends when the host has had its impressions. It is then promoted, when its click rate is surely above that of
mature hosts, and graduates otherwise: from there on it is shown by its utility, with the floor of all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import StrEnum
from statistics import NormalDist

import msgspec

from fairwind.traffic.policy import TrafficPolicy


class Stage(StrEnum):
    """Where a host stands."""

    FIRST = "first"
    SECOND = "second"
    THIRD = "third"
    GRADUATED = "graduated"


class Action(StrEnum):
    """What happens at the end of a stage."""

    PROMOTE = "promote"
    GRADUATE = "graduate"


TRANSITIONS: Mapping[tuple[Stage, Action], Stage] = {
    (Stage.FIRST, Action.PROMOTE): Stage.SECOND,
    (Stage.FIRST, Action.GRADUATE): Stage.GRADUATED,
    (Stage.SECOND, Action.PROMOTE): Stage.THIRD,
    (Stage.SECOND, Action.GRADUATE): Stage.GRADUATED,
    (Stage.THIRD, Action.GRADUATE): Stage.GRADUATED,
}
STAGES = tuple(Stage)


class Reason(StrEnum):
    """Why a stage ended as it did."""

    ABOVE_MEAN = "click_rate_above_mean"
    NOT_ABOVE_MEAN = "click_rate_not_above_mean"
    ALL_STAGES = "all_stages_done"


class Decision(msgspec.Struct, frozen=True):
    """The end of a stage, with the figures that decided it. Rates: clicks for an impression, 0 to 1."""

    stage: Stage
    action: Action
    after: Stage
    reason: Reason
    impressions: int
    clicks: int
    rate_low: float
    mature_rate: float

    def sentence(self) -> str:
        """The reason in words."""
        had = f"{self.clicks:,} clicks of {self.impressions:,} impressions, surely above {self.rate_low:.2%}"
        return {
            Reason.ABOVE_MEAN: f"promoted to the {self.after} stage: {had}, beats the mean of {self.mature_rate:.2%}",
            Reason.NOT_ABOVE_MEAN: f"graduated: {had}, does not beat the mean of {self.mature_rate:.2%}",
            Reason.ALL_STAGES: f"graduated: all stages done, {had}",
        }[self.reason]


def decide(policy: TrafficPolicy, stage: Stage, impressions: int, clicks: int, mature_rate: float) -> Decision | None:
    """How the stage ends for a host that had so much since it joined; None while it lasts."""
    if stage is Stage.GRADUATED or impressions < ends_at(policy, stage):
        return None
    low = rate_low(impressions, clicks, policy.promotion_confidence)
    if (stage, Action.PROMOTE) not in TRANSITIONS:
        action, reason = Action.GRADUATE, Reason.ALL_STAGES
    elif low > mature_rate:
        action, reason = Action.PROMOTE, Reason.ABOVE_MEAN
    else:
        action, reason = Action.GRADUATE, Reason.NOT_ABOVE_MEAN
    return Decision(stage, action, TRANSITIONS[stage, action], reason, impressions, clicks, low, mature_rate)


def ends_at(policy: TrafficPolicy, stage: Stage) -> int:
    """How many impressions since it joined a host has had at the end of its stage."""
    return policy.stage_impressions[STAGES.index(stage)]


def rate_low(impressions: int, clicks: int, confidence: float) -> float:
    """What a click rate is above with this confidence: Wilson's score bound, one-sided (Wilson, JASA 1927).

    clicks above impressions count as impressions: one impression may be clicked twice. 0 without impressions.
    """
    if impressions <= 0:
        return 0.0
    z = NormalDist().inv_cdf(confidence)
    rate = min(clicks / impressions, 1.0)
    spread = z * math.sqrt(rate * (1 - rate) / impressions + (z / (2 * impressions)) ** 2)
    return max(0.0, (rate + z * z / (2 * impressions) - spread) / (1 + z * z / impressions))
