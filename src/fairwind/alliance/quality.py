"""The quality pool 优质商品池: what goods have to meet, how they get in and why they leave. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, NewType
from uuid import UUID

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.kernel import (
    PPM_WHOLE,
    CategoryId,
    Fen,
    Forbidden,
    NotFound,
    PersonId,
    Ppm,
    ProductId,
    Refused,
    ShopId,
    SkuId,
    format_yuan,
)
from fairwind.kernel.lines import LINES
from fairwind.kernel.pages import BIGINT_MAX
from fairwind.kernel.states import WrongState, after, arrived

NominationId = NewType("NominationId", UUID)

_PPM_PERCENT = 10_000

AnyQuantity = Annotated[int, Meta(ge=0, le=10**12)]
AnyPpm = Annotated[Ppm, Meta(ge=0, le=PPM_WHOLE)]


class NominationState(StrEnum):
    """Where a product's way into the quality pool stands."""

    NOMINATED = "nominated"
    MEMBER = "member"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    REMOVED = "removed"


class NominationAction(StrEnum):
    """What happens to a nomination. Remove: the platform takes a product out that was in."""

    APPROVE = "approve"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    REMOVE = "remove"


TRANSITIONS: Mapping[tuple[NominationState, NominationAction], NominationState] = {
    (NominationState.NOMINATED, NominationAction.APPROVE): NominationState.MEMBER,
    (NominationState.NOMINATED, NominationAction.DECLINE): NominationState.DECLINED,
    (NominationState.NOMINATED, NominationAction.WITHDRAW): NominationState.WITHDRAWN,
    (NominationState.MEMBER, NominationAction.WITHDRAW): NominationState.WITHDRAWN,
    (NominationState.MEMBER, NominationAction.REMOVE): NominationState.REMOVED,
}

OPEN = frozenset({NominationState.NOMINATED, NominationState.MEMBER})
"""A product has at most one nomination in these states."""
_LEFT = frozenset({NominationState.WITHDRAWN, NominationState.REMOVED})


class Criterion(StrEnum):
    """What a product can fall short in."""

    ON_SHELF = "on_shelf"
    RATING = "rating"
    RATINGS = "ratings"
    SOLD = "sold"
    RETURN_RATE = "return_rate"
    STOCK = "stock"
    PRICE = "price"


class CriteriaUnmet(Refused):
    """The product does not meet the pool's criteria; `faults` says which, what is needed and by how much it misses."""

    code = "criteria_unmet"
    status = 422


class AlreadyNominated(Refused):
    """The product has been nominated, or is in the pool."""

    code = "already_nominated"


class CriteriaDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goods have to meet from now on.

    rating_min_centistars: the least mean rating, in hundredths of a star, of goods that have ratings; ratings_min: how
    many they need. return_rate_max_ppm: of pieces sold, the most that came back; sold_min_quantity: how many have to be
    sold for that to say something. stock_min_quantity: the least that can be had. price_rise_max_ppm: how far above its
    lowest of the last price_days a price may be; 0 days asks nothing of prices.
    """

    rating_min_centistars: Annotated[int, Meta(ge=0, le=500)]
    ratings_min: AnyQuantity
    return_rate_max_ppm: AnyPpm
    sold_min_quantity: AnyQuantity
    stock_min_quantity: AnyQuantity
    price_days: Annotated[int, Meta(ge=0, le=365)]
    price_rise_max_ppm: AnyPpm


class Criteria(msgspec.Struct, frozen=True):
    """A version of what goods have to meet, in force until the next; set_by is None for what the platform came with."""

    version: int
    rating_min_centistars: int
    ratings_min: int
    return_rate_max_ppm: Ppm
    sold_min_quantity: int
    stock_min_quantity: int
    price_days: int
    price_rise_max_ppm: Ppm
    set_by: PersonId | None
    set_at: datetime


class PastPrice(msgspec.Struct, frozen=True):
    """What a SKU on the shelf costs now, and the lowest that it has cost in the criteria's days."""

    sku_id: SkuId
    price_fen: Fen
    lowest_fen: Fen


class Standing(msgspec.Struct, frozen=True):
    """What is known of a product now. centistars: its mean rating, None without any. stock_quantity: can be had."""

    on_shelf: bool
    centistars: int | None
    ratings: int
    sold_quantity: int
    returned_quantity: int
    stock_quantity: int
    prices: tuple[PastPrice, ...]


