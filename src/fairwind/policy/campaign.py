"""Subsidy campaigns 双百亿补贴: who adds how much to which buyers' prices, and the life of a campaign. Pure.

A campaign's terms are agreed upon once, by every funder, and never change: it can only be stopped early, as a whole or
by a funder for its part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, NewType
from uuid import UUID

import msgspec
from msgspec import Meta
from msgspec.structs import asdict, replace

from fairwind.kernel import (
    FEN_MAX,
    PPM_WHOLE,
    CampaignId,
    CategoryId,
    Fen,
    Invalid,
    NotFound,
    PersonId,
    Ppm,
    ProductId,
    Refused,
    ShopId,
    portion,
)
from fairwind.kernel.pages import BIGINT_MAX
from fairwind.policy.moments import AHEAD_MAX, Moment

FunderId = NewType("FunderId", int)
PLATFORM = FunderId(0)
"""The platform as a funder; the others go by the ids of their shops."""

FUNDERS_MAX = 10
SCOPE_MAX = 200
"""Ids in each list of a scope: every batch of a shop under the campaign reads them."""
PERIOD_MAX = timedelta(days=400)

AnyId = Annotated[int, Meta(ge=1, le=BIGINT_MAX)]
AmountFen = Annotated[Fen, Meta(ge=1, le=10_000_000_000)]
RatePpm = Annotated[Ppm, Meta(ge=1, le=PPM_WHOLE)]


class State(StrEnum):
    """Where a campaign stands. An agreed one runs while its period lasts."""

    PROPOSED = "proposed"
    AGREED = "agreed"
    DECLINED = "declined"
    STOPPED = "stopped"
    ENDED = "ended"


class Action(StrEnum):
    """What happens to a campaign."""

    AGREE = "agree"
    DECLINE = "decline"
    STOP = "stop"
    END = "end"


TRANSITIONS: Mapping[tuple[State, Action], State] = {
    (State.PROPOSED, Action.AGREE): State.AGREED,
    (State.PROPOSED, Action.DECLINE): State.DECLINED,
    (State.PROPOSED, Action.STOP): State.STOPPED,
    (State.PROPOSED, Action.END): State.ENDED,
    (State.AGREED, Action.STOP): State.STOPPED,
    (State.AGREED, Action.END): State.ENDED,
}


class CampaignClosed(Refused):
    """The campaign has gone on; what was asked for cannot happen to it any more."""

    code = "campaign_closed"
    status = 409


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a campaign adds for each piece: rate_ppm of its price, or piece_fen; at most piece_max_fen."""

    rate_ppm: RatePpm | None = None
    piece_fen: AmountFen | None = None
    piece_max_fen: AmountFen | None = None

    def amount_fen(self, price_fen: Fen, quantity: int) -> Fen:
        """What the rule gives for quantity pieces at price_fen: rounded down for each piece.

        At least 1 fen of the line stays with the buyer.
        """
        each_fen = portion(price_fen, self.rate_ppm) if self.rate_ppm is not None else self.piece_fen
        assert each_fen is not None, "a rule has a rate or an amount"
        if self.piece_max_fen is not None:
            each_fen = min(each_fen, self.piece_max_fen)
        return Fen(min(each_fen * quantity, price_fen * quantity - 1))


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which goods a campaign is for: those in every list that names something; without any, all.

    category_ids: a category stands for those under it as well.
    """

    shop_ids: Annotated[tuple[AnyId, ...], Meta(max_length=SCOPE_MAX)] = ()
    category_ids: Annotated[tuple[AnyId, ...], Meta(max_length=SCOPE_MAX)] = ()
    product_ids: Annotated[tuple[AnyId, ...], Meta(max_length=SCOPE_MAX)] = ()

    def holds(
        self,
        shop_id: ShopId,
        product_id: ProductId,
        category_id: CategoryId | None,
        parent_id: CategoryId | None,
    ) -> bool:
        """Whether a product of a shop is in it. parent_id: the category above the product's own."""
        return (
            (not self.shop_ids or shop_id in self.shop_ids)
            and (not self.product_ids or product_id in self.product_ids)
            and (not self.category_ids or category_id in self.category_ids or parent_id in self.category_ids)
        )


class Terms(msgspec.Struct, frozen=True):
    """What a campaign gives for what.

    order_max_fen, buyer_max_fen: the most for one order, and for one buyer over all shops. guard_days: nothing is given
    for a price above the lowest that the SKU had in so many days, nor for a SKU that had no price yet so many days ago;
    0 for no guard.
    """

    rule: Rule
    scope: Scope
    order_max_fen: Fen | None
    buyer_max_fen: Fen | None
    guard_days: int

    def amount_fen(self, price_fen: Fen, quantity: int) -> Fen:
        """What a line gets when it is the first of its order and of its buyer."""
        amounts = (self.rule.amount_fen(price_fen, quantity), self.order_max_fen, self.buyer_max_fen)
        return min(amount for amount in amounts if amount is not None)


class FundingDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one funder puts in.

    funder_id: 0 for the platform, else a shop's or supplier's shop id. share_ppm: its part of each subsidy.
    in_base: whether its part counts towards the base of commissions.
    """

    funder_id: Annotated[FunderId, Meta(ge=0, le=BIGINT_MAX)]
    share_ppm: RatePpm
    budget_fen: Annotated[Fen, Meta(ge=1, le=FEN_MAX)]
    in_base: bool = True


class CampaignDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A campaign to propose. id: made by the client; the same id and content again is the same campaign.

    guard_days: a price gets nothing when its SKU was cheaper at any moment of so many days, or had no price yet when
    they began; 0 for no guard.
    """

    id: UUID
    name: Annotated[str, Meta(min_length=1, max_length=60, examples=["双百亿补贴"])]
    rule: Rule
    fundings: Annotated[tuple[FundingDraft, ...], Meta(min_length=1, max_length=FUNDERS_MAX)]
    scope: Scope = Scope()
    order_max_fen: AmountFen | None = None
    buyer_max_fen: AmountFen | None = None
    guard_days: Annotated[int, Meta(ge=0, le=365)] = 30
    starts_at: Moment
    ends_at: Moment


class Funding(msgspec.Struct, frozen=True, kw_only=True):
    """A funder's part in a campaign. drawn_fen: what shops have of the budget, spent or not."""

    funder_id: FunderId
    share_ppm: Ppm
    budget_fen: Fen
    in_base: bool
    drawn_fen: Fen = Fen(0)
    accepted_at: datetime | None = None
    accepted_by: PersonId | None = None
    stopped_at: datetime | None = None
    stopped_by: PersonId | None = None


