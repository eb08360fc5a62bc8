"""What Fairwind asks of a provider of payouts.

Everything it is asked for carries the payout's id and may be asked for again. Its word comes as an answer, by a signed
callback or by both, once or often.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from fairwind.settlement.payout import Payout, PayoutTold


class PayoutStanding(msgspec.Struct, frozen=True):
    """What the provider says of a payout. cancelled: it was not paid and never will be. reason: why it failed."""

    word: Literal["processing", "succeeded", "failed", "cancelled", "unknown"]
    reason: str | None = None


class PayoutProvider(Protocol):
    """All but read_callback raise payments.ProviderDown or payments.ProviderRefused."""

    async def pay(self, payout: Payout) -> PayoutStanding:
        """Pay; what was taken before is not paid again, what failed is tried again, what was cancelled is refused."""
        ...

    async def query(self, payout: Payout) -> PayoutStanding:
        """What became of payout."""
        ...

    async def cancel(self, payout: Payout) -> PayoutStanding:
        """Never pay payout from now on, whatever still comes for it; cancelled, or what stands against that."""
        ...

    async def read_callback(self, headers: Mapping[str, str], body: bytes) -> PayoutTold:
        """The word in a callback, else CallbackUnsigned or CallbackMalformed. headers: names in lower case."""
        ...
