"""What can go wrong at the sandbox provider, and when it does: decided by a seed, so runs can be repeated. Pure."""

from __future__ import annotations

import hashlib
from typing import Annotated

import msgspec
from msgspec import Meta

_WHOLE_PPM = 1_000_000
_REORDER_S = 2.0

Ratio = Annotated[int, Meta(ge=0, le=_WHOLE_PPM)]


class Switches(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the provider misbehaves; all off by default. They can be changed while it runs.

    duplicates: every callback is sent so many times more. reorder: callbacks overtake each other. delay_s: how long
    callbacks, refunds and payouts take. loss_ppm: callbacks that are never sent. decline_ppm: payments that the bank
    declines. refund_failure_ppm: refunds that fail; payout_failure_ppm: payouts that do. payout_hang_ppm: requests for
    a payout that are taken, and answered when nobody waits any more. seed: which ones.
    """

    duplicates: Annotated[int, Meta(ge=0, le=20)] = 0
    reorder: bool = False
    delay_s: Annotated[float, Meta(ge=0, le=3600)] = 0
    loss_ppm: Ratio = 0
    decline_ppm: Ratio = 0
    refund_failure_ppm: Ratio = 0
    payout_failure_ppm: Ratio = 0
    payout_hang_ppm: Ratio = 0
    seed: Annotated[int, Meta(ge=0, le=2**31)] = 1

    def declines(self, reference: str, attempt: int) -> bool:
        """Whether the bank declines this attempt to pay."""
        return self._chance("decline", reference, attempt) < self.decline_ppm

    def fails(self, refund_id: str, attempt: int) -> bool:
        """Whether this attempt to refund fails."""
        return self._chance("refund", refund_id, attempt) < self.refund_failure_ppm

    def fails_to_pay_out(self, payout_id: str, attempt: int) -> bool:
        """Whether this attempt to pay out fails."""
        return self._chance("payout", payout_id, attempt) < self.payout_failure_ppm

    def hangs(self, payout_id: str, request: int) -> bool:
        """Whether this request for a payout is answered too late."""
        return self._chance("hang", payout_id, request) < self.payout_hang_ppm

    def deliveries(self, reference: str, outcome: str) -> list[float]:
        """After how many seconds each copy of a callback is sent; none when it is lost."""
        if self._chance("loss", reference, outcome) < self.loss_ppm:
            return []
        copies = range(1 + self.duplicates)
        return [self.delay_s + self._held_back(reference, outcome, copy) for copy in copies]

    def _held_back(self, reference: str, outcome: str, copy: int) -> float:
        if not self.reorder:
            return 0
        return _REORDER_S * self._chance("reorder", reference, outcome, copy) / _WHOLE_PPM

    def _chance(self, *about: object) -> int:
        """A number below a million that depends on the seed and on what it is about, and on nothing else."""
        digest = hashlib.sha256(repr((self.seed, *about)).encode()).digest()
        return int.from_bytes(digest[:8], "big") % _WHOLE_PPM
