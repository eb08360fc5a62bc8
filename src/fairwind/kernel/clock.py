"""Where the time comes from. Everything below the shell takes `now` as an argument."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Protocol

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
"""There has been no daylight saving time since 1991."""


def day_in_china(now: datetime) -> date:
    """The day it is in China."""
    return now.astimezone(CHINA).date()


def midnight_in_china(day: date) -> datetime:
    """When day begins in China, in UTC."""
    return datetime.combine(day, time(), CHINA).astimezone(UTC)


class Clock(Protocol):
    def now(self) -> datetime:
        """The present, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class ShiftedClock:
    """The machine's clock moved ahead: demos and tests step over days in a moment. It never goes back.

    ahead: by how much it is ahead of the machine's.
    """

    def __init__(self, ahead: timedelta = timedelta()) -> None:
        self.ahead = ahead

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def advance(self, step: timedelta) -> None:
        assert step >= timedelta()
        self.ahead += step
