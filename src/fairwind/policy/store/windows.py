"""The SQL of categories' after-sales windows."""

from __future__ import annotations

from datetime import datetime
from typing import LiteralString

from fairwind.kernel import CategoryId, PersonId, Query, Transaction
from fairwind.policy.window import Window

_WINDOW: LiteralString = "SELECT category_id, version, window_s, starts_at, set_at FROM policy.after_sales_window "


async def last_window(tx: Transaction, category_id: CategoryId) -> Window | None:
    """What was set last for a category, whether it has begun or not."""
    row = await tx.row(_WINDOW + "WHERE category_id = %s ORDER BY version DESC LIMIT 1", (category_id,))
    return row and Window(*row)


async def insert_window(tx: Transaction, window: Window, person_id: PersonId) -> None:
    """Set a window. Who is later of two that set one at once meets a key that is taken."""
    await tx.execute(
        """
        INSERT INTO policy.after_sales_window (category_id, version, window_s, starts_at, set_by, set_at)
        VALUES (%s, %s, %s, %s, %s, %s)
        """,
        (window.category_id, window.version, window.window_s, window.starts_at, person_id, window.set_at),
    )


def windows_page(now: datetime, after: tuple[CategoryId, int], limit: int) -> Query[list[Window]]:
    """For each category what is in force and what was set since, by category and version after `after`."""
    return Query(
        """
        SELECT category_id, version, window_s, starts_at, set_at FROM policy.after_sales_window
        WHERE version >= (
            SELECT coalesce(max(begun.version), 0) FROM policy.after_sales_window AS begun
            WHERE begun.category_id = after_sales_window.category_id AND begun.starts_at <= %s)
          AND (category_id, version) > (%s, %s)
        ORDER BY category_id, version LIMIT %s
        """,
        (now, *after, limit),
        lambda rows: [Window(*row) for row in rows],
    )
