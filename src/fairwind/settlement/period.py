"""Periods of statements: a calendar month or a day in China, and when a month can be closed. Pure."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from fairwind.kernel import Invalid, Refused, day_in_china, midnight_in_china

_WRITTEN = re.compile(r"(2\d{3})-(\d{2})(?:-(\d{2}))?", re.ASCII)

PeriodName = Annotated[
    str,
    Meta(
        pattern=r"^2[0-9]{3}-[0-9]{2}(-[0-9]{2})?$",
        description="A month or a day in China, such as 2020-06 or 2020-06-18",
        examples=["2020-06"],
    ),
]


class PeriodClosed(Refused):
    """The month is closed: nothing can be entered into it any more."""

    code = "period_closed"
    status = 409


class Period(msgspec.Struct, frozen=True):
    """A month (YYYY-MM) or a day (YYYY-MM-DD) in China: from since (included) to until (not included)."""

    name: str
    since: datetime
    until: datetime


class ClosedPeriod(msgspec.Struct, frozen=True):
    """A month that is closed. statements: how many accounts it was closed for."""

    period: str
    since: datetime
    until: datetime
    closed_at: datetime
    statements: int


def period(name: str) -> Period:
    """The period that is called so; raises Invalid."""
    match = _WRITTEN.fullmatch(name)
    year, month, day = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    try:
        first = date(year, month, day if match and match[3] else 1)  # there is no year 0
    except ValueError:
        raise Invalid(f"{name} is no month or day; write it as 2020-06 or 2020-06-18", field="period") from None
    last = first + timedelta(days=1) if match and match[3] else _month_after(first)
    return Period(name, midnight_in_china(first), midnight_in_china(last))


def month_of(at: datetime) -> Period:
    """The month in China that holds this moment."""
    return period(f"{day_in_china(at):%Y-%m}")


def next_to_close(
    closed_until: datetime | None, first_entry_at: datetime | None, now: datetime, wait: timedelta
) -> Period | None:
    """The earliest month that is not closed and was over `wait` ago; None when there is none.

    Months close one after the other, so that each opens with what the one before closed with. first_entry_at: when the
    first of all transfers was made; None when there is none yet.
    """
    begins = closed_until or first_entry_at
    if begins is None:
        return None
    month = month_of(begins)
    return month if month.until + wait <= now else None


def hold_open(closed_until: datetime | None, now: datetime) -> None:
    """Raise PeriodClosed when nothing can be entered now. closed_until: the end of the last closed month, if any."""
    if closed_until is not None and now < closed_until:
        raise PeriodClosed(f"the books are closed until {closed_until:%Y-%m-%d %H:%M} UTC; check this server's clock")


def _month_after(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)
