"""What the catalog asks of the inventory, which is a layer above it and puts itself in its place. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from fairwind.kernel import ShopId, SkuId, Transaction

Stocking = Callable[[Transaction, ShopId, Sequence[tuple[SkuId, int]], datetime], Awaitable[None]]
"""Opens the stock of new SKUs with their first quantities, in the transaction that adds them."""
Counting = Callable[[Transaction, ShopId, Collection[SkuId]], Awaitable[Mapping[SkuId, int]]]
"""How many of each SKU can be had."""


class Stockroom(NamedTuple):
    """Stock for new SKUs, and the count of what there is. None: nobody keeps stock."""

    add: Stocking | None = None
    available: Counting | None = None
