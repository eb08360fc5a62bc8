"""The SQL of hosts, of what they show now, and of who is kept out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

from fairwind.kernel import (
    Fen,
    PersonId,
    ProductId,
    Query,
    Row,
    ShopId,
    Transaction,
    int_array,
    text_array,
    time_array,
    uuid_array,
)
from fairwind.traffic.host import Host, HostKind, Newcomer, Subject, Suspension


class LiveNow(NamedTuple):
    """A live session: whose, and the category of what is pinned first; None when nothing with a category is."""

    session_id: UUID
    host_id: PersonId
    room_since: datetime
    category_id: int | None


class OnShelf(NamedTuple):
    """A product that can be bought, and since when its shop has been there."""

    shop_id: int
    product_id: int
    shop_since: datetime
    category_id: int | None


def live_now() -> Query[list[LiveNow]]:
    """What is live, oldest first."""
    return Query(
        """
        SELECT live.id, live.host_id, room.created_at,
               (SELECT product.category_id FROM content.pin
                JOIN catalog.product ON product.shop_id = pin.shop_id AND product.id = pin.product_id
                WHERE pin.session_id = live.id AND unpinned_at IS NULL AND product.category_id IS NOT NULL
                ORDER BY pin.position, pin.pinned_at LIMIT 1)
        FROM content.live_session AS live JOIN content.room ON room.id = live.room_id
        WHERE live.state = 'live' ORDER BY live.started_at, live.id
        """,
        (),
        lambda rows: [LiveNow(*row) for row in rows],
    )


def on_shelf(limit: int) -> Query[list[OnShelf]]:
    """What can be bought, the best sold first, at most limit of it."""
    return Query(
        """
        SELECT product.shop_id, product.id, shop.created_at, product.category_id
        FROM catalog.product JOIN catalog.shop USING (shop_id)
        WHERE on_shelf AND price_fen IS NOT NULL AND shop.state = 'open'
        ORDER BY sold DESC, product.shop_id DESC, product.id DESC LIMIT %s
        """,
        (limit,),
        lambda rows: [OnShelf(*row) for row in rows],
    )


def hosts() -> Query[list[Host]]:
    """All hosts, by their number."""
    return Query(
        "SELECT no, kind, subject_id, entered_at FROM traffic.host ORDER BY no", (), lambda rows: list(map(_host, rows))
    )


def host_of(subject: Subject) -> Query[Host | None]:
    return Query(
        "SELECT no, kind, subject_id, entered_at FROM traffic.host WHERE kind = %s AND subject_id = %s",
        (subject.kind.value, subject.id),
        lambda rows: _host(rows[0]) if rows else None,
    )


def numbers_of(subjects: Collection[Subject]) -> Query[dict[Subject, int]]:
    """The numbers of those of these that are hosts."""
    return Query(
        """
        SELECT no, kind, subject_id FROM traffic.host
        JOIN unnest(%s::text[], %s::bigint[]) AS wanted (kind, subject_id) USING (kind, subject_id)
        """,
        (text_array(each.kind for each in subjects), int_array(each.id for each in subjects)),
        lambda rows: {Subject(HostKind(row.kind), row.subject_id): row.no for row in rows},
    )


def _host(row: Row) -> Host:
    return Host(row.no, HostKind(row.kind), row.subject_id, row.entered_at)


async def add_hosts(tx: Transaction, newcomers: Sequence[Newcomer]) -> None:
    """Give the next numbers to those who have none. One at a time: numbers have no gaps."""
    await tx.execute("LOCK TABLE traffic.host IN SHARE ROW EXCLUSIVE MODE")
    await tx.execute(
        """
        INSERT INTO traffic.host (no, kind, subject_id, entered_at)
        SELECT (SELECT coalesce(max(no) + 1, 0) FROM traffic.host)
                   + row_number() OVER (ORDER BY at, kind, subject_id) - 1,
               kind, subject_id, at
        FROM unnest(%s::text[], %s::bigint[], %s::timestamptz[]) AS new (kind, subject_id, at)
        WHERE NOT EXISTS (SELECT FROM traffic.host AS there WHERE there.kind = new.kind
                          AND there.subject_id = new.subject_id)
        """,
        (
            text_array(each.subject.kind for each in newcomers),
            int_array(each.subject.id for each in newcomers),
            time_array(each.entered_at for each in newcomers),
        ),
    )


# Keeping out.

_SUSPENSION: LiteralString = """
SELECT suspension.id, kind, subject_id, reason, suspended_by, suspended_at, until, lifted_by, lifted_at
FROM traffic.suspension JOIN traffic.host ON host.no = suspension.host_no
"""


def _suspension(row: Row) -> Suspension:
    return Suspension(row.id, HostKind(row.kind), *row[2:])


def suspended(now: datetime) -> Query[set[int]]:
    """The numbers of the hosts that are kept out now."""
    return Query(
        "SELECT host_no FROM traffic.suspension WHERE lifted_at IS NULL AND (until IS NULL OR until > %s)",
        (now,),
        lambda rows: {row.host_no for row in rows},
    )


def suspensions_of(host_no: int) -> Query[list[Suspension]]:
    """All suspensions of a host, the latest first."""
    return Query(
        _SUSPENSION + "WHERE host_no = %s ORDER BY suspended_at DESC, id DESC",
        (host_no,),
        lambda rows: list(map(_suspension, rows)),
    )


def suspension_locked(id: UUID) -> Query[Suspension | None]:  # noqa: A002
    return Query(
        _SUSPENSION + "WHERE suspension.id = %s FOR UPDATE OF suspension",
        (id,),
        lambda rows: _suspension(rows[0]) if rows else None,
    )


def host_locked(host_no: int) -> Query[None]:
    """Let nobody else suspend the host until the transaction ends."""
    return Query("SELECT FROM traffic.host WHERE no = %s FOR UPDATE", (host_no,), lambda _: None)


def suspension_saved(suspension: Suspension, host_no: int) -> Query[None]:
    return Query(
        """
        INSERT INTO traffic.suspension
            (id, host_no, reason, suspended_by, suspended_at, until, lifted_by, lifted_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (id) DO UPDATE SET lifted_by = excluded.lifted_by, lifted_at = excluded.lifted_at
        """,
        (
            suspension.id,
            host_no,
            suspension.reason,
            suspension.suspended_by,
            suspension.suspended_at,
            suspension.until,
            suspension.lifted_by,
            suspension.lifted_at,
        ),
        lambda _: None,
    )


# What is shown, as it stands at this moment.


_KEPT_OUT: LiteralString = """
WITH kept_out AS (
    SELECT kind, subject_id FROM traffic.suspension JOIN traffic.host ON no = host_no
    WHERE lifted_at IS NULL AND (until IS NULL OR until > %(now)s))
"""


class LiveCard(NamedTuple):
    """A live session as the feed shows it."""

    session_id: UUID
    room_id: int
    host_id: PersonId
    host_name: str
    title: str
    started_at: datetime


class ProductCard(NamedTuple):
    """A product as the feed shows it."""

    shop_id: ShopId
    product_id: ProductId
    shop_name: str
    title: str
    brief: str
    price_fen: Fen


def live_cards(session_ids: Collection[UUID], now: datetime) -> Query[dict[UUID, LiveCard]]:
    """Those of these sessions that are live now, and whose host is not kept out."""
    return Query(
        _KEPT_OUT  # noqa: S608
        + """
        SELECT live.id, room_id, host_id, person.name, title, started_at
        FROM content.live_session AS live JOIN identity.person ON person.id = host_id
        WHERE live.id = ANY (%(ids)s::uuid[]) AND state = 'live'
          AND NOT EXISTS (SELECT FROM kept_out WHERE kind = 'creator' AND subject_id = host_id)
        """,
        {"ids": uuid_array(session_ids), "now": now},
        lambda rows: {row[0]: LiveCard(*row) for row in rows},
    )


def product_cards(keys: Collection[tuple[int, int]], now: datetime) -> Query[dict[tuple[int, int], ProductCard]]:
    """Those of these products that can be bought now, and whose shop is not kept out."""
    return Query(
        _KEPT_OUT  # noqa: S608
        + """
        SELECT product.shop_id, product.id, shop.name, title, brief, price_fen
        FROM unnest(%(shops)s::bigint[], %(products)s::bigint[]) AS wanted (shop_id, id)
        JOIN catalog.product USING (shop_id, id) JOIN catalog.shop USING (shop_id)
        WHERE on_shelf AND price_fen IS NOT NULL AND shop.state = 'open'
          AND NOT EXISTS (SELECT FROM kept_out WHERE kind = 'shop' AND subject_id = product.shop_id)
        """,
        {
            "shops": int_array(shop_id for shop_id, _ in keys),
            "products": int_array(product_id for _, product_id in keys),
            "now": now,
        },
        lambda rows: {(row[0], row[1]): ProductCard(*row) for row in rows},
    )
