"""The SQL of fee schedules and their rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from fairwind.catalog import Channel
from fairwind.kernel import PersonId, Query, Row, Transaction, int_array, statement, text_array
from fairwind.policy.fees import FeeRule
from fairwind.policy.schedule import RateDraft, Schedule
from fairwind.policy.store.terms import RULES_IN_FORCE

_SCHEDULE: LiteralString = "SELECT version, starts_at, note, published_at FROM policy.schedule "
_RULE: LiteralString = """
SELECT rule.id, version, channel, category_id, age_from_days, age_until_days, rate_ppm, category.name AS category
FROM policy.fee_rule AS rule LEFT JOIN catalog.category ON category.id = category_id
"""


def _read_rule(row: Row) -> FeeRule:
    return FeeRule(
        row.id,
        row.version,
        Channel(row.channel),
        row.category_id,
        row.age_from_days,
        row.age_until_days,
        row.rate_ppm,
        getattr(row, "category", None),
    )


def _read_schedules(rows: list[Row]) -> list[Schedule]:
    return [Schedule(*row) for row in rows]


def schedules_from(now: datetime) -> Query[list[Schedule]]:
    """The schedule in force and those published later, without their rules."""
    return Query(
        """
        SELECT version, starts_at, note, published_at FROM policy.schedule
        WHERE version >= (SELECT coalesce(max(version), 0) FROM policy.schedule WHERE starts_at <= %(now)s)
        """,
        {"now": now},
        _read_schedules,
    )


def schedules(versions: Collection[int]) -> Query[list[Schedule]]:
    """Schedules by version, without their rules."""
    return Query(_SCHEDULE + "WHERE version = ANY (%s::bigint[])", (int_array(versions),), _read_schedules)


def schedule_asked_for(request_id: UUID) -> Query[list[Schedule]]:
    """The schedule that a request published, without its rules; empty when there is none."""
    return Query(_SCHEDULE + "WHERE request_id = %s", (request_id,), _read_schedules)


def rules_of(versions: Collection[int]) -> Query[dict[int, list[FeeRule]]]:
    """The rules of schedules by version, with the names of their categories."""

    def read(rows: list[Row]) -> dict[int, list[FeeRule]]:
        found: dict[int, list[FeeRule]] = defaultdict(list)
        for row in rows:
            found[row.version].append(_read_rule(row))
        return found

    return Query(
        _RULE
        + """
        WHERE version = ANY (%s::bigint[])
        ORDER BY version, array_position('{own,youzan,mokuai,supplier}'::text[], channel),
                 category_id NULLS FIRST, age_from_days
        """,
        (int_array(versions),),
        read,
    )


def rules_in_force(now: datetime) -> Query[list[FeeRule]]:
    """All rules of the schedule in force."""
    return Query(RULES_IN_FORCE, {"now": now}, lambda rows: [_read_rule(row) for row in rows])


async def next_version(tx: Transaction) -> int:
    """The version of the next schedule. Who is later of two that publish at once meets a key that is taken."""
    row = await tx.row("SELECT coalesce(max(version), 0) + 1 AS version FROM policy.schedule")
    assert row is not None
    return int(row.version)


async def insert_schedule(
    tx: Transaction,
    schedule: Schedule,
    request_id: UUID,
    person_id: PersonId,
    rates: Sequence[tuple[int, RateDraft]],
) -> None:
    """Publish a schedule. rates: each with the id of its rule."""
    await tx.together(
        statement(
            """
            INSERT INTO policy.schedule (version, request_id, starts_at, note, published_by, published_at)
            VALUES (%s, %s, %s, %s, %s, %s)
            """,
            (schedule.version, request_id, schedule.starts_at, schedule.note, person_id, schedule.published_at),
        ),
        statement(
            """
            INSERT INTO policy.fee_rule (id, version, channel, category_id, age_from_days, age_until_days, rate_ppm)
            SELECT id, %s, channel, category_id, age_from_days, age_until_days, rate_ppm
            FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::integer[], %s::integer[], %s::integer[])
                AS rate (id, channel, category_id, age_from_days, age_until_days, rate_ppm)
            """,
            (
                schedule.version,
                int_array(rule_id for rule_id, _ in rates),
                text_array(rate.channel for _, rate in rates),
                text_array(rate.category_id for _, rate in rates),
                int_array(rate.age_from_days for _, rate in rates),
                text_array(rate.age_until_days for _, rate in rates),
                int_array(rate.rate_ppm for _, rate in rates),
            ),
        ),
    )
