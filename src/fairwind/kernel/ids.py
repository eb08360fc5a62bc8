"""One id type per entity, and UUIDv7 for what clients name themselves.

Bigint ids come from a sequence (see sequences.py) and carry no meaning in their order. A UUIDv7 made by the client is
the idempotency key of what it names.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import NewType
from uuid import UUID

PersonId = NewType("PersonId", int)
ShopId = NewType("ShopId", int)
CategoryId = NewType("CategoryId", int)
ProductId = NewType("ProductId", int)
SkuId = NewType("SkuId", int)
CampaignId = NewType("CampaignId", int)
PlanId = NewType("PlanId", int)

OrderId = NewType("OrderId", UUID)
PaymentId = NewType("PaymentId", UUID)
RefundId = NewType("RefundId", UUID)
TransferId = NewType("TransferId", UUID)
EventId = NewType("EventId", UUID)
LiveSessionId = NewType("LiveSessionId", UUID)
ClickId = NewType("ClickId", UUID)
PayoutId = NewType("PayoutId", UUID)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_VERSION_7 = 7 << 76 | 2 << 62
_NOISE = (1 << 80) - 1 & ~(0xF << 76 | 0x3 << 62)


def uuid7(now: datetime) -> UUID:
    """A UUIDv7 (RFC 9562): 48 bits of milliseconds, then randomness."""
    return uuid7s(now, 1)[0]


def uuid7s(now: datetime, count: int) -> list[UUID]:
    """count of them, ascending, with one call for randomness: ids in a batch cost little."""
    fixed = (now - _EPOCH) // _MILLISECOND << 80 | _VERSION_7
    noise = os.urandom(10 * count)
    values = [fixed | int.from_bytes(noise[i : i + 10], "big") & _NOISE for i in range(0, len(noise), 10)]
    return [UUID(int=value) for value in sorted(values)]
