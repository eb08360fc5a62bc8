"""Samples 寄样: goods that a shop sends a creator to be shown, from the request to the showing. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, NewType
from uuid import UUID

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from fairwind.kernel import NotFound, PersonId, ProductId, Refused, ShopId
from fairwind.kernel.lines import FILLED_LINE, LINES
from fairwind.kernel.pages import BIGINT_MAX
from fairwind.kernel.states import WrongState, after, arrived

SampleId = NewType("SampleId", UUID)


Words = Annotated[str, Meta(max_length=200, pattern=LINES)]


class SampleState(StrEnum):
    """Where a sample stands."""

    REQUESTED = "requested"
    APPROVED = "approved"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    SHIPPED = "shipped"
    RECEIVED = "received"
    SHOWN = "shown"
    OVERDUE = "overdue"


class SampleAction(StrEnum):
    """What happens to a sample."""

    APPROVE = "approve"
    DECLINE = "decline"
    WITHDRAW = "withdraw"
    SHIP = "ship"
    RECEIVE = "receive"
    SHOW = "show"
    MISS = "miss"


TRANSITIONS: Mapping[tuple[SampleState, SampleAction], SampleState] = {
    (SampleState.REQUESTED, SampleAction.APPROVE): SampleState.APPROVED,
    (SampleState.REQUESTED, SampleAction.DECLINE): SampleState.DECLINED,
    (SampleState.REQUESTED, SampleAction.WITHDRAW): SampleState.WITHDRAWN,
    (SampleState.APPROVED, SampleAction.SHIP): SampleState.SHIPPED,
    (SampleState.SHIPPED, SampleAction.RECEIVE): SampleState.RECEIVED,
    (SampleState.RECEIVED, SampleAction.SHOW): SampleState.SHOWN,
    (SampleState.RECEIVED, SampleAction.MISS): SampleState.OVERDUE,
}

BY_CREATOR = frozenset({SampleAction.WITHDRAW, SampleAction.RECEIVE, SampleAction.SHOW})
"""What the creator of a sample does; the rest is the shop's, but for what time does by itself."""
_CLOSED = frozenset({SampleState.DECLINED, SampleState.WITHDRAWN, SampleState.SHOWN, SampleState.OVERDUE})


class NoSamples(Refused):
    """The shop gives no samples of the product, or no more of them."""

    code = "no_samples"


class SampleLimit(Refused):
    """The creator has asked for as many samples of the product as one creator may have."""

    code = "sample_limit"


class SampleAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a sample goes. region: the six-digit code of the county (GB/T 2260)."""

    name: Annotated[str, Meta(min_length=1, max_length=64, pattern=FILLED_LINE, examples=["小风"])]
    phone: Annotated[str, Meta(pattern=r"^\+?[0-9][0-9 -]{4,18}[0-9]$", examples=["13800000000"])]
    region: Annotated[str, Meta(pattern=r"^[1-9][0-9]{5}$", examples=["330106"])]
    detail: Annotated[str, Meta(min_length=1, max_length=200, pattern=FILLED_LINE, examples=["文三路 1 号"])]


class SampleOfferDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many samples of a product a shop gives: in all, and at most to one creator."""

    quantity: Annotated[int, Meta(ge=0, le=100_000)]
    per_creator_max: Annotated[int, Meta(ge=1, le=100)] = 1


class SampleOffer(msgspec.Struct, frozen=True):
    """How many samples of a product a shop gives; given_quantity counts those agreed to."""

    shop_id: ShopId
    product_id: ProductId
    quantity: int
    per_creator_max: int
    given_quantity: int = 0

    @property
    def left(self) -> int:
        return max(self.quantity - self.given_quantity, 0)


class SampleDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sample that a creator asks for. note: what the creator wants to do with it."""

    product_id: Annotated[ProductId, Meta(ge=1, le=BIGINT_MAX)]
    address: SampleAddress
    note: Words = ""


class SampleAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the shop says to a request."""

    message: Words = ""


class SampleShipment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """With whom a sample travels, and under which number."""

    carrier: Annotated[str, Meta(min_length=1, max_length=60, pattern=FILLED_LINE, examples=["顺丰"])]
    tracking_number: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{4,40}$", examples=["SF1234567890"])]


