"""Gathering what shops did, and looking at what it earned them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec

from fairwind.kernel import Event, Fen, LiveSessionId, ShopId, Transaction, day_in_china
from fairwind.policy.enrolment import Enrolment, enrolled, next_look, unearned
from fairwind.policy.store import facts as store
from fairwind.policy.store.facts import DayCount, SessionCount
from fairwind.policy.store.programmes import programmes_to_earn

GATHERING = timedelta(minutes=1)
"""A shop is looked at so long after a sale or a refund, together with those in between."""


class _Line(msgspec.Struct, frozen=True):
    quantity: int = 1
    goods_fen: Fen | None = None
    live_session_id: LiveSessionId | None = None


class _Paid(msgspec.Struct, frozen=True):
    total_fen: Fen = Fen(0)
    lines: tuple[_Line, ...] = ()

    @property
    def goods_fen(self) -> Fen:
        """What was paid for goods; where the lines do not say, all that was paid."""
        goods = [line.goods_fen for line in self.lines if line.goods_fen is not None]
        return Fen(sum(goods)) if goods and len(goods) == len(self.lines) else self.total_fen


class _ReturnedLine(msgspec.Struct, frozen=True):
    unsold_quantity: int = 0
    unsold_fen: Fen = Fen(0)
    live_session_id: LiveSessionId | None = None


class _RefundAgreed(msgspec.Struct, frozen=True):
    paid_at: datetime | None = None
    lines: tuple[_ReturnedLine, ...] = ()


class _Counted:
    """What events tell of a shop, by day of payment in China and by live session."""

    def __init__(self) -> None:
        self.days: dict[date, DayCount] = defaultdict(DayCount)
        self.sessions: dict[LiveSessionId, SessionCount] = {}

    def in_session(self, session_id: LiveSessionId, day: date, *, sold: int = 0, undone: int = 0) -> None:
        before = self.sessions.get(session_id, SessionCount(day))
        self.sessions[session_id] = SessionCount(max(day, before.day), before.sold + sold, before.undone + undone)


async def count_paid(tx: Transaction, shop_id: ShopId, events: Sequence[Event], now: datetime) -> None:
    """Count what was paid by day, and the live sessions that sold.

    `count_refunds` counts what does not stick of it; whichever comes first, both together come to the same.
    """
    counted = _Counted()
    for event in events:
        paid: _Paid = event.read(_Paid)
        day = day_in_china(event.created_at)
        before = counted.days[day]
        counted.days[day] = before._replace(paid_fen=before.paid_fen + paid.goods_fen, orders=before.orders + 1)
        for line in paid.lines:
            if line.live_session_id is not None:
                counted.in_session(line.live_session_id, day, sold=line.quantity)
    await store.add_facts(tx, shop_id, counted.days, counted.sessions, now + GATHERING)


async def count_refunds(tx: Transaction, shop_id: ShopId, events: Sequence[Event], now: datetime) -> None:
    """Count what refunds undo: for the day on which it was paid, and for the live session that sold it.

    A session all of whose goods went back has not sold. The day on which others sold last stays as it is.
    """
    counted = _Counted()
    for event in events:
        agreed: _RefundAgreed = event.read(_RefundAgreed)
        day = day_in_china(agreed.paid_at or event.created_at)
        before = counted.days[day]
        undone_fen = sum(line.unsold_fen for line in agreed.lines)
        counted.days[day] = before._replace(undone_fen=before.undone_fen + undone_fen)
        for line in agreed.lines:
            if line.live_session_id is not None:
                counted.in_session(line.live_session_id, day, undone=line.unsold_quantity)
    await store.add_facts(tx, shop_id, counted.days, counted.sessions, now + GATHERING)


async def assess(tx: Transaction, shop_id: ShopId, now: datetime) -> list[Enrolment]:
    """Enrol a shop that is due for what it has earned, and say when to look again; answers the new enrolments.

    What refunds have undone since ends the enrolments that it had earned.
    """
    if not await store.claimed(tx, shop_id, now):
        return []
    shop, programmes, facts, there = await tx.together(
        store.shop_of(shop_id),
        programmes_to_earn(now),
        store.facts_of(shop_id, day_in_china(now)),
        store.enrolments_from(shop_id, now),
    )
    ended = unearned(programmes, facts, there, now)
    earned = [] if shop is None else enrolled(shop_id, shop[0], programmes, facts, there, now)
    await tx.together(
        *store.enrolments_ended(shop_id, ended),
        store.enrolments_saved(shop_id, earned),
        store.look_again(shop_id, None if shop is None else next_look(facts, now)),
    )
    return earned
