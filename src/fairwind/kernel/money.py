"""Exact money: integer fen, integer parts per million, and the only ways to divide them. Pure.

Every amount in Fairwind is a whole number of fen (1 yuan = 100 fen) and every rate a whole number of parts per
million (1 % = 10,000 ppm). A share rounds down; whoever splits an amount names the party that takes the residue.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NewType

Fen = NewType("Fen", int)
Ppm = NewType("Ppm", int)

PPM_WHOLE = Ppm(1_000_000)
FEN_MAX = Fen(10**15)
"""Ten trillion yuan: larger amounts are refused at the door, so that no sum leaves a bigint."""

_YUAN = re.compile(r"(\d{1,13})(?:\.(\d{1,2}))?", re.ASCII)


def portion(amount_fen: Fen, rate_ppm: Ppm) -> Fen:
    """rate_ppm of amount_fen, rounded down."""
    assert amount_fen >= 0
    assert 0 <= rate_ppm <= PPM_WHOLE
    return Fen(amount_fen * rate_ppm // PPM_WHOLE)


def pro_rata(amount_fen: Fen, part: int, whole: int) -> Fen:
    """What belongs to part of whole when amount_fen belongs to all of it, rounded down."""
    assert amount_fen >= 0
    assert 0 <= part <= whole
    assert whole > 0
    return Fen(amount_fen * part // whole)


def split(amount_fen: Fen, weights: Sequence[int]) -> list[Fen]:
    """Split amount_fen in proportion to weights by the largest remainder; ties go to the earlier one.

    weights: non-negative, one per part. The parts always sum to amount_fen; when all weights are zero the first
    part takes everything.
    """
    assert amount_fen >= 0
    assert weights, "an amount needs a part to go to"
    assert all(weight >= 0 for weight in weights)

    whole = sum(weights)
    if whole == 0:
        return [amount_fen, *[Fen(0)] * (len(weights) - 1)]
    parts = [amount_fen * weight // whole for weight in weights]
    remainders = [amount_fen * weight % whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-remainders[i], i))
    for i in by_remainder[: amount_fen - sum(parts)]:
        parts[i] += 1
    return [Fen(part) for part in parts]


def parse_yuan(text: str) -> Fen:
    """'12', '12.3' or '12.34' yuan in fen; ValueError for anything else, negative and finer amounts included."""
    match = _YUAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not an amount in yuan such as 12 or 12.34")
    yuan, cents = match.groups()
    return Fen(int(yuan) * 100 + int((cents or "").ljust(2, "0")))


def format_yuan(amount_fen: int) -> str:
    """12345 fen as '123.45', with thousands separated: 123456789 as '1,234,567.89'."""
    sign = "-" if amount_fen < 0 else ""
    yuan, cents = divmod(abs(amount_fen), 100)
    return f"{sign}{yuan:,}.{cents:02}"
