"""The payout desk: what payees see, what operators do about payouts that failed, and the provider's words."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from fairwind.kernel import Fen, Gate, NotFound, PayoutId, Platform, Query, Refused, ShopId, Transaction, isolated
from fairwind.kernel.pages import Before
from fairwind.settlement.commands.payouts import (
    assemble,
    claim_payouts,
    record_payouts,
    release_payout,
    retry_payout,
)
from fairwind.settlement.netting import Payee
from fairwind.settlement.payout import Carried, Payout, PayoutItem, PayoutState, PayoutTold, WrongPayoutState, not_found
from fairwind.settlement.provider import PayoutProvider
from fairwind.settlement.store import payouts as store

EVERYONE = ShopId(0)
"""The lane of what belongs to no shop."""
_PAGE = 200

T = TypeVar("T")


class Payouts:
    """Payouts of all payees. providers: by name, as payouts name them; provider: the one that new ones go through."""

    def __init__(self, platform: Platform, providers: Mapping[str, PayoutProvider], provider: str) -> None:
        assert provider in providers
        self.providers = providers
        self._provider = provider
        self._platform = platform
        self._recording: Gate[ShopId, PayoutTold, Payout] = platform.gate("record_payout", _record)
        self._min_fen = Fen(platform.settings.payout_min_fen)

    # For payees.

    async def payout(self, payout_id: PayoutId) -> Payout:
        """The payout as it stands. Raises NotFound."""
        payout = await self._ask(store.payout(payout_id))
        if payout is None:
            raise not_found(payout_id)
        return payout

    async def items(self, payout_id: PayoutId, after: tuple[ShopId, UUID], limit: int) -> list[PayoutItem]:
        """What the payout is made of, by shop and id."""
        return await self._ask(store.items(payout_id, after, limit))

    async def payouts_of(self, payees: Collection[Payee], before: Before, limit: int) -> list[Payout]:
        return await self._ask(store.payouts_of(payees, before, limit))

    async def carried(self, payees: Collection[Payee]) -> list[Carried]:
        """What waits for each of these payees; below zero, what it owes."""
        return await self._ask(store.carried(payees))

    # For operators.

    async def payouts_in(self, states: Collection[PayoutState], before: Before, limit: int) -> list[Payout]:
        return await self._ask(store.payouts_in(states, before, limit))

    async def debts(self, after: Payee, limit: int) -> list[Carried]:
        return await self._ask(store.debts(after, limit))

    async def retry(self, payout_id: PayoutId) -> Payout:
        """Send a failed payout again. Raises NotFound or WrongPayoutState."""
        now = self._now()
        return await self._platform.database.run(lambda tx: retry_payout(tx, payout_id, now))

    async def release(self, payout_id: PayoutId) -> Payout:
        """Have the provider never pay a failed payout; then what it was made of waits for the next one.

        Released before, it stays so; should the provider have paid it after all, it has succeeded. Raises NotFound,
        WrongPayoutState, ProviderDown or ProviderRefused.
        """
        payout = await self.payout(payout_id)
        if payout.state == "released":
            return payout
        if payout.state != "failed":
            raise WrongPayoutState(f"payout {payout_id} is {payout.state}; only one that has failed can be released")
        standing = await self.providers[payout.provider].cancel(payout)
        now = self._now()
        if standing.word == "cancelled":
            return await self._platform.database.run(lambda tx: release_payout(tx, payout, now))
        if standing.word == "succeeded":
            return await self.record(PayoutTold(payout_id, payout.attempts, "succeeded"))
        raise WrongPayoutState(f"the provider is still at payout {payout_id} ({standing.word}); try again later")

    # For the provider.

    async def take_callback(self, provider: str, headers: Mapping[str, str], body: bytes) -> Payout:
        """Take a provider's callback; answers the payout as it stands once its word is recorded.

        Raises NotFound, CallbackUnsigned or CallbackMalformed.
        """
        if provider not in self.providers:
            raise NotFound("there is no such payment provider here")
        return await self.record(await self.providers[provider].read_callback(headers, body))

    async def record(self, told: PayoutTold) -> Payout:
        """Record a word about a payout, however it came and however often. Raises NotFound."""
        return await self._recording(EVERYONE, told)

    # For the jobs.

    async def assemble(self) -> int:
        """Put what waits into payouts, for every payee that has enough; answers how many payouts that makes."""
        made, after = 0, Payee("agency", -1)
        while payees := await self._ask(store.payees_to_pay(self._min_fen, after, _PAGE)):
            for payee in payees:
                made += await self._assembled(payee)
            after = payees[-1]
        return made

    async def _assembled(self, payee: Payee) -> bool:
        """Whether there is a new payout. What fails is tried again next time."""
        now, min_fen, provider = self._now(), self._min_fen, self._provider
        payout = None
        async with isolated("payout_not_assembled", payee=str(payee)):
            payout = await self._platform.database.run(lambda tx: assemble(tx, payee, min_fen, provider, now))
        return payout is not None

    async def claim(self, limit: int) -> list[Payout]:
        """Payouts to send or to ask about, each put off so that nobody else does meanwhile."""
        now = self._now()
        return await self._platform.database.run(lambda tx: claim_payouts(tx, now, limit))

    def _now(self) -> datetime:
        return self._platform.clock.now()

    async def _ask(self, query: Query[T]) -> T:
        async with self._platform.database.transaction() as tx:
            return await tx.ask(query)


async def _record(tx: Transaction, _: ShopId, told: Sequence[PayoutTold], now: datetime) -> Sequence[Payout | Refused]:
    return await record_payouts(tx, told, now)
