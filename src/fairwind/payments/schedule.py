"""When to speak to the provider again. Pure.

Callbacks usually come; asking is for those that do not. Each question waits longer than the one before, so that a
provider in trouble is not made to suffer, and each ends some day, so that no payment is asked about for ever.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from fairwind.payments.payment import Payment

ASK_FIRST_S = 15
ASK_PAUSE_MAX_S = 300
ASK_LAST = timedelta(days=7)
"""So long after its expiry a payment without any outcome is still asked about."""
CLOSED_FIRST_S = 60
CLOSED_LAST_S = 86_400
"""A closed payment is asked about, ever more rarely, until the pause is so long: money may have been on its way."""
SENT_FIRST_S = 1
SENT_PAUSE_MAX_S = 300


def first_ask(created_at: datetime) -> datetime:
    """When to ask about a payment whose callback has not come."""
    return created_at + timedelta(seconds=ASK_FIRST_S)


def next_ask(payment: Payment, asks: int, now: datetime) -> datetime | None:
    """When to ask again about payment, which was asked about `asks` times in its present state; None for never."""
    if payment.state == "created":
        pause_s = _backed_off(ASK_FIRST_S, 2, asks, ASK_PAUSE_MAX_S)
        return now + timedelta(seconds=pause_s) if now < payment.expires_at + ASK_LAST else None
    if payment.state == "closed":
        pause_s = _backed_off(CLOSED_FIRST_S, 4, asks, CLOSED_LAST_S)
        return now + timedelta(seconds=pause_s) if pause_s < CLOSED_LAST_S else None
    return None


def next_try(attempts: int, now: datetime) -> datetime:
    """When to speak to the provider again about money that is sent, after `attempts` times."""
    return now + timedelta(seconds=_backed_off(SENT_FIRST_S, 2, attempts, SENT_PAUSE_MAX_S))


def _backed_off(first_s: int, factor: int, times: int, most_s: int) -> int:
    return min(most_s, int(first_s * factor ** min(times, 32)))
