"""Setting the platform's share of commissions."""

from __future__ import annotations

from datetime import datetime

from fairwind.alliance import fee
from fairwind.alliance.fee import AllianceFee, FeeDraft
from fairwind.alliance.store import fees as store
from fairwind.kernel import PersonId, Transaction, accepted


async def set_fee(tx: Transaction, draft: FeeDraft, person_id: PersonId, now: datetime) -> AllianceFee:
    """Set the share from a time on; what was set last, set again, stays as it is. Raises Invalid."""
    there = await tx.ask(store.fees(lock=True))
    made = accepted(fee.set_fee(there, draft, person_id, now))
    if made not in there:
        await tx.ask(store.fee_added(made))
    return made
