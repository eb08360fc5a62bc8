"""Quotes: what the platform asks of an amount, and why, in words. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from fairwind.kernel import CategoryId, Fen, Ppm, portion
from fairwind.policy.fees import FeeRule
from fairwind.policy.programme import Programme, Support
from fairwind.policy.reason import NO_RULE, reason_of
from fairwind.policy.terms import ShopTerms


class Place(NamedTuple):
    """Where goods stand in the tree of categories: a category and its parent, with their names."""

    category_id: CategoryId | None
    name: str
    parent_id: CategoryId | None
    parent_name: str


NO_PLACE = Place(None, "", None, "")
"""Where goods without a category stand."""


class Quote(msgspec.Struct, frozen=True):
    """What the platform asks of an amount at a time, rounded down, and why.

    until: when the right to a support programme ends, as far as that is known; null when no programme decides.
    """

    at: datetime
    amount_fen: Fen
    rate_ppm: Ppm
    fee_fen: Fen
    rule_id: int
    reason_en: str
    reason_zh: str
    until: datetime | None


def quote(terms: ShopTerms, amount_fen: Fen, place: Place, at: datetime) -> Quote:
    """What a shop with these terms would pay for goods of a category that were placed at `at`."""
    fee = terms.fee(place.category_id, place.parent_id)
    rule, until = _deciding(terms, place)
    reason = NO_RULE if rule is None else reason_of(rule, until)
    return Quote(
        at=at,
        amount_fen=amount_fen,
        rate_ppm=fee.rate_ppm,
        fee_fen=portion(amount_fen, fee.rate_ppm),
        rule_id=fee.rule_id,
        reason_en=reason.en,
        reason_zh=reason.zh,
        until=until,
    )


def _deciding(terms: ShopTerms, place: Place) -> tuple[FeeRule | Programme | None, datetime | None]:
    match terms.deciding(place.category_id, place.parent_id):
        case Support(programme, until):
            return programme, until
        case FeeRule() as rule:
            names = {place.category_id: place.name, place.parent_id: place.parent_name}
            return replace(rule, category=names.get(rule.category_id)), None
        case None:
            return None, None