class Fault(msgspec.Struct, frozen=True):
    """A criterion that a product does not meet: what is needed, what was measured, and by how much it misses.

    In the criterion's own unit: centistars, pieces, ppm, or fen of the SKU that is furthest off.
    """

    criterion: Criterion
    needed: int
    measured: int
    by: int
    english: str
    chinese: str


class Quality(msgspec.Struct, frozen=True):
    """How a product stands to the criteria in force; none of faults: it may be nominated, or stays."""

    criteria: Criteria
    standing: Standing
    faults: list[Fault]


class NominationDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A product that its shop wants in the quality pool; nominating is the shop's approval."""

    product_id: Annotated[ProductId, Meta(ge=1, le=BIGINT_MAX)]


class NominationAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the operator says to a nomination."""

    message: Annotated[str, Meta(max_length=200, pattern=LINES)] = ""


class RemovalReason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the operator takes a product out of the pool."""

    message: Annotated[str, Meta(min_length=1, max_length=200, pattern=LINES)]


class Nomination(msgspec.Struct, frozen=True):
    """A product's way into the quality pool and out of it.

    criteria_version: what it met when it entered. faults: what it did not meet when it left by itself. message: the
    operator's words. left_by: who withdrew or removed it, None when it left by itself.
    """

    shop_id: ShopId
    id: NominationId
    product_id: ProductId
    state: NominationState
    nominated_by: PersonId
    nominated_at: datetime
    decided_by: PersonId | None = None
    decided_at: datetime | None = None
    criteria_version: int | None = None
    message: str = ""
    faults: list[Fault] | None = None
    left_at: datetime | None = None
    left_by: PersonId | None = None


class NominationView(msgspec.Struct, frozen=True):
    """A nomination as everybody sees it: what became of it, when and why, and not who did it."""

    id: NominationId
    state: NominationState
    nominated_at: datetime
    decided_at: datetime | None
    criteria_version: int | None
    message: str
    faults: list[Fault]
    left_at: datetime | None


class NominationStep(msgspec.Struct, frozen=True):
    """What is to happen to a nomination; person_id is None for what the platform does by itself."""

    nomination_id: NominationId
    action: NominationAction
    person_id: PersonId | None
    message: str = ""


class QualityGood(msgspec.Struct, frozen=True):
    """A product in the quality pool since `since`. return_rate_ppm: of the pieces sold, those that came back."""

    shop_id: ShopId
    product_id: ProductId
    nomination_id: NominationId
    title: str
    shop_name: str
    category_id: CategoryId | None
    price_fen: Fen | None
    centistars: int | None
    ratings: int
    sold_quantity: int
    return_rate_ppm: Ppm
    since: datetime


def faults(criteria: Criteria, standing: Standing) -> list[Fault]:
    """What of criteria the product does not meet, in the order of Criterion."""
    return list(_faults(criteria, standing))


