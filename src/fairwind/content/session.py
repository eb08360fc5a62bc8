"""Rooms, their live sessions and the goods pinned in them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NewType

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.content.placement import Placement
from fairwind.kernel import Fen, Forbidden, LiveSessionId, PersonId, ProductId, Refused, ShopId

RoomId = NewType("RoomId", int)

PINS_MAX = 200
"""Products pinned in a session at a time."""

Title = Annotated[str, Meta(min_length=1, max_length=60, examples=["618 好物专场"])]


class State(StrEnum):
    """Where a live session stands."""

    LIVE = "live"
    ENDED = "ended"


class Action(StrEnum):
    """What happens to a live session."""

    END = "end"


TRANSITIONS: Mapping[tuple[State, Action], State] = {(State.LIVE, Action.END): State.ENDED}


class NoRoom(Refused):
    """The creator has no room yet."""

    code = "no_room"


class AlreadyLive(Refused):
    """The room has a live session."""

    code = "already_live"


class SessionEnded(Refused):
    """The live session is over and stays as it was."""

    code = "session_ended"


class OffShelf(Refused):
    """The product is not for sale."""

    code = "off_shelf"


class TooManyPins(Refused):
    """The session shows as many products as it may."""

    code = "too_many_pins"


class RoomDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a creator's room is called."""

    title: Title


class SessionDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a live session is called."""

    title: Title


class PinDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a pinned product stands (lowest first, then in the order of pinning) and what the host says of it."""

    position: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    note: Annotated[str, Meta(max_length=200, examples=["今晚最低价"])] = ""


class Room(msgspec.Struct, frozen=True):
    """Where a creator goes live; each has one."""

    id: RoomId
    host_id: PersonId
    title: str
    created_at: datetime


class LiveSession(msgspec.Struct, frozen=True):
    """One broadcast from a room."""

    id: LiveSessionId
    room_id: RoomId
    host_id: PersonId
    title: str
    state: State
    started_at: datetime
    ended_at: datetime | None = None


class Pin(msgspec.Struct, frozen=True):
    """A product shown in a live session since pinned_at."""

    session_id: LiveSessionId
    shop_id: ShopId
    product_id: ProductId
    position: int
    note: str
    pinned_at: datetime


class PinnedProduct(msgspec.Struct, frozen=True):
    """A pin as viewers see it, with the product as it is listed now.

    price_fen: the lowest of its SKUs' prices, null when none is for sale. placement: the token that an order of it
    hands in.
    """

    shop_id: ShopId
    product_id: ProductId
    title: str
    price_fen: Fen | None
    on_shelf: bool
    position: int
    note: str
    pinned_at: datetime
    placement: str


class SessionView(LiveSession, frozen=True, kw_only=True):
    """A live session with what is pinned in it."""

    pins: list[PinnedProduct]


def end(session: LiveSession, now: datetime) -> LiveSession:
    """The session when it has ended; ending it again changes nothing."""
    following = TRANSITIONS.get((session.state, Action.END))
    # A clock that was set back must not end a session before it began.
    return replace(session, state=following, ended_at=max(now, session.started_at)) if following else session


def refusal(session: LiveSession, person_id: PersonId) -> Refused | None:
    """Why person_id may not change what the session shows, or None."""
    if session.host_id != person_id:
        return Forbidden("only the host of a live session changes it")
    if session.state is not State.LIVE:
        return SessionEnded("the live session has ended; start another to show goods")
    return None


def placement(pin: Pin, session: LiveSession) -> Placement:
    """Where an order for the pinned product comes from. Lasting as long as the pin, it is the same for all viewers."""
    return Placement(session.id, pin.shop_id, pin.product_id, session.host_id, pin.pinned_at)
