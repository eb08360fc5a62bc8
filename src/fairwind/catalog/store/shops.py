"""The SQL of shops and categories."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import LiteralString
from uuid import UUID

from fairwind.catalog.shop import Category, CategoryPath, Channel, Opening, Shop, ShopState
from fairwind.kernel import CategoryId, Query, Row, ShopId, Transaction, int_array, next_ids, text_array


async def opening(tx: Transaction, id: UUID) -> Opening | None:  # noqa: A002
    row = await tx.row("SELECT id, person_id, name, channel, shop_id FROM catalog.opening WHERE id = %s", (id,))
    return row and Opening(row.id, row.person_id, row.name, Channel(row.channel), row.shop_id)


async def insert_opening(tx: Transaction, opening: Opening) -> None:
    await tx.execute(
        "INSERT INTO catalog.opening (id, person_id, name, channel, shop_id) VALUES (%s, %s, %s, %s, %s)",
        (opening.id, opening.person_id, opening.name, opening.channel, opening.shop_id),
    )


_SHOP: LiteralString = "SELECT shop_id, name, channel, state, opened_on, created_at FROM catalog.shop "


def _read_shop(row: Row) -> Shop:
    return Shop(row.shop_id, row.name, Channel(row.channel), ShopState(row.state), row.opened_on, row.created_at)


async def insert_shop(
    tx: Transaction, shop_id: ShopId, name: str, channel: Channel, opened_on: date, now: datetime
) -> None:
    await tx.execute(
        "INSERT INTO catalog.shop (shop_id, name, channel, opened_on, created_at) VALUES (%s, %s, %s, %s, %s)",
        (shop_id, name, channel, opened_on, now),
    )


async def shop(tx: Transaction, shop_id: ShopId) -> Shop | None:
    row = await tx.row(_SHOP + "WHERE shop_id = %s", (shop_id,))
    return row and _read_shop(row)


def shops(shop_ids: Collection[ShopId]) -> Query[dict[ShopId, Shop]]:
    """Shops by id, for contexts that speak of many; one that does not exist is absent."""
    return Query(
        _SHOP + "WHERE shop_id = ANY (%s::bigint[])",
        (int_array(shop_ids),),
        lambda rows: {row.shop_id: _read_shop(row) for row in rows},
    )


async def open_shops(tx: Transaction, after: ShopId, limit: int) -> list[Shop]:
    """Open shops by id, after `after`."""
    rows = await tx.rows(
        _SHOP + "WHERE state = 'open' AND shop_id > %s ORDER BY shop_id LIMIT %s",
        (after, limit),
    )
    return [_read_shop(row) for row in rows]


async def update_shop(tx: Transaction, shop_id: ShopId, name: str | None, state: ShopState | None) -> None:
    """Set what is not None."""
    await tx.execute(
        "UPDATE catalog.shop SET name = coalesce(%s, name), state = coalesce(%s, state) WHERE shop_id = %s",
        (name, state, shop_id),
    )


async def categories(tx: Transaction, after: CategoryId, limit: int) -> list[Category]:
    """Categories by id, after `after`."""
    rows = await tx.rows(
        "SELECT id, name, parent_id FROM catalog.category WHERE id > %s ORDER BY id LIMIT %s", (after, limit)
    )
    return [Category(*row) for row in rows]


async def category_by_id(tx: Transaction, category_id: CategoryId) -> Category | None:
    row = await tx.row("SELECT id, name, parent_id FROM catalog.category WHERE id = %s", (category_id,))
    return row and Category(*row)


async def known_categories(tx: Transaction, ids: Collection[CategoryId]) -> set[CategoryId]:
    """Those of ids that exist."""
    rows = await tx.rows("SELECT id FROM catalog.category WHERE id = ANY (%s::bigint[])", (int_array(ids),))
    return {row.id for row in rows}


async def category(tx: Transaction, parent_id: CategoryId | None, name: str) -> Category | None:
    row = await tx.row(
        "SELECT id, name, parent_id FROM catalog.category WHERE name = %s AND parent_id IS NOT DISTINCT FROM %s",
        (name, parent_id),
    )
    return row and Category(*row)


async def insert_categories(tx: Transaction, names: Sequence[tuple[CategoryId | None, str]]) -> None:
    """Add categories, each under a parent or at the top, unless they are there."""
    if not names:
        return
    await tx.execute(
        """
        INSERT INTO catalog.category (id, depth, parent_id, name)
        SELECT id, CASE WHEN parent_id IS NULL THEN 1 ELSE 2 END, parent_id, name
        FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS given (id, parent_id, name)
        ORDER BY parent_id, name
        ON CONFLICT (parent_id, name) DO NOTHING
        """,
        (
            int_array(await next_ids(tx, len(names))),
            text_array(parent_id for parent_id, _ in names),
            text_array(name for _, name in names),
        ),
    )


async def categories_by_path(tx: Transaction, paths: Collection[CategoryPath]) -> dict[CategoryPath, CategoryId]:
    """The categories with these names; one that does not exist is absent."""
    if not paths:
        return {}
    rows = await tx.rows(
        """
        SELECT path.parent, path.name, category.id
        FROM unnest(%s::text[], %s::text[]) AS path (parent, name)
        LEFT JOIN catalog.category AS top ON top.parent_id IS NULL AND top.name = path.parent
        JOIN catalog.category ON category.name = path.name AND category.parent_id IS NOT DISTINCT FROM top.id
        WHERE (path.parent = '') = (top.id IS NULL)
        """,
        (text_array(path.parent for path in paths), text_array(path.name for path in paths)),
    )
    return {CategoryPath(row.parent, row.name): row.id for row in rows}
