"""One id type per entity, and UUIDv7 for what clients name themselves.

Bigint ids come from a sequence (see sequences.py) and carry no meaning in their order. A UUIDv7 made by the client is
the idempotency key of what it names.
"""

from __future__ import annotations

import os
from datetime import datetime
from typing import NewType
from uuid import UUID

PersonId = NewType("PersonId", int)
ShopId = NewType("ShopId", int)
CategoryId = NewType("CategoryId", int)
ProductId = NewType("ProductId", int)
SkuId = NewType("SkuId", int)

OrderId = NewType("OrderId", UUID)
PaymentId = NewType("PaymentId", UUID)
RefundId = NewType("RefundId", UUID)
TransferId = NewType("TransferId", UUID)
EventId = NewType("EventId", UUID)
LiveSessionId = NewType("LiveSessionId", UUID)


def uuid7(now: datetime) -> UUID:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds, then randomness."""
    milliseconds = int(now.timestamp() * 1000)
    noise = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & (1 << 48) - 1) << 80 | noise
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return UUID(int=value)


def uuid7s(now: datetime, count: int) -> list[UUID]:
    """count of them, with one call for randomness: ids in a batch cost little."""
    milliseconds = (int(now.timestamp() * 1000) & (1 << 48) - 1) << 80
    noise = os.urandom(10 * count)
    fixed = milliseconds | 7 << 76 | 2 << 62
    keep = (1 << 80) - 1 & ~(0xF << 76) & ~(0x3 << 62)
    return [UUID(int=fixed | int.from_bytes(noise[i : i + 10], "big") & keep) for i in range(0, 10 * count, 10)]
