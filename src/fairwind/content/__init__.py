"""Content: live rooms, their sessions, the goods pinned in them, and the placements that orders carry.

A placement says which creator showed which product where; its token is signed, so an order can name only a place that
it was really shown in. A room has at most one live session; only its host changes it, and once ended nothing does.
"""

from fairwind.content.commands import Ending, Opening, Pinning, Starting, finish, open_rooms, pin, start
from fairwind.content.placement import Placement
from fairwind.content.placements import PlacementInvalid, Placements
from fairwind.content.routes import HANDLERS
from fairwind.content.session import LiveSession, Pin, PinDraft, Room
from fairwind.kernel import Platform, Wiring

__all__ = [
    "Ending",
    "LiveSession",
    "Opening",
    "Pin",
    "PinDraft",
    "Pinning",
    "Placement",
    "PlacementInvalid",
    "Placements",
    "Room",
    "Starting",
    "finish",
    "open_rooms",
    "pin",
    "start",
    "wire",
]


def wire(platform: Platform) -> Wiring:
    return Wiring(handlers=HANDLERS, provides={"placements": Placements(platform.database)})
