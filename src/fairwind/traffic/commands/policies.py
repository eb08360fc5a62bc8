"""Publishing the traffic policy, and going back to an earlier version."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fairwind.kernel import IdReused, NotFound, PersonId, Transaction
from fairwind.traffic.publishing import PolicyDraft, Published, changed
from fairwind.traffic.store import policies as store


async def publish(
    tx: Transaction, request_id: UUID, draft: PolicyDraft, person_id: PersonId, now: datetime
) -> Published:
    """Publish a policy under a request's id; the same request again answers the version that it made.

    Two at once meet at the version's key: the later one is run again. Refusals: Invalid, IdReused.
    """
    settings = changed(draft)
    there = await tx.ask(store.policy_of_request(request_id))
    if there is not None:
        if (there.settings, there.note) != (settings, draft.note):
            raise IdReused(f"request {request_id} published version {there.version} with other content; make a new id")
        return there
    last = await tx.ask(store.policy_in_force())
    # A clock that was set back must not let a version precede the one before it.
    published = Published(last.version + 1, request_id, settings, draft.note, person_id, max(now, last.published_at))
    await tx.ask(store.policy_added(published))
    return published


async def go_back(tx: Transaction, request_id: UUID, version: int, person_id: PersonId, now: datetime) -> Published:
    """Publish what an earlier version said, as a new one. Refusals: NotFound, IdReused."""
    earlier = await tx.ask(store.policy_version(version))
    if earlier is None:
        raise NotFound(f"there is no version {version} of the traffic policy")
    return await publish(tx, request_id, PolicyDraft(earlier.settings, f"back to version {version}"), person_id, now)
