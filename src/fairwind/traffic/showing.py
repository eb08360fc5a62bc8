"""What is shown to whom, where and why, signed into a token: only what was served can be told of as seen. Pure.

A feed answers a token for each of its items. The viewer's page hands it in once the item was really on the screen, so
that serving writes nothing, and a client cannot invent exposure.
"""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import NamedTuple
from uuid import UUID

import msgspec

from fairwind.kernel import LiveSessionId, ProductId, ShopId
from fairwind.kernel.tokens import seal, unseal
from fairwind.traffic.allocator import Why

_FIELDS = struct.Struct(">HB16sBB16siQfiQqB")
_LAYOUT = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
SLOTS_MAX = 50


class ItemKind(IntEnum):
    """What can be shown. The numbers are stored."""

    LIVE = 1
    PRODUCT = 2


class Item(NamedTuple):
    """Something that can be shown: a live session by its id, or a product by its shop's id and its own in one."""

    kind: ItemKind
    id: UUID


class Showing(msgspec.Struct, frozen=True):
    """An item in a slot of a feed. slot: from 0, best first; of `slots`.

    host_no: whose exposure it is. viewer: a keyed hash that tells viewers apart, and says nothing of who they are.
    utility: as predicted. policy_version, price_version: what was in force.
    """

    feed_id: UUID
    slot: int
    slots: int
    item: Item
    host_no: int
    viewer: int
    why: Why
    utility: float
    policy_version: int
    price_version: int
    served_at: datetime


def live_item(session_id: LiveSessionId) -> Item:
    return Item(ItemKind.LIVE, session_id)


def product_item(shop_id: ShopId, product_id: ProductId) -> Item:
    return Item(ItemKind.PRODUCT, UUID(int=shop_id << 64 | product_id))


def product_of(item: Item) -> tuple[ShopId, ProductId]:
    """The shop and the product that a product's item stands for."""
    assert item.kind is ItemKind.PRODUCT
    return ShopId(item.id.int >> 64), ProductId(item.id.int & (1 << 64) - 1)


def sign(showing: Showing, key: bytes) -> str:
    """The token of showing under key."""
    fields = _FIELDS.pack(
        _LAYOUT,
        showing.slot,
        showing.feed_id.bytes,
        showing.slots,
        showing.item.kind,
        showing.item.id.bytes,
        showing.host_no,
        showing.viewer,
        showing.utility,
        showing.policy_version,
        showing.price_version,
        (showing.served_at - _EPOCH) // _MICROSECOND,
        showing.why,
    )
    return seal(fields, key)


def read(token: str, key: bytes) -> Showing | None:
    """The showing that token was signed for under key; None for any other text."""
    fields = unseal(token, key, _FIELDS.size)
    if fields is None:
        return None
    layout, slot, feed_id, slots, kind, item_id, host_no, viewer, utility, policy, price, served, why = _FIELDS.unpack(
        fields
    )
    assert layout == _LAYOUT, "only this layout was ever signed"
    return Showing(
        UUID(bytes=feed_id),
        slot,
        slots,
        Item(ItemKind(kind), UUID(bytes=item_id)),
        host_no,
        viewer,
        Why(why),
        utility,
        policy,
        price,
        _EPOCH + served * _MICROSECOND,
    )
