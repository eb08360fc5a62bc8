"""Placements: where an order came from, signed so that nobody can name a place it did not come from. Pure.

A viewer's page carries one token for each pinned good and hands it in with the order. All viewers of a pin share its
token of 88 characters.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from fairwind.kernel import LiveSessionId, PersonId, ProductId, ShopId
from fairwind.kernel.tokens import seal, unseal

_FIELDS = struct.Struct(">H16sqqqq")
_LAYOUT = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Placement(msgspec.Struct, frozen=True):
    """A product shown by a creator in a live session. issued_at: since when it has been pinned."""

    session_id: LiveSessionId
    shop_id: ShopId
    product_id: ProductId
    creator_id: PersonId
    issued_at: datetime


def sign(placement: Placement, key: bytes) -> str:
    """The token of placement under key."""
    fields = _FIELDS.pack(
        _LAYOUT,
        placement.session_id.bytes,
        placement.shop_id,
        placement.product_id,
        placement.creator_id,
        (placement.issued_at - _EPOCH) // _MICROSECOND,
    )
    return seal(fields, key)


def read(token: str, key: bytes) -> Placement | None:
    """The placement that token was signed for under key; None for any other text."""
    fields = unseal(token, key, _FIELDS.size)
    if fields is None:
        return None
    layout, session_id, shop_id, product_id, creator_id, microseconds = _FIELDS.unpack(fields)
    assert layout == _LAYOUT, "only this layout was ever signed"
    return Placement(
        LiveSessionId(UUID(bytes=session_id)),
        ShopId(shop_id),
        ProductId(product_id),
        PersonId(creator_id),
        _EPOCH + microseconds * _MICROSECOND,
    )
