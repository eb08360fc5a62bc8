"""Counting what is sold and sent back: steps, the pool's figures, and what the head is made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import TypeVar

import msgspec

from fairwind.alliance.store import sales as store
from fairwind.alliance.store.pool import items_returned, items_sold
from fairwind.kernel import Event, Fen, PersonId, PlanId, ProductId, Query, ShopId, Transaction, day_in_china

K = TypeVar("K")


class _PaidLine(msgspec.Struct, frozen=True):
    product_id: ProductId
    quantity: int
    goods_fen: Fen = Fen(0)
    plan_id: PlanId | None = None
    earner_id: PersonId | None = None


class _Paid(msgspec.Struct, frozen=True):
    lines: tuple[_PaidLine, ...] = ()


class _ReturnedLine(msgspec.Struct, frozen=True):
    product_id: ProductId
    quantity: int = 0
    amount_fen: Fen = Fen(0)
    plan_id: PlanId | None = None
    earner_id: PersonId | None = None
    unsold_quantity: int = 0
    unsold_fen: Fen = Fen(0)


class _RefundAgreed(msgspec.Struct, frozen=True):
    lines: tuple[_ReturnedLine, ...] = ()
    paid_at: datetime | None = None


class _Sticking:
    """What sticks of what creators sold: by plan, and by the day in China on which it was paid."""

    def __init__(self) -> None:
        self._by_plan: dict[tuple[PlanId, PersonId], store.Sold] = {}
        self._by_day: dict[date, dict[PersonId, store.Sold]] = defaultdict(dict)

    def add(self, line: _PaidLine | _ReturnedLine, paid_at: datetime, quantity: int, gmv_fen: int) -> None:
        """Count a line, if somebody earns of it by a plan: above zero what was paid for, below it what was undone."""
        if line.plan_id is not None and line.earner_id is not None:
            _add(self._by_plan, (line.plan_id, line.earner_id), quantity, gmv_fen)
            _add(self._by_day[day_in_china(paid_at)], line.earner_id, quantity, gmv_fen)

    def saved(self, shop_id: ShopId) -> list[Query[None]]:
        made = [store.progress_made(shop_id, self._by_plan)] if self._by_plan else []
        return made + [store.day_counted(shop_id, day, self._by_day[day]) for day in sorted(self._by_day)]


async def count_sold(tx: Transaction, shop_id: ShopId, events: Sequence[Event], _: datetime) -> None:
    """Count lines that were paid for: by product, and where a creator earns by plan and by day.

    `count_returned` takes back what does not stick; whichever comes first, both together come to the same.
    """
    by_product: dict[ProductId, store.Sold] = {}
    sticking = _Sticking()
    for event in events:
        for line in event.read(_Paid).lines:
            _add(by_product, line.product_id, line.quantity, line.goods_fen)
            sticking.add(line, event.created_at, line.quantity, line.goods_fen)
    if by_product:
        await tx.together(items_sold(shop_id, by_product), *sticking.saved(shop_id))


async def count_returned(tx: Transaction, shop_id: ShopId, events: Sequence[Event], _: datetime) -> None:
    """Count pieces and fen of refunds agreed to, by product, and take back what creators sold of them.

    It is taken back from the day on which it was paid: a sale that was undone has never counted towards the head.
    """
    by_product: dict[ProductId, store.Sold] = {}
    sticking = _Sticking()
    for event in events:
        agreed: _RefundAgreed = event.read(_RefundAgreed)
        for line in agreed.lines:
            _add(by_product, line.product_id, line.quantity, line.amount_fen)
            sticking.add(line, agreed.paid_at or event.created_at, -line.unsold_quantity, -line.unsold_fen)
    if by_product:
        await tx.together(items_returned(shop_id, by_product), *sticking.saved(shop_id))


def _add(sold: dict[K, store.Sold], key: K, quantity: int, gmv_fen: int) -> None:
    pieces, fen = sold.get(key, (0, Fen(0)))
    sold[key] = (pieces + quantity, Fen(fen + gmv_fen))
