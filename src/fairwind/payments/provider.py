"""What Fairwind asks of a payment provider.

A provider shows the buyer its own page, so card data never touches Fairwind; it tells the outcome by a signed callback
and answers questions about it. Everything it is asked for carries an id of ours and may be asked for again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from fairwind.kernel import Refused
from fairwind.payments.payment import Notice, Payment
from fairwind.payments.refund import Refund


class ProviderDown(Refused):
    """The provider did not answer, so whether it did what was asked is unknown: ask again with the same id."""

    code = "provider_down"
    status = 503


class ProviderRefused(Refused):
    """The provider answered no; asking again would not change that."""

    code = "provider_refused"
    status = 502


class CallbackUnsigned(Refused):
    """The callback's signature is missing or wrong, or it was signed too long ago."""

    code = "callback_unsigned"
    status = 401


class CallbackMalformed(Refused):
    """The callback is signed but cannot be understood."""

    code = "callback_malformed"
    status = 400


Standing = Notice | Literal["open", "unknown"]
"""Of a payment: its outcome, or that it can still be paid, or that the provider has never heard of it."""


class RefundStanding(msgspec.Struct, frozen=True):
    """What the provider says of a refund. reason: why it failed."""

    word: Literal["processing", "succeeded", "failed", "unknown"]
    reason: str | None = None


class Provider(Protocol):
    """All but read_callback raise ProviderDown or ProviderRefused."""

    async def create(self, payment: Payment, now: datetime) -> str:
        """The address of the provider's page for payment; the same for the same payment."""
        ...

    async def query(self, payment: Payment) -> Standing:
        """What became of payment."""
        ...

    async def refund(self, refund: Refund) -> RefundStanding:
        """Send a refund; one that was sent before is not sent again, one that failed is tried again."""
        ...

    async def query_refund(self, refund: Refund) -> RefundStanding:
        """What became of refund."""
        ...

    async def read_callback(self, headers: Mapping[str, str], body: bytes) -> Notice:
        """The notice in a callback, else CallbackUnsigned or CallbackMalformed. headers: names in lower case."""
        ...