class Campaign(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign and its funders, by their ids."""

    id: CampaignId
    draft_id: UUID
    name: str
    terms: Terms
    starts_at: datetime
    ends_at: datetime
    state: State
    proposed_by: PersonId
    proposed_at: datetime
    agreed_at: datetime | None = None
    closed_at: datetime | None = None
    fundings: tuple[Funding, ...]

    def runs(self, now: datetime) -> bool:
        """Whether it gives anything now."""
        return self.state is State.AGREED and self.starts_at <= now < self.ends_at

    def funding(self, funder_id: int) -> Funding | None:
        return next((funding for funding in self.fundings if funding.funder_id == funder_id), None)

    def draft(self) -> CampaignDraft:
        """What was proposed."""
        drafted = FundingDraft.__struct_fields__
        return CampaignDraft(
            id=self.draft_id,
            name=self.name,
            rule=self.terms.rule,
            scope=self.terms.scope,
            order_max_fen=self.terms.order_max_fen,
            buyer_max_fen=self.terms.buyer_max_fen,
            guard_days=self.terms.guard_days,
            fundings=tuple(FundingDraft(*(getattr(each, name) for name in drafted)) for each in self.fundings),
            starts_at=self.starts_at,
            ends_at=self.ends_at,
        )


def tidied(draft: CampaignDraft) -> CampaignDraft:
    """The draft with its lists in order, so that two can be compared."""
    scope = Scope(*(tuple(sorted(set(ids))) for ids in asdict(draft.scope).values()))
    return replace(draft, scope=scope, fundings=tuple(sorted(draft.fundings, key=lambda each: each.funder_id)))


def fault(draft: CampaignDraft, now: datetime) -> Invalid | None:
    """What makes no sense in a draft, or None."""
    if (draft.rule.rate_ppm is None) == (draft.rule.piece_fen is None):
        return Invalid("rule must have either rate_ppm or piece_fen")
    if len({funding.funder_id for funding in draft.fundings}) < len(draft.fundings):
        return Invalid("fundings must name each funder once")
    if sum(funding.share_ppm for funding in draft.fundings) != PPM_WHOLE:
        return Invalid(f"share_ppm of all fundings must sum to {PPM_WHOLE}")
    if not draft.starts_at < draft.ends_at <= draft.starts_at + PERIOD_MAX:
        return Invalid(f"ends_at must be after starts_at and at most {PERIOD_MAX.days} days later")
    if not now < draft.ends_at <= now + AHEAD_MAX:
        return Invalid("ends_at must be in the future, and not more than ten years ahead")
    return None


def proposed(id: CampaignId, draft: CampaignDraft, person_id: PersonId, now: datetime) -> Campaign:  # noqa: A002
    """The campaign as an operator proposes it; the platform agrees by that, and when it is alone, so do all."""
    own: dict[str, Any] = {"accepted_at": now, "accepted_by": person_id}
    campaign = Campaign(
        id=id,
        draft_id=draft.id,
        name=draft.name,
        terms=Terms(draft.rule, draft.scope, draft.order_max_fen, draft.buyer_max_fen, draft.guard_days),
        starts_at=draft.starts_at,
        ends_at=draft.ends_at,
        state=State.PROPOSED,
        proposed_by=person_id,
        proposed_at=now,
        fundings=tuple(
            Funding(**asdict(funding), **(own if funding.funder_id == PLATFORM else {})) for funding in draft.fundings
        ),
    )
    return _agreed_when_all_have(campaign, now)


def accept(campaign: Campaign, funder_id: FunderId, person_id: PersonId, now: datetime) -> Campaign | Refused:
    """The campaign when a funder accepts; the last one's word makes it agreed. Accepting again changes nothing."""
    funding = campaign.funding(funder_id)
    if funding is None:
        return _no_funder(campaign.id, funder_id)
    if funding.accepted_at is not None:
        return campaign
    if campaign.state is not State.PROPOSED or campaign.ends_at <= now:
        return _closed(campaign, "accepted")
    accepted = replace(funding, accepted_at=now, accepted_by=person_id)
    return _agreed_when_all_have(_with(campaign, accepted), now)


def decline(campaign: Campaign, funder_id: FunderId, now: datetime) -> Campaign | Refused:
    """The campaign when a funder does not want it; nobody's money is bound then. Declining again changes nothing."""
    if campaign.funding(funder_id) is None:
        return _no_funder(campaign.id, funder_id)
    if campaign.state is State.DECLINED:
        return campaign
    return _moved(campaign, Action.DECLINE, now, "declined; to end what you give, stop your part")


def stop(campaign: Campaign, person_id: PersonId, now: datetime) -> Campaign | Refused:
    """The campaign when the operator stops it, or takes a proposal back. Stopping again changes nothing."""
    if campaign.state is State.STOPPED:
        return campaign
    stopped = _moved(campaign, Action.STOP, now, "stopped")
    if isinstance(stopped, Refused):
        return stopped
    fundings = (
        each if each.stopped_at is not None else replace(each, stopped_at=now, stopped_by=person_id)
        for each in stopped.fundings
    )
    return replace(stopped, fundings=tuple(fundings))


def stop_part(campaign: Campaign, funder_id: FunderId, person_id: PersonId, now: datetime) -> Campaign | Refused:
    """The campaign when a funder gives no more: from then on it is the others' parts alone, and without any it stops.

    Stopping again changes nothing.
    """
    funding = campaign.funding(funder_id)
    if funding is None:
        return _no_funder(campaign.id, funder_id)
    if funding.stopped_at is not None:
        return campaign
    if campaign.state is not State.AGREED:
        return _closed(campaign, "stopped; a proposal can be declined")
    stopped = _with(campaign, replace(funding, stopped_at=now, stopped_by=person_id))
    if all(each.stopped_at is not None for each in stopped.fundings):
        return _moved(stopped, Action.STOP, now, "stopped")
    return stopped


def end(campaign: Campaign, now: datetime) -> Campaign | Refused:
    """The campaign when its period is over, agreed upon or not."""
    assert campaign.ends_at <= now
    return _moved(campaign, Action.END, now, "ended")


def _agreed_when_all_have(campaign: Campaign, now: datetime) -> Campaign:
    if any(funding.accepted_at is None for funding in campaign.fundings):
        return campaign
    return replace(campaign, state=TRANSITIONS[campaign.state, Action.AGREE], agreed_at=now)


def _moved(campaign: Campaign, action: Action, now: datetime, done: str) -> Campaign | Refused:
    following = TRANSITIONS.get((campaign.state, action))
    # A clock that was set back must not close a campaign before it was proposed.
    closed_at = max(now, campaign.agreed_at or campaign.proposed_at)
    return replace(campaign, state=following, closed_at=closed_at) if following else _closed(campaign, done)


def _with(campaign: Campaign, funding: Funding) -> Campaign:
    others: Sequence[Funding] = campaign.fundings
    return replace(campaign, fundings=tuple(funding if f.funder_id == funding.funder_id else f for f in others))


def _closed(campaign: Campaign, done: str) -> CampaignClosed:
    return CampaignClosed(
        f"campaign {campaign.id} is {campaign.state}, so it cannot be {done}", state=campaign.state.value
    )


def _no_funder(campaign_id: CampaignId, funder_id: FunderId) -> NotFound:
    return NotFound(f"shop {funder_id} is no funder of a campaign {campaign_id}")
