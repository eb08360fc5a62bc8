"""The sandbox as a provider of payouts."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from fairwind.kernel import PayoutId
from fairwind.payments import PAYOUTS, CallbackMalformed, PayoutOrder, PayoutStatus, SandboxClient
from fairwind.settlement.payout import Payout, PayoutTold
from fairwind.settlement.provider import PayoutStanding

NAME = "sandbox"


class SandboxPayouts:
    """The sandbox provider, spoken to through client. callback_url: where it reports to."""

    def __init__(self, client: SandboxClient, *, callback_url: str) -> None:
        self._client = client
        self._callback_url = callback_url

    async def pay(self, payout: Payout) -> PayoutStanding:
        return _standing(await self._client.order("pay_out", "POST", PAYOUTS, self._order(payout), PayoutStatus))

    async def query(self, payout: Payout) -> PayoutStanding:
        status = await self._client.ask("query_payout", "GET", f"{PAYOUTS}/{payout.id}", None, PayoutStatus)
        return _standing(status) if status else PayoutStanding("unknown")

    async def cancel(self, payout: Payout) -> PayoutStanding:
        path = f"{PAYOUTS}/cancellations"
        return _standing(await self._client.order("cancel_payout", "POST", path, self._order(payout), PayoutStatus))

    async def read_callback(self, headers: Mapping[str, str], body: bytes) -> PayoutTold:
        status = await self._client.read_callback(headers, body, PayoutStatus)
        if status.state == "cancelled":
            raise CallbackMalformed("the callback tells of no outcome")
        try:
            payout_id = PayoutId(UUID(status.id))
        except ValueError as error:
            raise CallbackMalformed(f"the callback cannot be understood: {error}") from None
        return PayoutTold(payout_id, status.attempt, status.state, status.reason)

    def _order(self, payout: Payout) -> PayoutOrder:
        return PayoutOrder(
            id=str(payout.id),
            payee=str(payout.payee),
            amount_fen=payout.amount_fen,
            attempt=max(1, payout.attempts),
            callback_url=self._callback_url,
        )


def _standing(status: PayoutStatus) -> PayoutStanding:
    return PayoutStanding(status.state, status.reason)
