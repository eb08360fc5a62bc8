"""The SQL of who makes prices, from what, and of the prices themselves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
import numpy as np

from fairwind.kernel import Query, Row, int_array, statement, text_array, time_array, uuid_array
from fairwind.traffic.counts import Count, Delta
from fairwind.traffic.leader import StageEnd

COLUMNS = len(Count)


class Sent(NamedTuple):
    """A delta as a server left it."""

    id: UUID
    made_at: datetime
    counts: Delta


class Priced(NamedTuple):
    """Prices as they are kept. term: of the leader who made them."""

    version: int
    term: int
    made_at: datetime
    body: bytes


def leadership(holder: UUID, lease_s: float) -> Query[int | None]:
    """Take or keep the lead for lease_s seconds by the database's clock; the term, or None while another has it."""
    return Query(
        """
        UPDATE traffic.leader SET term = term + (holder IS DISTINCT FROM %(me)s)::int, holder = %(me)s,
                                  until = clock_timestamp() + make_interval(secs => %(lease_s)s)
        WHERE holder = %(me)s OR until < clock_timestamp()
        RETURNING term
        """,
        {"me": holder, "lease_s": lease_s},
        lambda rows: rows[0].term if rows else None,
    )


def leads(holder: UUID, term: int) -> Query[bool]:
    """Whether the holder still leads in this term; nobody takes over before the transaction ends."""
    return Query(
        """
        SELECT holder = %s AND term = %s AND until > clock_timestamp() AS leads FROM traffic.leader FOR UPDATE
        """,
        (holder, term),
        lambda rows: bool(rows[0].leads),
    )


def leadership_over(holder: UUID) -> Query[None]:
    """Let another take the lead at once."""
    return statement("UPDATE traffic.leader SET until = clock_timestamp() WHERE holder = %s", (holder,))


def delta_sent(sent: Sent) -> Query[None]:
    """Leave counts for the leader."""
    return statement(
        "INSERT INTO traffic.delta (id, made_at, host_nos, counts) VALUES (%s, %s, %s, %s)",
        (sent.id, sent.made_at, int_array(sent.counts.hosts.tolist()), int_array(sent.counts.counts.ravel().tolist())),
    )


def deltas(known: Collection[UUID], limit: int) -> Query[list[Sent]]:
    """The counts that wait, but for those known, the oldest first, at most limit of them."""
    return Query(
        """
        SELECT id, made_at, host_nos, counts FROM traffic.delta WHERE id <> ALL (%s::uuid[])
        ORDER BY made_at, id LIMIT %s
        """,
        (uuid_array(known), limit),
        lambda rows: [Sent(row.id, row.made_at, _delta(row)) for row in rows],
    )


def _delta(row: Row) -> Delta:
    counts = np.array(row.counts, np.int64).reshape(len(row.host_nos), COLUMNS)
    return Delta(np.array(row.host_nos, np.int32), counts)


def deltas_merged(ids: Collection[UUID]) -> Query[None]:
    """Drop counts that are in the saved state."""
    return statement("DELETE FROM traffic.delta WHERE id = ANY (%s::uuid[])", (uuid_array(ids),))


def saved_state() -> Query[tuple[datetime, bytes] | None]:
    """What the leader knew last, and when it saved it."""
    return Query(
        "SELECT saved_at, body FROM traffic.state",
        (),
        lambda rows: (rows[0].saved_at, bytes(rows[0].body)) if rows else None,
    )


def state_saved(body: bytes, now: datetime) -> Query[None]:
    return statement(
        """
        INSERT INTO traffic.state (saved_at, body) VALUES (%s, %s)
        ON CONFLICT (one) DO UPDATE SET saved_at = excluded.saved_at, body = excluded.body
        """,
        (now, body),
    )


def prices_after(version: int, term: int) -> Query[Priced | None]:
    """The prices that all serve by, when they are not those of this version and term."""
    return Query(
        "SELECT version, term, made_at, body FROM traffic.price WHERE (version, term) <> (%s, %s)",
        (version, term),
        lambda rows: Priced(*rows[0]) if rows else None,
    )


def prices_published(priced: Priced) -> Query[None]:
    """Have everybody serve by these prices."""
    return statement(
        """
        INSERT INTO traffic.price (version, term, made_at, body) VALUES (%s, %s, %s, %s)
        ON CONFLICT (one) DO UPDATE SET version = excluded.version, term = excluded.term, made_at = excluded.made_at,
                                        body = excluded.body
        """,
        priced,
    )


def stages_ended(ended: Sequence[StageEnd], now: datetime) -> Query[None]:
    """Write down how hosts came through their stages."""
    return statement(
        """
        INSERT INTO traffic.stage_end (host_no, ended_at, stage, decision)
        SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::text[], %s::jsonb[])
        ON CONFLICT (host_no, stage) DO NOTHING
        """,
        (
            int_array(each.host for each in ended),
            time_array([now] * len(ended)),
            text_array(each.decision.stage for each in ended),
            text_array(msgspec.json.encode(each.decision).decode() for each in ended),
        ),
    )
