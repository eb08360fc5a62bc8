"""What shops promise and what the platform takes, as plain Python: plans, picks, service fees.

Time is a number of seconds since the story began, which was at eight in the evening in China.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

DAY_S = 86_400
EVENING_S = 20 * 3600
"""How far the first day of a story had gone in China."""
NEW_DAYS = 90
ORDINARY_MAX_PPM = 500_000
ALLIANCE_PPM = 100_000


def day(now: int) -> int:
    """The day in China: 0 is the first of the story."""
    return (now + EVENING_S) // DAY_S


def midnight_after(now: int) -> int:
    return (day(now) + 1) * DAY_S - EVENING_S


@dataclass
class Version:
    """What a plan promises from `since` on; no rate: nothing any more."""

    number: int
    rate: int | None
    published_at: int
    since: int
    superseded_at: int | None = None


@dataclass
class Plan:
    id: int
    versions: list[Version] = field(default_factory=list)

    def at(self, now: int) -> Version:
        """The version in force: versions take effect in the order of their numbers."""
        *_, last = (each for each in self.versions if each.superseded_at is None and each.since <= now)
        return last

    def waiting(self, now: int) -> Version | None:
        return next((each for each in self.versions if each.superseded_at is None and each.since > now), None)


class Fee(NamedTuple):
    ppm: int
    rule: int


class Commission(NamedTuple):
    plan: int
    version: int
    ppm: int


class Promised:
    """The plans of all shops, and which creators show what.

    opened: the day on which each shop opened. owners: creators who have a shop. mcns: the agency of a creator, and its
    split.
    """

    def __init__(self, opened: dict[int, int], owners: set[int], mcns: dict[int, tuple[int, int]]) -> None:
        self.opened = opened
        self.owners = owners
        self.mcns = mcns
        self.plans: dict[tuple[int, int], list[Plan]] = {}
        self.picks: set[tuple[int, int, int]] = set()

    def fee(self, shop: int, now: int) -> Fee:
        """Two percent, and one while the shop is new."""
        return Fee(10_000, 11) if day(now) < self.opened[shop] + NEW_DAYS else Fee(20_000, 1)

    def live(self, shop: int, product: int, now: int) -> Plan | None:
        """The product's plan, unless it has ended."""
        plans = self.plans.get((shop, product), [])
        return plans[-1] if plans and plans[-1].at(now).rate is not None else None

    def publish(self, shop: int, product: int, rate: int | None, new: int, now: int) -> str:
        """A raise counts at once, a cut tomorrow; new: what a plan is called when there is none; no rate: the end."""
        if rate is not None and rate > ORDINARY_MAX_PPM:
            return "rate_too_high"
        plan = self.live(shop, product, now)
        if plan is None and rate is None:
            return "ok"
        if plan is None:
            plan = Plan(new, [Version(1, rate, now, now)])
            self.plans.setdefault((shop, product), []).append(plan)
            return "ok"
        present, waiting = plan.at(now), plan.waiting(now)
        if (waiting or present).rate == rate:
            return "ok"
        if waiting is not None:
            waiting.superseded_at = now
        assert present.rate is not None
        raises = rate is not None and rate >= present.rate
        since = now if raises else midnight_after(now)
        plan.versions.append(Version(len(plan.versions) + 1, rate, now, since))
        return "ok"

    def pick(self, shop: int, product: int, creator: int, now: int) -> str:
        if creator not in self.owners:
            return "shop_needed"
        if (shop, product, creator) not in self.picks and self.live(shop, product, now) is None:
            return "not_in_pool"
        self.picks.add((shop, product, creator))
        return "ok"

    def drop(self, shop: int, product: int, creator: int) -> None:
        self.picks.discard((shop, product, creator))

    def earned(self, shop: int, product: int, creator: int, now: int) -> Commission | str:
        """What who shows the product earns of it, or why nothing."""
        plan = self.live(shop, product, now)
        if plan is None:
            return "no_plan"
        if (shop, product, creator) not in self.picks:
            return "not_picked"
        version = plan.at(now)
        assert version.rate is not None
        return Commission(plan.id, version.number, version.rate)
