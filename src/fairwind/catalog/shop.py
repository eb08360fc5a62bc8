"""Shops and the platform's categories. Pure."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, NamedTuple
from uuid import UUID

import msgspec
from msgspec import Meta

from fairwind.catalog.texts import CategoryName, ShopName
from fairwind.kernel import CategoryId, PersonId, ShopId
from fairwind.kernel.pages import BIGINT_MAX


class Channel(StrEnum):
    """How a shop came to the platform; its service fee depends on it."""

    OWN = "own"
    YOUZAN = "youzan"
    MOKUAI = "mokuai"
    SUPPLIER = "supplier"


class ShopState(StrEnum):
    """Whether anything of a shop can be bought."""

    OPEN = "open"
    CLOSED = "closed"


class Shop(msgspec.Struct, frozen=True):
    """A shop. opened_on: its first day, in China; how new it is decides what it pays."""

    id: ShopId
    name: str
    channel: Channel
    state: ShopState
    opened_on: date
    created_at: datetime


class ShopDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A shop to open. id: a UUID that the client makes; sent again, it opens no second shop."""

    id: UUID
    name: ShopName
    channel: Channel = Channel.OWN


class ShopChange(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a shop's members may change."""

    name: ShopName


class Opening(msgspec.Struct, frozen=True):
    """A shop's opening as it was asked for, and the shop that it opened."""

    id: UUID
    person_id: PersonId
    name: str
    channel: Channel
    shop_id: ShopId


class Category(msgspec.Struct, frozen=True):
    """A category; parent_id is null for one at the top. The tree has two levels."""

    id: CategoryId
    name: str
    parent_id: CategoryId | None


class CategoryDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A category to add: at the top, or under one that is at the top."""

    name: CategoryName
    parent_id: Annotated[CategoryId, Meta(ge=1, le=BIGINT_MAX)] | None = None


class CategoryPath(NamedTuple):
    """A category by name: parent is empty for one at the top, both are for none at all."""

    parent: str
    name: str


NO_CATEGORY = CategoryPath("", "")
