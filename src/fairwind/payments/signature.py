"""How the sandbox provider and Fairwind sign what they send each other: HMAC-SHA256 under a shared key. Pure.

A signature covers what it is for, when it was made and every byte of the body. So a request cannot be played back as a
callback, nor anything at all after the window; within it a replay is answered as the repetition that it is.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime

TIME = "sandbox-time"
SIGNATURE = "sandbox-signature"
CALLBACK = "callback"
WINDOW_S = 300


def signed(key: bytes, purpose: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers that sign body. purpose: CALLBACK, or a request's method and path."""
    at = str(int(now.timestamp()))
    return {TIME: at, SIGNATURE: _signature(key, purpose, at, body)}


def flaw(key: bytes, purpose: str, headers: Mapping[str, str], body: bytes, now: datetime) -> str | None:
    """What is wrong with the signature, or None when it is right. headers: names in lower case."""
    at = headers.get(TIME, "")
    given = headers.get(SIGNATURE, "")
    if not hmac.compare_digest(given.encode(), _signature(key, purpose, at, body).encode()):
        return "the signature is missing or wrong"
    if abs(now.timestamp() - int(at)) > WINDOW_S:
        return f"it was signed more than {WINDOW_S} s away from our time"
    return None


def _signature(key: bytes, purpose: str, at: str, body: bytes) -> str:
    return hmac.new(key, f"{purpose}\n{at}\n".encode() + body, "sha256").hexdigest()
