"""The SQL of requests that were kept with everything that could have been shown."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fairwind.kernel import Query, Row, bytes_array, int_array, statement, time_array, uuid_array
from fairwind.traffic.sample import Sampled


def samples_kept(samples: Sequence[Sampled]) -> Query[None]:
    return statement(
        """
        INSERT INTO traffic.sampled_feed (feed_id, served_at, policy_version, price_version, body)
        SELECT * FROM unnest(%s::uuid[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::bytea[])
        """,
        (
            uuid_array(each.feed_id for each in samples),
            time_array(each.served_at for each in samples),
            int_array(each.policy_version for each in samples),
            int_array(each.price_version for each in samples),
            bytes_array(each.body for each in samples),
        ),
    )


def samples_since(since: datetime, limit: int) -> Query[list[Row]]:
    """At most limit of the requests served since then, any of them alike: body, and which of their slots were clicked.

    The latest first.
    """
    return Query(
        """
        SELECT body,
               ARRAY(SELECT slot FROM traffic.exposure WHERE exposure.feed_id = kept.feed_id AND clicked) AS clicked
        FROM (SELECT * FROM traffic.sampled_feed WHERE served_at >= %s ORDER BY md5(feed_id::text) LIMIT %s) AS kept
        ORDER BY served_at DESC
        """,
        (since, limit),
        lambda rows: rows,
    )


def samples_forgotten(before: datetime, limit: int) -> Query[int]:
    """Drop old ones, at most limit of them; answers how many."""
    return Query(
        """
        WITH gone AS (DELETE FROM traffic.sampled_feed WHERE feed_id IN (
            SELECT feed_id FROM traffic.sampled_feed WHERE served_at < %s ORDER BY served_at LIMIT %s) RETURNING 1)
        SELECT count(*) AS gone FROM gone
        """,
        (before, limit),
        lambda rows: int(rows[0].gone),
    )