class SampleShowing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the creator showed the sample: a page outside, or a path on this platform."""

    url: Annotated[str, Meta(pattern=r"^(https?:/)?/\S{1,500}$", examples=["/live-sessions/0190…"])]


class Sample(msgspec.Struct, frozen=True):
    """A sample, from its request on. message: the shop's words. show_by: until when it has to be shown."""

    shop_id: ShopId
    id: SampleId
    product_id: ProductId
    creator_id: PersonId
    state: SampleState
    address: SampleAddress
    note: str
    requested_at: datetime
    message: str = ""
    carrier: str | None = None
    tracking_number: str | None = None
    shown_at_url: str | None = None
    decided_at: datetime | None = None
    shipped_at: datetime | None = None
    received_at: datetime | None = None
    show_by: datetime | None = None
    closed_at: datetime | None = None


class SampleStep(msgspec.Struct, frozen=True):
    """What is to happen to a sample, and by whom. creator_id: None when it is the shop or time that acts."""

    sample_id: SampleId
    action: SampleAction
    creator_id: PersonId | None = None
    message: str = ""
    shipment: SampleShipment | None = None
    url: str | None = None


def request_refusal(offer: SampleOffer | None, asked_quantity: int, *, on_shelf: bool) -> Refused | None:
    """Why a creator who has asked_quantity samples of the product, or asks for them, gets no more; None for go on."""
    if not on_shelf:
        return NoSamples("the product is off the shelf; its shop can put it back")
    if offer is None or offer.quantity == 0:
        return NoSamples("the shop gives no samples of this product; ask it to offer some")
    if offer.left == 0:
        return NoSamples(f"all {offer.quantity} samples of this product are given; ask the shop to offer more")
    if asked_quantity >= offer.per_creator_max:
        return SampleLimit(
            f"each creator may have {offer.per_creator_max} of this product, and you have asked for {asked_quantity}",
            per_creator_max=offer.per_creator_max,
        )
    return None


def step(
    sample: Sample, wanted: SampleStep, offer: SampleOffer, show_within: timedelta, now: datetime
) -> Sample | Refused:
    """The sample after what is wanted of it, or why that cannot be. show_within: time to show it, from receipt on."""
    assert (wanted.creator_id is not None) == (wanted.action in BY_CREATOR)
    if wanted.creator_id is not None and wanted.creator_id != sample.creator_id:
        return no_sample(sample.id)
    if arrived(TRANSITIONS, sample.state, wanted.action) and _said_before(sample, wanted):
        return sample
    following = after(TRANSITIONS, sample.state, wanted.action)
    if isinstance(following, WrongState):
        return following
    changed = replace(sample, state=following, closed_at=now if following in _CLOSED else None)
    match wanted.action:
        case SampleAction.APPROVE:
            if offer.left == 0:
                return NoSamples("all samples of this product are given; raise the offer's quantity first")
            return replace(changed, message=wanted.message, decided_at=now)
        case SampleAction.DECLINE:
            return replace(changed, message=wanted.message, decided_at=now)
        case SampleAction.SHIP:
            assert wanted.shipment is not None
            carrier, tracking_number = wanted.shipment.carrier, wanted.shipment.tracking_number
            return replace(changed, carrier=carrier, tracking_number=tracking_number, shipped_at=now)
        case SampleAction.RECEIVE:
            return replace(changed, received_at=now, show_by=now + show_within)
        case SampleAction.SHOW:
            return replace(changed, shown_at_url=wanted.url)
    return changed


def _said_before(sample: Sample, wanted: SampleStep) -> bool:
    """Whether the step says of the parcel, or of where the sample was shown, what is known."""
    if wanted.action is SampleAction.SHIP:
        assert wanted.shipment is not None
        return (wanted.shipment.carrier, wanted.shipment.tracking_number) == (sample.carrier, sample.tracking_number)
    return wanted.action is not SampleAction.SHOW or wanted.url == sample.shown_at_url


def no_sample(sample_id: SampleId) -> NotFound:
    return NotFound(f"there is no sample {sample_id}")
