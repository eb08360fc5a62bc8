"""Opening and closing agencies' activities. Agencies' own: a transaction touches no shop."""

from __future__ import annotations

from datetime import datetime

from fairwind.alliance.activity import Activity, ActivityDraft, ActivityId, close
from fairwind.alliance.store import activities as store
from fairwind.kernel import IdReused, NotFound, PersonId, Transaction, accepted


async def open_activity(
    tx: Transaction, activity_id: ActivityId, agency_id: PersonId, draft: ActivityDraft, now: datetime
) -> Activity:
    """Open an activity under the agency's id; the same again answers it as it stands. Raises IdReused."""
    there = (await tx.ask(store.activities([activity_id]))).get(activity_id)
    if there is not None:
        if not there.opened_by(draft, agency_id):
            raise IdReused(f"activity {activity_id} was opened with other content; make a new id")
        return there
    activity = Activity(activity_id, agency_id, draft.title, draft.creator_ppm_min, draft.agency_ppm_min, now)
    await tx.ask(store.activity_added(activity))
    return activity


async def close_activity(tx: Transaction, activity_id: ActivityId, person_id: PersonId, now: datetime) -> Activity:
    """Take no more goods; closing again changes nothing. Raises NotFound, Forbidden."""
    there = (await tx.ask(store.activities([activity_id], lock=True))).get(activity_id)
    if there is None:
        raise NotFound(f"there is no activity {activity_id}")
    closed = accepted(close(there, person_id, now))
    await tx.ask(store.activity_closed(closed))
    return closed
