"""Promotions 推广位 and short links 短链: where a creator spreads goods outside, and what clicks are worth. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal, NamedTuple, NewType

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.alliance.attribution import Model
from fairwind.kernel import ClickId, PersonId, ProductId, Refused, ShopId
from fairwind.kernel.lines import FILLED_LINE
from fairwind.kernel.pages import BIGINT_MAX

PromotionId = NewType("PromotionId", int)
LinkCode = NewType("LinkCode", str)

CODE_LENGTH = 10
"""60 bits: a guessed code leads nowhere in practice, and a drawn one is practically never taken."""
LINKS_MAX = 10_000
"""Links of one promotion."""
PROMOTIONS_MAX = 1000
CLICKS_KEPT = timedelta(days=90)
"""So long clicks are kept one by one; orders have their own copy, and the counts by day stay."""
_DAY_S = 86_400

PromotionName = Annotated[str, Meta(min_length=1, max_length=60, pattern=FILLED_LINE, examples=["618 粉丝群"])]
Code = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{8,32}$", description="What a short link ends in")]


class Outlet(StrEnum):
    """Where a promotion's links are spread."""

    WECHAT = "wechat"
    WEIBO = "weibo"
    QQ = "qq"
    DOUYIN = "douyin"
    XIAOHONGSHU = "xiaohongshu"
    WEB = "web"
    OTHER = "other"


class TooManyPromotions(Refused):
    """The creator has as many promotions as one may have."""

    code = "too_many_promotions"


class TooManyLinks(Refused):
    """The promotion has as many links as one may have."""

    code = "too_many_links"


class NotOnShelf(Refused):
    """What the link would lead to is not for sale."""

    code = "not_on_shelf"


class LinkEnded(Refused):
    """The link leads nowhere any more: its time is over, or its creator has ended it."""

    code = "link_ended"
    status = 410


class PromotionDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place outside the platform where a creator spreads links. The same name and outlet again are the same place."""

    name: PromotionName
    outlet: Outlet


class Promotion(msgspec.Struct, frozen=True):
    """A creator's place outside the platform: links of it are counted together."""

    id: PromotionId
    creator_id: PersonId
    name: str
    outlet: Outlet
    created_at: datetime


class LinkDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A short link to make. The same again answers the link that is there, as long as it has not ended.

    product_id: null for the whole shop. window_days: how long a click counts. model: whether the last click decides or
    the first, see attribution. ends_at: when it leads nowhere any more; null for never.
    """

    promotion_id: Annotated[PromotionId, Meta(ge=1, le=BIGINT_MAX)]
    shop_id: Annotated[ShopId, Meta(ge=1, le=BIGINT_MAX)]
    product_id: Annotated[ProductId, Meta(ge=1, le=BIGINT_MAX)] | None = None
    window_days: Literal[1, 7, 15, 30] = 15
    model: Model = "last"
    ends_at: datetime | None = None

    @property
    def window_s(self) -> int:
        return self.window_days * _DAY_S


class Link(msgspec.Struct, frozen=True):
    """A short link of a creator: `/l/{code}` leads to its product, or to its shop. Its terms never change."""

    code: LinkCode
    creator_id: PersonId
    promotion_id: PromotionId
    shop_id: ShopId
    product_id: ProductId | None
    window_s: int
    model: Model
    created_at: datetime
    ends_at: datetime | None = None


class LinkDay(msgspec.Struct, frozen=True):
    """What came of a link, or of all links of a promotion, on a day in China.

    orders: those placed that day whose attribution a click of the link decided; cancelled ones stay counted.
    """

    day: date
    clicks: int
    orders: int


class DayCount(NamedTuple):
    """What more came of a link on a day."""

    link: Link
    day: date
    clicks: int = 0
    orders: int = 0


class Following(msgspec.Struct, frozen=True):
    """Who follows which link; person_id is None for somebody who has not signed in."""

    link: Link
    person_id: PersonId | None


class Followed(msgspec.Struct, frozen=True):
    """A click as it is kept: whose it is, through which link and when."""

    id: ClickId
    link: Link
    person_id: PersonId | None
    clicked_at: datetime


def link_of(draft: LinkDraft, code: LinkCode, creator_id: PersonId, now: datetime) -> Link:
    """The link that draft asks for."""
    return Link(
        code,
        creator_id,
        draft.promotion_id,
        draft.shop_id,
        draft.product_id,
        draft.window_s,
        draft.model,
        now,
        draft.ends_at,
    )


def same_link(links: Sequence[Link], wanted: Link, now: datetime) -> Link | None:
    """The one of links that is what wanted would be and has not ended."""
    for link in links:
        if replace(wanted, code=link.code, created_at=link.created_at) == link and not has_ended(link, now):
            return link
    return None


def has_ended(link: Link, now: datetime) -> bool:
    return link.ends_at is not None and link.ends_at <= now


def ended(link: Link, now: datetime) -> Link:
    """The link when its creator has ended it; ending it again changes nothing."""
    return link if has_ended(link, now) else replace(link, ends_at=max(now, link.created_at))


def address(link: Link, click_id: ClickId | None) -> str:
    """Where the link leads: the product's address or the shop's, with the click's id to hand in with an order."""
    place = f"/shops/{link.shop_id}" + ("" if link.product_id is None else f"/products/{link.product_id}")
    return place if click_id is None else f"{place}?click={click_id}"
