"""The SQL of the traffic policy's versions."""

from __future__ import annotations

from typing import LiteralString
from uuid import UUID

import msgspec

from fairwind.kernel import Query, Row, statement
from fairwind.traffic.publishing import Published

_POLICY: LiteralString = """
SELECT version, request_id, settings::text AS settings, note, published_by, published_at FROM traffic.policy
"""


def _published(row: Row) -> Published:
    return Published(row.version, row.request_id, msgspec.json.decode(row.settings), *row[3:])


def policy_in_force() -> Query[Published]:
    return Query(_POLICY + "ORDER BY version DESC LIMIT 1", (), lambda rows: _published(rows[0]))


def policy_version(version: int) -> Query[Published | None]:
    return Query(_POLICY + "WHERE version = %s", (version,), lambda rows: _published(rows[0]) if rows else None)


def policy_of_request(request_id: UUID) -> Query[Published | None]:
    """The version that a request published."""
    return Query(_POLICY + "WHERE request_id = %s", (request_id,), lambda rows: _published(rows[0]) if rows else None)


def policies(before: int, limit: int) -> Query[list[Published]]:
    """Versions below `before`, the latest first."""
    return Query(
        _POLICY + "WHERE version < %s ORDER BY version DESC LIMIT %s",
        (before, limit),
        lambda rows: list(map(_published, rows)),
    )


def policy_added(published: Published) -> Query[None]:
    return statement(
        """
        INSERT INTO traffic.policy (version, request_id, settings, note, published_by, published_at)
        VALUES (%s, %s, %s::jsonb, %s, %s, %s)
        """,
        (
            published.version,
            published.request_id,
            msgspec.json.encode(published.settings).decode(),
            published.note,
            published.published_by,
            published.published_at,
        ),
    )
