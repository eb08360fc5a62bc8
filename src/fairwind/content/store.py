"""The content's SQL."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

from fairwind.content.session import LiveSession, Pin, Room, RoomId, State
from fairwind.kernel import (
    LiveSessionId,
    PersonId,
    ProductId,
    Query,
    Row,
    ShopId,
    Transaction,
    int_array,
    statement,
    text_array,
    time_array,
    uuid_array,
)
from fairwind.kernel.pages import Before

_ROOM: LiteralString = "SELECT id, host_id, title, created_at FROM content.room "
_SESSION: LiteralString = "SELECT id, room_id, host_id, title, state, started_at, ended_at FROM content.live_session "


def _sessions(rows: list[Row]) -> dict[LiveSessionId, LiveSession]:
    return {row.id: _session(row) for row in rows}


def _session(row: Row) -> LiveSession:
    return LiveSession(row.id, row.room_id, row.host_id, row.title, State(row.state), row.started_at, row.ended_at)


async def save_rooms(
    tx: Transaction, ids: Sequence[RoomId], titles: Mapping[PersonId, str], now: datetime
) -> dict[PersonId, Room]:
    """Give each host their room, or the room they have its new title; ids are for the new ones."""
    hosts = sorted(titles)
    rows = await tx.rows(
        """
        INSERT INTO content.room (id, host_id, title, created_at)
        SELECT id, host_id, title, %s FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS new (id, host_id, title)
        ON CONFLICT (host_id) DO UPDATE SET title = excluded.title
        RETURNING id, host_id, title, created_at
        """,
        (now, int_array(ids), int_array(hosts), text_array(titles[host] for host in hosts)),
    )
    return {row.host_id: Room(*row) for row in rows}


async def room(tx: Transaction, room_id: RoomId) -> Room | None:
    row = await tx.row(_ROOM + "WHERE id = %s", (room_id,))
    return row and Room(*row)


def rooms_locked(host_ids: Collection[PersonId]) -> Query[dict[PersonId, Room]]:
    """The rooms of these hosts, locked in the order of their ids: nothing goes live in them meanwhile."""
    return Query(
        _ROOM + "WHERE host_id = ANY (%s::bigint[]) ORDER BY id FOR UPDATE",
        (int_array(host_ids),),
        lambda rows: {row.host_id: Room(*row) for row in rows},
    )


def live_of(host_ids: Collection[PersonId]) -> Query[dict[RoomId, LiveSessionId]]:
    """What is live in these hosts' rooms."""
    return Query(
        """
        SELECT room_id, id FROM content.live_session
        WHERE state = 'live' AND room_id IN (SELECT id FROM content.room WHERE host_id = ANY (%s::bigint[]))
        """,
        (int_array(host_ids),),
        lambda rows: {row.room_id: row.id for row in rows},
    )


def sessions(ids: Collection[LiveSessionId]) -> Query[dict[LiveSessionId, LiveSession]]:
    return Query(_SESSION + "WHERE id = ANY (%s::uuid[])", (uuid_array(ids),), _sessions)


def sessions_locked(ids: Collection[LiveSessionId]) -> Query[dict[LiveSessionId, LiveSession]]:
    return Query(_SESSION + "WHERE id = ANY (%s::uuid[]) ORDER BY id FOR UPDATE", (uuid_array(ids),), _sessions)


async def live_sessions(tx: Transaction, before: Before, limit: int) -> list[LiveSession]:
    """What is live now, newest first, before `before`."""
    rows = await tx.rows(
        _SESSION
        + """
        WHERE state = 'live' AND (started_at, id) < (%s, %s) ORDER BY started_at DESC, id DESC LIMIT %s
        """,
        (*before, limit),
    )
    return [_session(row) for row in rows]


def sessions_added(added: Collection[LiveSession]) -> Query[None]:
    return statement(
        """
        INSERT INTO content.live_session (id, room_id, host_id, title, state, started_at)
        SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::timestamptz[])
        """,
        (
            uuid_array(session.id for session in added),
            int_array(session.room_id for session in added),
            int_array(session.host_id for session in added),
            text_array(session.title for session in added),
            text_array(session.state for session in added),
            time_array(session.started_at for session in added),
        ),
    )


def sessions_ended(ended: Collection[LiveSession]) -> Query[None]:
    return statement(
        """
        UPDATE content.live_session SET state = 'ended', ended_at = change.ended_at
        FROM unnest(%s::uuid[], %s::timestamptz[]) AS change (id, ended_at)
        WHERE live_session.id = change.id AND state = 'live'
        """,
        (uuid_array(session.id for session in ended), time_array(session.ended_at for session in ended)),
    )


def pins(session_ids: Collection[LiveSessionId]) -> Query[dict[LiveSessionId, list[Pin]]]:
    """What is pinned in these sessions, in the order it is shown."""

    def read(rows: list[Any]) -> dict[LiveSessionId, list[Pin]]:
        by_session: dict[LiveSessionId, list[Pin]] = {session_id: [] for session_id in session_ids}
        for row in rows:
            by_session[row.session_id].append(Pin(*row))
        return by_session

    return Query(
        """
        SELECT session_id, shop_id, product_id, position, note, pinned_at FROM content.pin
        WHERE session_id = ANY (%s::uuid[]) AND unpinned_at IS NULL
        ORDER BY position, pinned_at, shop_id, product_id
        """,
        (uuid_array(session_ids),),
        read,
    )


def pins_saved(saved: Collection[Pin]) -> Query[None]:
    return statement(
        """
        INSERT INTO content.pin (session_id, shop_id, product_id, position, note, pinned_at)
        SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::integer[], %s::text[], %s::timestamptz[])
        ON CONFLICT (session_id, shop_id, product_id) DO UPDATE
        SET position = excluded.position, note = excluded.note, pinned_at = excluded.pinned_at, unpinned_at = NULL
        """,
        (
            *_keys((pin.session_id, pin.shop_id, pin.product_id) for pin in saved),
            int_array(pin.position for pin in saved),
            text_array(pin.note for pin in saved),
            time_array(pin.pinned_at for pin in saved),
        ),
    )


def pins_removed(removed: Collection[tuple[LiveSessionId, ShopId, ProductId]], now: datetime) -> Query[None]:
    return statement(
        """
        UPDATE content.pin SET unpinned_at = greatest(pinned_at, %s)
        FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[]) AS removed (session_id, shop_id, product_id)
        WHERE pin.session_id = removed.session_id AND pin.shop_id = removed.shop_id
          AND pin.product_id = removed.product_id AND unpinned_at IS NULL
        """,
        (now, *_keys(removed)),
    )


def _keys(keys: Iterable[tuple[LiveSessionId, ShopId, ProductId]]) -> tuple[str, str, str]:
    keys = list(keys)
    return (
        uuid_array(session_id for session_id, _, _ in keys),
        int_array(shop_id for _, shop_id, _ in keys),
        int_array(product_id for _, _, product_id in keys),
    )
