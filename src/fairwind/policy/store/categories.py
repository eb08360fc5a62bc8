"""The SQL that looks up the catalog's categories."""

from __future__ import annotations

from collections.abc import Collection

from fairwind.kernel import CategoryId, Query, Row, Transaction, int_array
from fairwind.policy.quote import Place


def place_of(category_id: CategoryId) -> Query[Place | None]:
    """Where goods of a category stand; None when there is no such category."""

    def read(rows: list[Row]) -> Place | None:
        return Place(*rows[0]) if rows else None

    return Query(
        """
        SELECT category.id, category.name, parent.id AS parent_id, coalesce(parent.name, '') AS parent_name
        FROM catalog.category LEFT JOIN catalog.category AS parent ON parent.id = category.parent_id
        WHERE category.id = %s
        """,
        (category_id,),
        read,
    )


async def known_categories(tx: Transaction, ids: Collection[CategoryId]) -> set[CategoryId]:
    """Those of ids that exist."""
    rows = await tx.rows("SELECT id FROM catalog.category WHERE id = ANY (%s::bigint[])", (int_array(ids),))
    return {row.id for row in rows}
