"""Counting what is sold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import msgspec

from fairwind.catalog.store.products import add_sold
from fairwind.kernel import Event, ProductId, ShopId, Transaction


class _Line(msgspec.Struct, frozen=True):
    product_id: ProductId
    quantity: int


class _Paid(msgspec.Struct, frozen=True):
    lines: list[_Line]


async def count_sold(tx: Transaction, shop_id: ShopId, events: Sequence[Event], _: datetime) -> None:
    """Raise `sold` by the lines of orders that were paid. What is sent back later stays counted: it was sold."""
    sold: Counter[ProductId] = Counter()
    for event in events:
        for line in event.read(_Paid).lines:
            sold[line.product_id] += line.quantity
    await add_sold(tx, shop_id, sold)
