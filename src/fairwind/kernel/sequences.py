"""Bigint ids from one sequence, taken by the application a block at a time."""

from __future__ import annotations

from fairwind.kernel.database import Transaction


async def next_ids(tx: Transaction, count: int) -> list[int]:
    """count new ids, unique over the whole platform; gaps and order mean nothing."""
    if count == 0:
        return []
    rows = await tx.rows("SELECT nextval('kernel.id') AS id FROM generate_series(1, %s)", (count,))
    return [row.id for row in rows]
