"""Whose exposure is shared: creators and shops, by their place in the arrays of counts and prices. Pure."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from fairwind.kernel import NotFound, PersonId, Refused
from fairwind.kernel.lines import FILLED_LINE


class HostKind(StrEnum):
    """A creator, whose rooms are shown, or a shop, whose goods are."""

    CREATOR = "creator"
    SHOP = "shop"


class Subject(NamedTuple):
    """Who a host is: a creator by the id of the person, or a shop by its own."""

    kind: HostKind
    id: int


class Host(msgspec.Struct, frozen=True):
    """A host. no: its place in the arrays, from 0. entered_at: when the room or the shop was opened."""

    no: int
    kind: HostKind
    subject_id: int
    entered_at: datetime

    @property
    def subject(self) -> Subject:
        return Subject(self.kind, self.subject_id)


class Newcomer(NamedTuple):
    """A subject that has no place yet, and since when it has been there."""

    subject: Subject
    entered_at: datetime


class SuspensionDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a host is kept out of the feed, and until when; null: until it is lifted."""

    reason: Annotated[str, Meta(min_length=1, max_length=500, pattern=FILLED_LINE, examples=["虚假宣传，见工单 1042"])]
    until: Annotated[datetime, Meta(tz=True)] | None = None


class Suspension(msgspec.Struct, frozen=True):
    """A host that is kept out of the feed."""

    id: UUID
    kind: HostKind
    subject_id: int
    reason: str
    suspended_by: PersonId
    suspended_at: datetime
    until: datetime | None
    lifted_by: PersonId | None = None
    lifted_at: datetime | None = None


class AlreadySuspended(Refused):
    """The host is kept out of the feed already."""

    code = "already_suspended"
    status = 409


def in_force(suspension: Suspension, now: datetime) -> bool:
    return suspension.lifted_at is None and (suspension.until is None or now < suspension.until)


def no_host(subject: Subject) -> NotFound:
    return NotFound(f"there is no {subject.kind} {subject.id} in the feed; a host enters it with a room or goods")
