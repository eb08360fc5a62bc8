"""The SQL of how traffic was shared."""

from __future__ import annotations

from datetime import date, datetime

from fairwind.kernel import Query
from fairwind.traffic.report import Day
from fairwind.traffic.sample import Candidates, unpacked

SAMPLES_READ = 5000


def logged(since: datetime, until: datetime, day: date) -> Query[list[Day]]:
    """What the exposure log has of the day from since to until, counted anew, with the candidacies of each host."""
    return Query(
        """
        SELECT host_no, coalesce(by_utility, 0) AS by_utility, coalesce(by_floor, 0) AS by_floor,
               coalesce(by_stage, 0) AS by_stage, coalesce(by_welfare, 0) AS by_welfare,
               coalesce(candidacies, 0) AS candidacies
        FROM (SELECT host_no,
                     count(*) FILTER (WHERE why = 0) AS by_utility, count(*) FILTER (WHERE why = 1) AS by_floor,
                     count(*) FILTER (WHERE why = 2) AS by_stage, count(*) FILTER (WHERE why = 3) AS by_welfare
              FROM traffic.exposure WHERE seen_at >= %(since)s AND seen_at < %(until)s GROUP BY host_no) AS seen
        FULL JOIN (SELECT host_no, candidacies FROM traffic.host_day WHERE day = %(day)s) AS could USING (host_no)
        ORDER BY host_no
        """,
        {"since": since, "until": until, "day": day},
        lambda rows: [Day(*row) for row in rows],
    )


def sampled(since: datetime, until: datetime) -> Query[list[Candidates]]:
    """Requests of the time that were kept whole, any of them alike."""
    return Query(
        """
        SELECT body FROM traffic.sampled_feed WHERE served_at >= %s AND served_at < %s
        ORDER BY md5(feed_id::text) LIMIT %s
        """,
        (since, until, SAMPLES_READ),
        lambda rows: [unpacked(bytes(row.body)) for row in rows],
    )


def newcomers(entered_since: datetime, entered_until: datetime, day: date) -> Query[list[int]]:
    """Impressions, by the end of the day, of hosts who entered in this time and could be shown that day."""
    return Query(
        """
        SELECT coalesce(sum(had.impressions), 0)::bigint AS impressions
        FROM traffic.host
        JOIN traffic.host_day AS today ON today.host_no = host.no AND today.day = %(day)s AND today.candidacies > 0
        LEFT JOIN traffic.host_day AS had ON had.host_no = host.no AND had.day <= %(day)s
        WHERE entered_at >= %(since)s AND entered_at < %(until)s GROUP BY host.no
        """,
        {"since": entered_since, "until": entered_until, "day": day},
        lambda rows: [int(row.impressions) for row in rows],
    )


def is_logged(since: datetime, until: datetime) -> Query[bool]:
    """Whether the log has something of the time."""
    return Query(
        "SELECT EXISTS (SELECT FROM traffic.exposure WHERE seen_at >= %s AND seen_at < %s) AS logged",
        (since, until),
        lambda rows: bool(rows[0].logged),
    )


def days_logged() -> Query[list[date]]:
    """The days in China that the log has something of, the latest first."""
    return Query(
        "SELECT DISTINCT (seen_at AT TIME ZONE 'Asia/Shanghai')::date AS day FROM traffic.exposure ORDER BY day DESC",
        (),
        lambda rows: [row.day for row in rows],
    )


def policy_before(until: datetime) -> Query[int]:
    """The version in force at the end of the time."""
    return Query(
        "SELECT max(version) AS version FROM traffic.policy WHERE published_at < %s",
        (until,),
        lambda rows: int(rows[0].version or 1),
    )
