"""Sweeping 归集 a book: what it owes leaves the payables, to be paid out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from fairwind.kernel import CHINA, Fen, ShopId
from fairwind.ledger import PAID_OUT, PAYOUT, Account, Transfer
from fairwind.settlement.netting import Payee, netted

_EPOCH = datetime(1970, 1, 1, tzinfo=CHINA)


class Sweep(NamedTuple):
    """What moves in the book, and what that means for each payee."""

    transfers: list[Transfer]
    amounts: dict[Payee, int]


def sweep(shop_id: ShopId, balances: Mapping[Account, int]) -> Sweep:
    """Empty these payables of the shop's book. balances: of each account, in fen; none is zero."""
    return Sweep([_emptied(account, fen) for account, fen in balances.items()], netted(shop_id, balances))


def _emptied(account: Account, balance_fen: int) -> Transfer:
    assert balance_fen != 0
    if balance_fen < 0:
        return Transfer(PAYOUT, account, Fen(-balance_fen), "swept", None)
    return Transfer(account, PAYOUT, Fen(balance_fen), "swept", None)


def paid_out(amount_fen: int) -> Transfer:
    """What the payout of a swept amount moves in its book. A debt, below zero, was paid with what other books owed."""
    assert amount_fen != 0
    if amount_fen < 0:
        return Transfer(PAID_OUT, PAYOUT, Fen(-amount_fen), "paid_out", None)
    return Transfer(PAYOUT, PAID_OUT, Fen(amount_fen), "paid_out", None)


def is_due(swept_at: datetime | None, every: timedelta, now: datetime) -> bool:
    """Whether a book that was swept at swept_at is to be swept again.

    All books have their turn at the same moments (once a day: at midnight in China), so that a payee's books are netted
    together and it gets one payout for all of them.
    """
    return swept_at is None or _turn(swept_at, every) < _turn(now, every)


def _turn(at: datetime, every: timedelta) -> int:
    return (at - _EPOCH) // every
