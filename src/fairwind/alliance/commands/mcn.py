"""Inviting into an MCN, accepting, ending. People's own: a transaction touches no shop."""

from __future__ import annotations

from datetime import datetime

from fairwind.alliance import mcn
from fairwind.alliance.mcn import McnMember
from fairwind.alliance.store import mcn as store
from fairwind.alliance.store.plans import creators_among
from fairwind.kernel import NotFound, PersonId, Ppm, Transaction, accepted, next_ids


async def invite(
    tx: Transaction, agency_id: PersonId, creator_id: PersonId, split_ppm: Ppm, now: datetime
) -> McnMember:
    """Invite a creator; the same split again answers the invitation as it stands, another one replaces it.

    Raises NotFound, InMcn.
    """
    members, creators = await tx.together(store.open_members_locked(creator_id), creators_among({creator_id}))
    if creator_id not in creators:
        raise NotFound(f"there is no creator {creator_id}")
    [new_id] = await next_ids(tx, 1)
    member, replaced = accepted(mcn.invite(members, new_id, agency_id, creator_id, split_ppm, now))
    if replaced is not None:
        await tx.together(*store.members_changed([replaced]))
    if member.id == new_id:
        await tx.ask(store.member_added(member))
    return member


async def accept(
    tx: Transaction, creator_id: PersonId, agency_id: PersonId, split_ppm: Ppm, now: datetime
) -> McnMember:
    """Join the MCN from the next midnight on. Raises NotFound, InvitationChanged, InMcn."""
    members = await tx.ask(store.open_members_locked(creator_id))
    member = accepted(mcn.accept(members, agency_id, split_ppm, now))
    await tx.together(*store.members_changed([member]))
    return member


async def end(tx: Transaction, creator_id: PersonId, agency_id: PersonId, now: datetime) -> McnMember:
    """End the membership at the next midnight, or the invitation at once. Raises NotFound."""
    members = await tx.ask(store.open_members_locked(creator_id))
    member = accepted(mcn.end(members, agency_id, now))
    await tx.together(*store.members_changed([member]))
    return member
