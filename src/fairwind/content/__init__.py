"""Content: live rooms, their sessions, the goods pinned in them, and the placements that orders carry.

A placement says which creator showed which product where; its token is signed, so an order can name only a place that
it was really shown in. A room has at most one live session; only its host changes it.
"""

from fairwind.content.placement import Placement
from fairwind.content.placements import PlacementInvalid, Placements

__all__ = ["Placement", "PlacementInvalid", "Placements"]
