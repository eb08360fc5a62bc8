"""The leader: adds up what replicas counted, moves new hosts through their stages, and makes prices. Pure.

What each host was promised and has had is kept as running sums, so that a refresh costs the same however long the
window is. Times are in seconds, on any clock that does not go back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairwind.traffic.counts import IMPRESSIONS, MICRO, Count, Counts, Delta, Exposure
from fairwind.traffic.maxmin import Duals
from fairwind.traffic.policy import TrafficPolicy
from fairwind.traffic.prices import Controls, PriceSnapshot, Standing, at_rest, refresh, unpriced
from fairwind.traffic.stages import STAGES, Decision, Stage, decide

Floats = NDArray[np.float64]

_MATURE = STAGES.index(Stage.GRADUATED)


class StageEnd(NamedTuple):
    """What was decided of a host whose stage ended."""

    host: int
    decision: Decision


class Leader:
    """The state behind the prices of G hosts, who begin active and mature. For one thread."""

    def __init__(self, policy: TrafficPolicy, hosts: int, now_s: float = 0.0) -> None:
        self.policy = policy
        self.exposure = Exposure(hosts, policy.decay_half_life_s, now_s)
        self.active = np.ones(hosts, np.bool_)
        """bool[G], who may be shown; the caller's to change. An inactive host has no price and is owed nothing."""
        self.snapshot = unpriced(hosts, now_s)
        self.controls: Controls = at_rest(hosts)
        self._floor_due: Floats = np.zeros(hosts)
        self._floor_shown: Floats = np.zeros(hosts)
        self._window_since_s = now_s
        self._stage = np.full(hosts, _MATURE, np.int8)
        self._stage_since_s: Floats = np.full(hosts, now_s)
        self._at_joining: Counts = np.zeros((hosts, len(Count)), np.int64)
        self._gained: Floats = np.zeros(hosts)

    def join(self, hosts: NDArray[np.integer], now_s: float) -> None:
        """These hosts are new: their first stage begins, and what they had before does not count."""
        self._stage[hosts] = 0
        self._stage_since_s[hosts] = now_s
        self._at_joining[hosts] = self.exposure.counts[hosts]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All that it knows, by name; `restored` goes on from there."""
        exposure, controls = self.exposure, self.controls
        return {
            "counts": exposure.counts,
            "impressions": exposure.impressions,
            "utility": exposure.utility,
            "active": self.active,
            "floor": controls.floor,
            "stage_price": controls.stage,
            **{f"dual_{name}": dual for name, dual in controls.duals._asdict().items()},
            "floor_due": self._floor_due,
            "floor_shown": self._floor_shown,
            "stage": self._stage,
            "stage_since_s": self._stage_since_s,
            "at_joining": self._at_joining,
            "gained": self._gained,
            "scalars": np.array(
                [controls.head, controls.new, exposure.at_s, self._window_since_s, self.snapshot.version], np.float64
            ),
        }

    @classmethod
    def restored(cls, policy: TrafficPolicy, arrays: Mapping[str, NDArray[Any]], hosts: int) -> Leader:
        """The leader whose arrays these are, under a policy that may be another, with hosts that may have become more.

        Those that it did not know are active, mature and without a count.
        """
        head, new, at_s, window_since_s, version = arrays["scalars"].tolist()
        known = len(arrays["active"])
        hosts = max(hosts, known)  # a host keeps its number for ever
        leader = cls(policy, hosts, at_s)
        exposure = leader.exposure
        exposure.counts[:known] = arrays["counts"]
        exposure.impressions[:known] = arrays["impressions"]
        exposure.utility[:known] = arrays["utility"]
        leader.active[:known] = arrays["active"]
        duals = Duals(*(_longer(arrays[f"dual_{name}"], hosts) for name in Duals._fields))
        leader.controls = Controls(
            _longer(arrays["floor"], hosts), _longer(arrays["stage_price"], hosts), duals, head, new
        )
        leader._floor_due[:known] = arrays["floor_due"]
        leader._floor_shown[:known] = arrays["floor_shown"]
        leader._stage[:known] = np.where(arrays["stage"] < len(policy.stage_impressions), arrays["stage"], _MATURE)
        leader._stage_since_s[:known] = arrays["stage_since_s"]
        leader._at_joining[:known] = arrays["at_joining"]
        leader._gained[:known] = arrays["gained"]
        leader._window_since_s = window_since_s
        leader.snapshot = unpriced(hosts, at_s)._replace(version=int(version))
        return leader

    def stage_of(self, host: int) -> Stage:
        """Where a host stands; those that were never new have graduated."""
        return STAGES[int(self._stage[host])]

    def since_joining(self, host: int) -> tuple[int, int]:
        """Impressions and clicks of a host since its first stage began."""
        had = self.exposure.counts[host] - self._at_joining[host]
        return int(had[IMPRESSIONS].sum()), int(had[Count.CLICKS])

    def mature_rate(self) -> float:
        """Clicks for an impression of all mature hosts together."""
        mature = self.exposure.counts[self._stage == _MATURE].sum(axis=0)
        return float(mature[Count.CLICKS] / max(1, mature[IMPRESSIONS].sum()))

    def floor_of(self, host: int) -> tuple[float, float]:
        """Exposure of this window that a host was to have by now, with the margin, and that it had."""
        return float(self._floor_due[host]), float(self._floor_shown[host])

    def add(self, change: Delta, now_s: float) -> None:
        """Count what replicas sent. Every active host is owed its floor of what was given away meanwhile."""
        self.exposure.add(change, now_s)
        if self.policy.exposure_unit == "utility":
            gained = change.counts[:, Count.UTILITY_MICRO] / MICRO
        else:
            gained = change.counts[:, IMPRESSIONS].sum(axis=1).astype(np.float64)
        self._gained[change.hosts] += gained
        self._floor_shown[change.hosts] += gained
        active = np.count_nonzero(self.active)
        if active:
            share = self.policy.floor_share * (1 + self.policy.floor_margin)
            self._floor_due += (share * float(gained.sum()) / active) * self.active

    def refresh(self, now_s: float, counted_until_s: float | None = None) -> tuple[PriceSnapshot, list[StageEnd]]:
        """The next prices, and whose stage ended. counted_until_s: up to when all counts are in; None for now."""
        self.exposure.decay(now_s)
        ended = self._advance(now_s)
        standing = self._standing(now_s, 0.0 if counted_until_s is None else max(0.0, now_s - counted_until_s))
        self.snapshot, self.controls = refresh(self.policy, standing, self.controls, self.snapshot.version + 1, now_s)
        self._gained = np.zeros_like(self._gained)
        if now_s - self._window_since_s >= self.policy.floor_window_s:
            self._turn_window(now_s)
        return self.snapshot, ended

    def _advance(self, now_s: float) -> list[StageEnd]:
        """Decide of those whose stage is full. The mean they are measured by is that of all mature hosts together."""
        new = np.flatnonzero(self._stage != _MATURE)
        had = self.exposure.counts[new] - self._at_joining[new]
        impressions = had[:, IMPRESSIONS].sum(axis=1)
        full = np.flatnonzero(impressions >= np.array(self.policy.stage_impressions)[self._stage[new]])
        if not len(full):
            return []
        rate = self.mature_rate()
        ended = []
        for place in full.tolist():
            host, stage = int(new[place]), STAGES[self._stage[new[place]]]
            decision = decide(self.policy, stage, int(impressions[place]), int(had[place, Count.CLICKS]), rate)
            assert decision is not None, "it has all impressions of its stage"
            self._stage[host] = STAGES.index(decision.after)
            self._stage_since_s[host] = now_s
            ended.append(StageEnd(host, decision))
        return ended

    def _standing(self, now_s: float, staleness_s: float) -> Standing:
        exposure = self.exposure
        staged = self._stage != _MATURE
        stage_due, stage_shown = self._stage_progress(staged, now_s)
        impressions, utility = float(exposure.impressions.sum()), float(exposure.utility.sum())
        return Standing(
            exposure=exposure.utility if self.policy.exposure_unit == "utility" else exposure.impressions,
            gained=self._gained,
            active=self.active,
            staged=staged,
            floor_due=self._floor_due,
            floor_shown=self._floor_shown,
            stage_due=stage_due,
            stage_shown=stage_shown,
            new_share=float(exposure.impressions[staged].sum()) / impressions if impressions > 0 else 0.0,
            utility_mean=utility / impressions if impressions > 0 else 1.0,
            staleness_s=staleness_s,
        )

    def _stage_progress(self, staged: NDArray[np.bool_], now_s: float) -> tuple[Floats, Floats]:
        """Impressions since joining that new hosts are to have by now, on a straight line in each stage, and have."""
        due, shown = np.zeros(len(staged)), np.zeros(len(staged))
        new = np.flatnonzero(staged)
        if len(new):
            bounds = np.array((0, *self.policy.stage_impressions), np.float64)
            before, after = bounds[self._stage[new]], bounds[self._stage[new] + 1]
            passed = np.clip((now_s - self._stage_since_s[new]) / self.policy.stage_pace_s, 0, 1)
            due[new] = before + (after - before) * passed
            shown[new] = (self.exposure.counts[new, IMPRESSIONS] - self._at_joining[new, IMPRESSIONS]).sum(axis=1)
        return due, shown

    def _turn_window(self, now_s: float) -> None:
        """Begin the next window. Who was short is still owed that; who had more keeps no claim against it."""
        self._floor_due = np.maximum(self._floor_due - self._floor_shown, 0)
        self._floor_shown = np.zeros_like(self._floor_shown)
        self._window_since_s = now_s


def _longer(values: Floats, size: int) -> Floats:
    """values with zeros behind them."""
    return np.concatenate((values, np.zeros(size - len(values))))
