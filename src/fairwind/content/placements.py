"""The signing of placements with this installation's key."""

from __future__ import annotations

from functools import lru_cache

from fairwind.content import placement
from fairwind.content.placement import Placement
from fairwind.kernel import Database, Refused, secret

_TOKENS_REMEMBERED_MAX = 8192


class PlacementInvalid(Refused):
    """The placement was not issued here: take it from the live session's pinned goods, or order without one."""

    code = "placement_invalid"
    status = 422


class Placements:
    """Signs and reads placements. The key is fetched on first use; all viewers of a pin share a token, so most
    reads are answered from memory.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._key: bytes | None = None
        self._remembered = lru_cache(_TOKENS_REMEMBERED_MAX)(placement.read)

    async def read(self, token: str) -> Placement:
        """The placement that token was issued for; PlacementInvalid when it was issued for none."""
        found = self._remembered(token, self._key or await self._fetch_key())
        if found is None:
            raise PlacementInvalid(
                "the placement was not issued here; take it from the live session's pinned goods, or order without one"
            )
        return found

    async def sign(self, shown: Placement) -> str:
        """The token of shown."""
        return placement.sign(shown, self._key or await self._fetch_key())

    async def _fetch_key(self) -> bytes:
        self._key = await self._database.run(lambda tx: secret(tx, "content.placement"))
        return self._key
