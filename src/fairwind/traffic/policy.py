"""What the operator sets: every knob of the allocator with its unit, range and default. Pure.

Prices are in units of a request's utility: 1 is what an average slot of the pure top list is worth to that viewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from fairwind.kernel import Invalid
from fairwind.traffic.settings import check, settings_of

Mode = Literal["welfare", "maxmin"]
ExposureUnit = Literal["impressions", "utility"]
SlotValues = Literal["equal", "dcg"]


class TrafficPolicy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How traffic is shared. Invalid, when made with a value out of its range, names the setting, range and unit."""

    mode: Annotated[Mode, Meta(description="What prices aim at: an even share (Gini welfare), or the least share")] = (
        "welfare"
    )
    exposure_unit: Annotated[
        ExposureUnit, Meta(description="What is shared: how often a host is shown, or the utility of what is shown")
    ] = "impressions"
    slot_values: Annotated[
        SlotValues, Meta(description="What the slots of a list are worth: all the same, or less and less downwards")
    ] = "equal"

    welfare_weight: Annotated[
        float, Meta(ge=0, le=10, description="Weight λ of even exposure against utility", extra={"unit": "price"})
    ] = 0.1
    welfare_smoothing: Annotated[
        float,
        Meta(
            ge=0.001,
            le=10,
            description="Smoothing β of the welfare: hosts closer than this count as equal",
            extra={"unit": "equal shares"},
        ),
    ] = 0.1
    maxmin_step: Annotated[
        float,
        Meta(gt=0, le=10, description="Step η of the max-min mode for each request", extra={"unit": "price"}),
    ] = 0.01
    maxmin_momentum: Annotated[
        float,
        Meta(gt=0, le=1, description="Part α of the latest gradient in the max-min mode", extra={"unit": "share"}),
    ] = 0.2
    exposure_prior: Annotated[
        float,
        Meta(
            ge=0,
            le=1e9,
            description="What each host is taken to have had before anything was counted",
            extra={"unit": "exposure units"},
        ),
    ] = 0.0
    decay_half_life_s: Annotated[
        float, Meta(gt=0, le=1e8, description="After which time past exposure counts half", extra={"unit": "seconds"})
    ] = 86_400.0

    floor_share: Annotated[
        float,
        Meta(
            ge=0,
            le=0.9,
            description="What every active host is promised in each window; 0 for no promise",
            extra={"unit": "equal shares"},
        ),
    ] = 0.1
    floor_margin: Annotated[
        float, Meta(ge=0, le=1, description="How far above the promise prices aim", extra={"unit": "share of it"})
    ] = 0.1
    floor_window_s: Annotated[
        float, Meta(gt=0, le=1e8, description="In which time the promise is to be kept", extra={"unit": "seconds"})
    ] = 86_400.0
    floor_step: Annotated[
        float,
        Meta(gt=0, le=1, description="Most that a floor or stage price moves in a refresh", extra={"unit": "price"}),
    ] = 0.007
    floor_price_max: Annotated[
        float, Meta(ge=0, le=10, description="Highest floor or stage price", extra={"unit": "price"})
    ] = 1.0

    floor_slack: Annotated[
        float,
        Meta(
            gt=0,
            le=1e9,
            description="What may be missing before prices move by whole steps, if a twentieth of what is due is less",
            extra={"unit": "exposure units"},
        ),
    ] = 2.0
    floor_gain: Annotated[
        float,
        Meta(
            ge=0,
            le=10,
            description="What a floor or stage price adds at once for what is missing, so that it does not swing",
            extra={"unit": "price"},
        ),
    ] = 0.2

    head_part: Annotated[
        float,
        Meta(gt=0, le=0.5, description="Which part of the active hosts is the head", extra={"unit": "share of hosts"}),
    ] = 0.01
    head_share_max: Annotated[
        float,
        Meta(gt=0, le=1, description="What the head gets at most; 1 for no cap", extra={"unit": "share of exposure"}),
    ] = 0.3
    head_margin: Annotated[
        float, Meta(ge=0, le=0.5, description="How far below the cap prices aim", extra={"unit": "share of exposure"})
    ] = 0.012
    head_step: Annotated[
        float,
        Meta(
            gt=0, le=10, description="How fast the head's price follows its excess", extra={"unit": "price per share"}
        ),
    ] = 0.02

    stage_impressions: Annotated[
        tuple[int, int, int],
        Meta(description="How many impressions a new host has had when each stage ends", extra={"unit": "impressions"}),
    ] = (100, 500, 2000)
    stage_pace_s: Annotated[
        float, Meta(gt=0, le=1e8, description="In which time each stage is to be filled", extra={"unit": "seconds"})
    ] = 64_800.0
    promotion_confidence: Annotated[
        float,
        Meta(
            ge=0.5,
            lt=1,
            description="How sure it must be that a promoted host beats the mean",
            extra={"unit": "probability"},
        ),
    ] = 0.9
    new_share_max: Annotated[
        float,
        Meta(ge=0, le=1, description="What new hosts get together at most", extra={"unit": "share of impressions"}),
    ] = 0.1
    fresh_quota: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Which part of the candidates retrieval keeps for new hosts",
            extra={"unit": "share of candidates"},
        ),
    ] = 0.1

    utility_loss_max: Annotated[
        float,
        Meta(ge=0, le=1, description="What a request may lose of its utility (ε)", extra={"unit": "share of utility"}),
    ] = 0.4
    retries_max: Annotated[
        int,
        Meta(
            ge=0,
            le=10,
            description="How often prices are halved before a request goes without",
            extra={"unit": "times"},
        ),
    ] = 3

    refresh_s: Annotated[
        float, Meta(gt=0, le=3600, description="How often prices are made", extra={"unit": "seconds"})
    ] = 60.0
    freeze_staleness: Annotated[
        float,
        Meta(
            gt=0,
            le=1,
            description="When counts are older than this, floor and stage prices stay as they are",
            extra={"unit": "share of the shortest guarantee"},
        ),
    ] = 0.02

    def __post_init__(self) -> None:
        check(self, SETTINGS)
        if any(a >= b for a, b in zip((0, *self.stage_impressions), self.stage_impressions, strict=False)):
            raise Invalid("stage_impressions must rise from above 0 (impressions)")

    @property
    def guarantee_s(self) -> float:
        """The shortest time in which something is promised, in seconds."""
        return min(self.floor_window_s, self.stage_pace_s)


def policy_of(values: Mapping[str, Any]) -> TrafficPolicy:
    """The policy with these settings, the others at their defaults. Raises Invalid for a wrong name or value."""
    known = {setting.name for setting in SETTINGS}
    for name in values:
        if name not in known:
            raise Invalid(f"{name} is not a setting of the traffic policy")
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    return TrafficPolicy(**given)


SETTINGS = settings_of(TrafficPolicy)
"""Every setting of the policy, in its order."""
