"""The SQL of MCNs and their members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import LiteralString

from fairwind.alliance.mcn import McnMember
from fairwind.kernel import PersonId, Query, Transaction, statement

_MEMBER: LiteralString = """
SELECT id, agency_id, creator_id, split_ppm, invited_at, accepted_at, starts_at, ends_at FROM alliance.mcn_member
"""


def open_members_locked(creator_id: PersonId) -> Query[list[McnMember]]:
    """The creator's memberships and invitations that nobody has ended, locked."""
    return Query(
        _MEMBER + "WHERE creator_id = %s AND ends_at IS NULL ORDER BY id FOR UPDATE",
        (creator_id,),
        lambda rows: [McnMember(*row) for row in rows],
    )


async def members_of_creator(tx: Transaction, creator_id: PersonId, before: int, limit: int) -> list[McnMember]:
    """All that ever was between the creator and MCNs, newest first, before id `before`."""
    rows = await tx.rows(
        _MEMBER + "WHERE creator_id = %s AND id < %s ORDER BY id DESC LIMIT %s", (creator_id, before, limit)
    )
    return [McnMember(*row) for row in rows]


async def members_of_agency(tx: Transaction, agency_id: PersonId, before: int, limit: int) -> list[McnMember]:
    """All that ever was between the agency and creators, newest first, before id `before`."""
    rows = await tx.rows(
        _MEMBER + "WHERE agency_id = %s AND id < %s ORDER BY id DESC LIMIT %s", (agency_id, before, limit)
    )
    return [McnMember(*row) for row in rows]


def member_added(member: McnMember) -> Query[None]:
    return statement(
        """
        INSERT INTO alliance.mcn_member (id, agency_id, creator_id, split_ppm, invited_at) VALUES (%s, %s, %s, %s, %s)
        """,
        (member.id, member.agency_id, member.creator_id, member.split_ppm, member.invited_at),
    )


def members_changed(changed: Sequence[McnMember]) -> list[Query[None]]:
    """Save what was accepted or ended."""
    return [
        statement(
            "UPDATE alliance.mcn_member SET accepted_at = %s, starts_at = %s, ends_at = %s WHERE id = %s",
            (member.accepted_at, member.starts_at, member.ends_at, member.id),
        )
        for member in changed
    ]
