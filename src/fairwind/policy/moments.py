"""When what an operator publishes may begin. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

from msgspec import Meta

from fairwind.kernel import Invalid, Refused

Moment = Annotated[datetime, Meta(tz=True, description="A time with its zone, as in 2026-01-31T08:00:00+08:00")]

LEAD_TIME = timedelta(minutes=1)
"""What is published begins so much later at the earliest, so that no batch of orders that is under way can miss it."""
AHEAD_MAX = timedelta(days=3660)

_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


class TooSoon(Refused):
    """It would begin or end before everybody can know of it."""

    code = "too_soon"
    status = 422


def begins(asked: datetime | None, now: datetime) -> datetime:
    """When what is published now begins: at the time that was asked for, or as soon as may be.

    Raises TooSoon, and Invalid for a time more than ten years ahead.
    """
    if asked is None:
        return now + LEAD_TIME
    if asked < now + LEAD_TIME:
        raise TooSoon(
            f"{asked.isoformat()} is not a minute from now; name a later time, or none for as soon as may be",
            earliest=(now + LEAD_TIME).isoformat(),
        )
    if asked > now + AHEAD_MAX:
        raise Invalid(f"{asked.isoformat()} is more than ten years ahead; name an earlier time")
    return asked


def checked(at: datetime) -> datetime:
    """A time that is asked about; Invalid for one that nobody means."""
    if not _EARLIEST <= at <= _LATEST:
        raise Invalid(f"at: {at.isoformat()} is no time of this platform; name one between 2000 and 2200")
    return at
