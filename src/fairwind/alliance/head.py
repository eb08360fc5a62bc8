"""The head 头部: the creators who sold most of late, for whom kept stock is not. Pure."""

from __future__ import annotations

from datetime import date, timedelta

from fairwind.kernel import PPM_WHOLE, Ppm

HEAD_DAYS = 30
"""What counts: paid alliance GMV of so many days in China, today included, less what refunds undid of it."""


def head_since(today: date) -> date:
    """The first day that counts."""
    return today - timedelta(days=HEAD_DAYS - 1)


def head_size(creators: int, share_ppm: Ppm) -> int:
    """How many of the creators who sold anything are the head: share_ppm of them, rounded up."""
    return -(-creators * share_ppm // PPM_WHOLE)
