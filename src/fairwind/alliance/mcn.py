"""MCNs 机构: agencies that look after creators for a part of what these earn. Pure.

An agency invites, the creator accepts what was offered, either of them ends it. Both take effect at the next midnight
in China, so that a day belongs to one MCN; who leaves one and joins another the same day moves at midnight.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.alliance.versions import next_midnight
from fairwind.kernel import PPM_WHOLE, NotFound, PersonId, Ppm, Refused


class InMcn(Refused):
    """The creator belongs to an MCN already."""

    code = "in_mcn"
    status = 409


class InvitationChanged(Refused):
    """The invitation says something else than what is accepted."""

    code = "invitation_changed"
    status = 409


class McnState(StrEnum):
    """How a membership stands at a moment."""

    INVITED = "invited"
    MEMBER = "member"
    """Accepted: it has begun or begins at midnight, and no end is set."""
    LEAVING = "leaving"
    """It ends at midnight."""
    OVER = "over"


class Split(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The MCN's part of what the creator earns after the platform's share."""

    split_ppm: Annotated[Ppm, Meta(ge=0, le=PPM_WHOLE)]


class McnMember(msgspec.Struct, frozen=True):
    """A creator and an MCN: invited, and a member from starts_at until ends_at once accepted."""

    id: int
    agency_id: PersonId
    creator_id: PersonId
    split_ppm: Ppm
    invited_at: datetime
    accepted_at: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether nobody has ended it, or turned it down."""
        return self.ends_at is None

    def state(self, at: datetime) -> McnState:
        if self.ends_at is not None:
            over = self.accepted_at is None or self.ends_at <= at
            return McnState.OVER if over else McnState.LEAVING
        return McnState.INVITED if self.accepted_at is None else McnState.MEMBER


def invite(
    members: Sequence[McnMember], new_id: int, agency_id: PersonId, creator_id: PersonId, split_ppm: Ppm, now: datetime
) -> tuple[McnMember, McnMember | None] | Refused:
    """The invitation, and an earlier open one of the two that it replaces. members: the creator's."""
    mine = [member for member in members if member.open and member.agency_id == agency_id]
    for member in mine:
        if member.split_ppm == split_ppm:
            return member, None
        if member.accepted_at is not None:
            return InMcn(
                f"the creator is your member for {member.split_ppm} ppm; end that before you offer another split"
            )
    replaced = replace(mine[0], ends_at=max(now, mine[0].invited_at)) if mine else None
    return McnMember(new_id, agency_id, creator_id, split_ppm, now), replaced


def accept(members: Sequence[McnMember], agency_id: PersonId, split_ppm: Ppm, now: datetime) -> McnMember | Refused:
    """The creator a member from the next midnight on. split_ppm: what they were shown."""
    mine = [member for member in members if member.open and member.agency_id == agency_id]
    others = [member for member in members if member.open and member.accepted_at and member.agency_id != agency_id]
    if not mine:
        return NotFound(f"there is no open invitation of agency {agency_id}")
    [member] = mine
    if member.split_ppm != split_ppm:
        return InvitationChanged(
            f"the invitation is for {member.split_ppm} ppm; look at it again before you accept",
            split_ppm=member.split_ppm,
        )
    if member.accepted_at is not None:
        return member
    if others:
        return InMcn(
            "you belong to another MCN; end that first, and you move at midnight", agency_id=others[0].agency_id
        )
    at = max(now, member.invited_at)
    return replace(member, accepted_at=at, starts_at=next_midnight(at))


def end(members: Sequence[McnMember], agency_id: PersonId, now: datetime) -> McnMember | Refused:
    """The membership ended from the next midnight on, or the invitation gone at once."""
    mine = [member for member in members if member.open and member.agency_id == agency_id]
    if not mine:
        return NotFound(f"there is no invitation or membership with agency {agency_id} to end")
    [member] = mine
    if member.starts_at is None:
        return replace(member, ends_at=max(now, member.invited_at))
    return replace(member, ends_at=max(member.starts_at, next_midnight(now)))
