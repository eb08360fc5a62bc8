"""The SQL that reads placed lines with the evidence that their attribution was decided from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import LiteralString

import msgspec

from fairwind.alliance import DecidedLine, Evidence
from fairwind.kernel import ShopId, Transaction

_DECIDED: LiteralString = """
FROM orders.line
JOIN orders.shop_order ON shop_order.shop_id = line.shop_id AND shop_order.id = line.order_id
WHERE line.evidence IS NOT NULL
"""
_IN_SHOP: LiteralString = "AND line.shop_id = %(shop_id)s\n"


async def decided_count(tx: Transaction, shop_id: ShopId | None) -> int:
    """How many lines of the shop, or of all shops, have evidence."""
    sql = "SELECT count(*) AS lines " + _DECIDED + ("" if shop_id is None else _IN_SHOP)
    row = await tx.row(sql, {"shop_id": shop_id})
    return int(row.lines) if row else 0


async def decided_lines(tx: Transaction, shop_id: ShopId | None) -> AsyncIterator[DecidedLine]:
    """Those lines, as they were decided when they were placed; in no order, and a few at a time."""
    read = msgspec.json.Decoder(Evidence)
    sql = (
        "SELECT line.shop_id, line.order_id, line.line_no, line.product_id, shop_order.placed_at, shop_order.buyer_id,"
        " line.evidence::text AS evidence, line.attribution, line.earner_id "
        + _DECIDED
        + ("" if shop_id is None else _IN_SHOP)
    )
    async for row in tx.stream(sql, {"shop_id": shop_id}):
        yield DecidedLine(
            row.shop_id,
            row.order_id,
            row.line_no,
            row.product_id,
            row.placed_at,
            row.buyer_id,
            read.decode(row.evidence),
            row.attribution,
            row.earner_id,
        )
