"""What applies to a shop at a moment: its service fee and the after-sales window, category by category. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from fairwind.catalog import Channel
from fairwind.kernel import CategoryId
from fairwind.policy.fees import NO_FEE, Fee, FeeRule, base_rule
from fairwind.policy.programme import Support

Seller = Literal["shop", "supplier"]


class ShopTerms:
    """What applies to a shop now; made for a batch of orders, so it remembers what it decided.

    rules: of the schedule in force, the shop's channel only. supports: what the shop has a right to. windows_s: by
    category, None where the platform's setting applies.
    """

    def __init__(
        self,
        channel: Channel,
        age_days: int,
        rules: Sequence[FeeRule],
        supports: Sequence[Support],
        windows_s: Mapping[CategoryId, int | None],
    ) -> None:
        self.seller: Seller = "supplier" if channel is Channel.SUPPLIER else "shop"
        self._age_days = age_days
        self._rules = rules
        self._supports = sorted(supports, key=lambda support: (support.programme.rate_ppm, support.programme.id))
        self._windows_s = windows_s
        self._fees: dict[tuple[CategoryId | None, CategoryId | None], Fee] = {}

    def fee(self, category_id: CategoryId | None, parent_id: CategoryId | None) -> Fee:
        """The fee for goods of a category under parent_id."""
        fee = self._fees.get((category_id, parent_id))
        if fee is None:
            match self.deciding(category_id, parent_id):
                case FeeRule() as rule:
                    fee = Fee(rule.rate_ppm, rule.id)
                case Support(programme):
                    fee = Fee(programme.rate_ppm, programme.id)
                case None:
                    fee = NO_FEE
            self._fees[category_id, parent_id] = fee
        return fee

    def deciding(self, category_id: CategoryId | None, parent_id: CategoryId | None) -> FeeRule | Support | None:
        """What decides the fee: the most specific base rule, unless a support asks for less.

        Of several supports the one with the lowest rate, then the one that was made first. None when no schedule is in
        force.
        """
        rule = base_rule(self._rules, category_id, parent_id, self._age_days)
        if rule is None:
            return None
        for support in self._supports:
            if support.programme.covers(category_id, parent_id):
                return support if support.programme.rate_ppm < rule.rate_ppm else rule
        return rule

    def window_s(self, category_id: CategoryId | None, parent_id: CategoryId | None) -> int | None:
        """How long after receipt goods of the category may come back; None: the platform's setting.

        What is set for the category itself goes before what is set for its parent, in seconds.
        """
        for each in (category_id, parent_id):
            if each is not None and (window_s := self._windows_s.get(each)) is not None:
                return window_s
        return None
