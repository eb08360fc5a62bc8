"""Service fees 技术服务费: rates by channel, category and age of the shop, and which of them decides. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from fairwind.catalog import Channel
from fairwind.kernel import CategoryId, Ppm


class Fee(msgspec.Struct, frozen=True):
    """What the platform asks of a line, and the rule that says so: a base rule or a support programme, never edited."""

    rate_ppm: Ppm
    rule_id: int


NO_FEE = Fee(Ppm(0), 0)
"""What is asked at a time in which no schedule is in force."""


class FeeRule(msgspec.Struct, frozen=True):
    """A base rule of the schedule `version`: what shops of a channel and an age pay for goods of a category.

    category_id: None for goods of any category; category: its name, for words, where that was asked for. The age is in
    days, from age_from_days on and below age_until_days, None for ever.
    """

    id: int
    version: int
    channel: Channel
    category_id: CategoryId | None
    age_from_days: int
    age_until_days: int | None
    rate_ppm: Ppm
    category: str | None = None

    def fits_age(self, age_days: int) -> bool:
        return self.age_from_days <= age_days and (self.age_until_days is None or age_days < self.age_until_days)


def base_rule(
    rules: Iterable[FeeRule], category_id: CategoryId | None, parent_id: CategoryId | None, age_days: int
) -> FeeRule | None:
    """The rule that decides among those of one schedule and one channel.

    A rule for the category goes before one for its parent, and that before one for any; of one category at most one
    fits an age. None only when there are no rules.
    """
    by_category = {rule.category_id: rule for rule in rules if rule.fits_age(age_days)}
    return by_category.get(category_id) or by_category.get(parent_id) or by_category.get(None)
