"""The link desk: gates in front of what many people do at once."""

from __future__ import annotations

from fairwind.alliance.commands.links import find_links, follow
from fairwind.alliance.link import Followed, Following, Link, LinkCode
from fairwind.kernel import Gate, PersonId, Platform, ShopId

EVERYWHERE = ShopId(0)
"""The lane of what is looked up before its shop is known."""


class Links:
    """Short links as they are followed. A viral link costs two transactions a batch, not two a click."""

    def __init__(self, platform: Platform) -> None:
        self._finding: Gate[ShopId, LinkCode, Link] = platform.gate("find_link", find_links)
        self._following: Gate[ShopId, Following, Followed] = platform.gate("follow_link", follow)

    async def follow(self, code: LinkCode, person_id: PersonId | None) -> Followed:
        """The click of somebody who follows the link, written when this answers. Raises NotFound, LinkEnded."""
        link = await self.find(code)
        return await self._following(link.shop_id, Following(link, person_id))

    async def find(self, code: LinkCode) -> Link:
        """The link, for who only wants to know where it leads. Raises NotFound, LinkEnded."""
        return await self._finding(EVERYWHERE, code)
