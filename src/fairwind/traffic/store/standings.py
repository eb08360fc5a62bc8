"""The SQL of where hosts stand."""

from __future__ import annotations

from datetime import date

import msgspec

from fairwind.kernel import Query
from fairwind.traffic.stages import Decision
from fairwind.traffic.standing import HostDay, StageEnded


def host_days(host_no: int, before: date, limit: int) -> Query[list[HostDay]]:
    """A host's days before `before`, the latest first."""
    return Query(
        """
        SELECT day, impressions, impressions - by_floor - by_stage - by_welfare AS by_utility, by_floor, by_stage,
               by_welfare, clicks, watch_ms
        FROM traffic.host_day WHERE host_no = %s AND day < %s ORDER BY day DESC LIMIT %s
        """,
        (host_no, before, limit),
        lambda rows: [HostDay(*row) for row in rows],
    )


def stages_ended_of(host_no: int) -> Query[list[StageEnded]]:
    """How a host came through its stages, in their order."""

    def read(rows: list[object]) -> list[StageEnded]:
        found = [(row.ended_at, msgspec.json.decode(row.decision, type=Decision)) for row in rows]  # type: ignore[attr-defined]
        return [StageEnded(ended_at, decision, decision.sentence()) for ended_at, decision in found]

    return Query(
        "SELECT ended_at, decision::text AS decision FROM traffic.stage_end WHERE host_no = %s ORDER BY ended_at",
        (host_no,),
        read,
    )
