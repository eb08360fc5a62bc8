"""The SQL of what applies to a shop at a moment."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import LiteralString

import msgspec

from fairwind.catalog import Channel
from fairwind.kernel import CategoryId, Query, Row, ShopId, day_in_china, int_array
from fairwind.policy.fees import FeeRule
from fairwind.policy.programme import Programme, supports
from fairwind.policy.terms import ShopTerms


class _Window(msgspec.Struct, frozen=True):
    """The after-sales window in force for a category."""

    category_id: CategoryId
    window_s: int | None


class _Enrolled(msgspec.Struct, frozen=True):
    """A programme that a shop has earned, and for how long."""

    programme_id: int
    ends_at: datetime


# In force is the highest version that has begun.
RULES_IN_FORCE: LiteralString = """
SELECT id, version, channel, category_id, age_from_days, age_until_days, rate_ppm FROM policy.fee_rule
WHERE version = (SELECT max(version) FROM policy.schedule WHERE starts_at <= %(now)s)
"""
PROGRAMME: LiteralString = """
SELECT id, code, version, name_en, name_zh, rate_ppm, channels, categories, conditions, starts_at, ends_at, published_at
FROM policy.programme
"""
PROGRAMMES_IN_FORCE: LiteralString = (
    PROGRAMME + "WHERE starts_at <= %(now)s AND (ends_at IS NULL OR ends_at > %(now)s) "
)
# One statement for a whole batch of orders, and JSON, because it answers four kinds of rows. The catalog's table is
# read here rather than asked for, since the rules depend on what it says.
_TERMS: LiteralString = f"""
SELECT channel, opened_on,
    (SELECT json_agg(rule) FROM ({RULES_IN_FORCE} AND channel = shop.channel) AS rule)::text AS rules,
    (SELECT json_agg(programme) FROM ({PROGRAMMES_IN_FORCE} AND channels @> ARRAY[shop.channel]) AS programme)::text
        AS programmes,
    (SELECT json_agg(enrolled) FROM (
        SELECT programme_id, ends_at FROM policy.enrolment
        WHERE shop_id = %(shop_id)s AND starts_at <= %(now)s AND ends_at > %(now)s) AS enrolled)::text AS enrolments,
    (SELECT json_agg(category) FROM (
        SELECT DISTINCT ON (category_id) category_id, window_s FROM policy.after_sales_window
        WHERE starts_at <= %(now)s ORDER BY category_id, version DESC) AS category)::text AS windows
FROM catalog.shop WHERE shop_id = %(shop_id)s
"""  # noqa: S608

_STORED: LiteralString = f"""
SELECT id, row_to_json(rule)::text AS rule, NULL AS programme
FROM (
    SELECT rule.id, version, channel, category_id, age_from_days, age_until_days, rate_ppm, category.name AS category
    FROM policy.fee_rule AS rule LEFT JOIN catalog.category ON category.id = category_id
) AS rule WHERE id = ANY (%(ids)s::bigint[])
UNION ALL
SELECT id, NULL, row_to_json(programme)::text FROM ({PROGRAMME}) AS programme WHERE id = ANY (%(ids)s::bigint[])
"""  # noqa: S608

_rules = msgspec.json.Decoder(list[FeeRule]).decode
_programmes = msgspec.json.Decoder(list[Programme]).decode
_enrolments = msgspec.json.Decoder(list[_Enrolled]).decode
_windows = msgspec.json.Decoder(list[_Window]).decode

_rule = msgspec.json.Decoder(FeeRule).decode
_programme = msgspec.json.Decoder(Programme).decode

NOWHERE = ShopTerms(Channel.OWN, 0, (), (), {})
"""The terms of a shop that does not exist, and whose orders are refused for that."""


def shop_terms(shop_id: ShopId, now: datetime) -> Query[ShopTerms]:
    """What applies to a shop at a moment, in one statement; to one that does not exist, nothing."""

    def read(rows: list[Row]) -> ShopTerms:
        return _terms(rows[0], now) if rows else NOWHERE

    return Query(_TERMS, {"shop_id": shop_id, "now": now}, read)


def _terms(row: Row, now: datetime) -> ShopTerms:
    channel = Channel(row.channel)
    enrolled_until = {each.programme_id: each.ends_at for each in _enrolments(row.enrolments or "[]")}
    return ShopTerms(
        channel,
        max(0, (day_in_china(now) - row.opened_on).days),
        _rules(row.rules or "[]"),
        supports(_programmes(row.programmes or "[]"), channel, row.opened_on, enrolled_until, now),
        {window.category_id: window.window_s for window in _windows(row.windows or "[]")},
    )


def stored_rules(ids: Collection[int]) -> Query[dict[int, FeeRule | Programme]]:
    """What fees that were frozen go by, by the id of the rule: `reason_of` has the words. NO_FEE's 0 is absent."""
    return Query(
        _STORED,
        {"ids": int_array(ids)},
        lambda rows: {row.id: _rule(row.rule) if row.programme is None else _programme(row.programme) for row in rows},
    )