def _faults(criteria: Criteria, standing: Standing) -> Iterator[Fault]:
    if not standing.on_shelf:
        yield Fault(Criterion.ON_SHELF, 1, 0, 1, "the product is not for sale", "商品未在售")
    least = criteria.rating_min_centistars
    if standing.centistars is not None and standing.centistars < least:
        yield Fault(
            Criterion.RATING,
            least,
            standing.centistars,
            least - standing.centistars,
            f"its rating of {_stars(standing.centistars)} is below {_stars(least)}",
            f"评分 {_stars(standing.centistars)} 低于 {_stars(least)}",
        )
    yield from _too_few(Criterion.RATINGS, criteria.ratings_min, standing.ratings, ("ratings", "评价数"))
    yield from _too_few(Criterion.SOLD, criteria.sold_min_quantity, standing.sold_quantity, ("pieces sold", "销量"))
    most_ppm = criteria.return_rate_max_ppm
    if standing.returned_quantity * PPM_WHOLE > most_ppm * standing.sold_quantity and standing.sold_quantity:
        # Rounded up, so that what misses by a hair is seen to miss.
        rate_ppm = -(-standing.returned_quantity * PPM_WHOLE // standing.sold_quantity)
        yield Fault(
            Criterion.RETURN_RATE,
            most_ppm,
            rate_ppm,
            rate_ppm - most_ppm,
            f"its return rate of {_percent(rate_ppm)} is above {_percent(most_ppm)}",
            f"退货率 {_percent(rate_ppm)} 高于 {_percent(most_ppm)}",
        )
    yield from _too_few(
        Criterion.STOCK, criteria.stock_min_quantity, standing.stock_quantity, ("pieces in stock", "库存")
    )
    if criteria.price_days and (dear := _dearest(criteria, standing.prices)):
        price, allowed_fen = dear
        yield Fault(
            Criterion.PRICE,
            allowed_fen,
            price.price_fen,
            price.price_fen - allowed_fen,
            f"SKU {price.sku_id} costs {format_yuan(price.price_fen)} yuan, more than the {format_yuan(allowed_fen)} "
            f"that its lowest price of the last {criteria.price_days} days allows",
            f"规格 {price.sku_id} 现价 {format_yuan(price.price_fen)} 元，"
            f"高于近 {criteria.price_days} 天最低价允许的 {format_yuan(allowed_fen)} 元",
        )


def _too_few(criterion: Criterion, needed: int, measured: int, names: tuple[str, str]) -> Iterator[Fault]:
    if measured < needed:
        english, chinese = names
        yield Fault(
            criterion,
            needed,
            measured,
            needed - measured,
            f"{needed:,} {english} are needed and it has {measured:,}",
            f"{chinese}需达到 {needed:,}，现为 {measured:,}",
        )


def _dearest(criteria: Criteria, prices: Sequence[PastPrice]) -> tuple[PastPrice, int] | None:
    """The price that is furthest above what is allowed, the lower SKU of two; None when none is above."""
    above = [
        (price.price_fen - allowed_fen, -price.sku_id, price, allowed_fen)
        for price in prices
        if price.price_fen > (allowed_fen := _allowed_fen(criteria, price))
    ]
    return max(above, key=lambda each: each[:2])[2:] if above else None


def _allowed_fen(criteria: Criteria, price: PastPrice) -> int:
    return price.lowest_fen * (PPM_WHOLE + criteria.price_rise_max_ppm) // PPM_WHOLE


def unmet(those: Sequence[Fault]) -> CriteriaUnmet | None:
    """The refusal that these faults are, or None without any."""
    if not those:
        return None
    words = "; ".join(fault.english for fault in those)
    return CriteriaUnmet(f"the product does not meet the criteria: {words}", faults=list(those))


def step(
    nomination: Nomination, wanted: NominationStep, those: Sequence[Fault], criteria: Criteria, now: datetime
) -> Nomination | Refused:
    """The nomination after what is wanted of it, or why that cannot be; as it stands when that was done before.

    those: the product's faults by criteria now.
    """
    if arrived(TRANSITIONS, nomination.state, wanted.action):
        return nomination
    following = after(TRANSITIONS, nomination.state, wanted.action)
    if isinstance(following, WrongState):
        return following
    changed = replace(nomination, state=following)
    if following in _LEFT:
        changed = replace(changed, left_at=now, left_by=wanted.person_id)
    match wanted.action:
        case NominationAction.APPROVE if wanted.person_id == nomination.nominated_by:
            return Forbidden("you nominated it for the shop; another operator approves it for the platform")
        case NominationAction.APPROVE:
            decided = replace(changed, decided_by=wanted.person_id, decided_at=now, message=wanted.message)
            return unmet(those) or replace(decided, criteria_version=criteria.version)
        case NominationAction.DECLINE:
            return replace(changed, decided_by=wanted.person_id, decided_at=now, message=wanted.message)
        case NominationAction.REMOVE:
            return replace(changed, faults=list(those) or None, message=wanted.message or changed.message)
    return changed


def view(nomination: Nomination) -> NominationView:
    return NominationView(
        nomination.id,
        nomination.state,
        nomination.nominated_at,
        nomination.decided_at,
        nomination.criteria_version,
        nomination.message,
        nomination.faults or [],
        nomination.left_at,
    )


def no_nomination(nomination_id: NominationId) -> NotFound:
    return NotFound(f"there is no nomination {nomination_id}")


def _stars(centistars: int) -> str:
    return f"{centistars // 100}.{centistars % 100:02}"


def _percent(rate_ppm: int) -> str:
    whole, rest = divmod(rate_ppm, _PPM_PERCENT)
    return f"{whole}.{rest:04}".rstrip("0").rstrip(".") + " %"
