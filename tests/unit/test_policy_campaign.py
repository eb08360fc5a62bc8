"""The life of a campaign: agreed upon by all who pay, then never changed, only stopped."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import MERCHANT, OPERATOR, draft, platform_only
from fairwind.kernel import CampaignId, Fen, NotFound, PersonId, Refused
from fairwind.policy.burn_down import used_up_at
from fairwind.policy.campaign import (
    PLATFORM,
    TRANSITIONS,
    Campaign,
    CampaignClosed,
    FunderId,
    Rule,
    Scope,
    State,
    accept,
    decline,
    end,
    fault,
    proposed,
    stop,
    stop_part,
    tidied,
)
from market import NOW

A, B, STRANGER = FunderId(11), FunderId(12), FunderId(13)
THREE = draft((B, 250_000, 100), (PLATFORM, 500_000, 200), (A, 250_000, 100))


def proposal(wanted: Any = THREE) -> Campaign:
    return proposed(CampaignId(1), tidied(wanted), OPERATOR, NOW)


def agreed() -> Campaign:
    campaign: Campaign | Refused = proposal()
    for funder in (A, B):
        assert isinstance(campaign, Campaign)
        campaign = accept(campaign, funder, MERCHANT, NOW)
    assert isinstance(campaign, Campaign)
    return campaign


def act(campaign: Campaign, what: str, funder: FunderId) -> Campaign | Refused:
    match what:
        case "accept":
            return accept(campaign, funder, MERCHANT, NOW)
        case "decline":
            return decline(campaign, funder, NOW)
        case "stop":
            return stop(campaign, OPERATOR, NOW)
        case "stop part":
            return stop_part(campaign, funder, MERCHANT, NOW)
    return end(campaign, campaign.ends_at)


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["accept", "accept", "decline", "stop", "stop part", "end"]), st.sampled_from([PLATFORM, A, B])
    ),
    max_size=12,
)


@given(ACTS)
def test_whatever_happens_the_state_follows_the_table_and_the_terms_stay(acts: list[tuple[str, FunderId]]) -> None:
    campaign = first = proposal()
    for what, funder in acts:
        outcome = act(campaign, what, funder)
        if isinstance(outcome, Refused):
            continue
        assert outcome.draft() == first.draft()
        assert outcome.state is campaign.state or any(
            before is campaign.state and after is outcome.state for (before, _), after in TRANSITIONS.items()
        )
        assert (outcome.agreed_at is not None) == all(f.accepted_at is not None for f in outcome.fundings)
        assert (outcome.closed_at is not None) == (outcome.state not in (State.PROPOSED, State.AGREED))
        again = act(outcome, what, funder)
        assert isinstance(again, Refused) or again == outcome, "the same again changes nothing"
        campaign = outcome


def test_the_platform_alone_agrees_by_proposing() -> None:
    assert proposal(draft(platform_only(5))).state is State.AGREED


def test_the_last_funder_to_accept_makes_it_agreed() -> None:
    one = accept(proposal(), A, MERCHANT, NOW)
    assert isinstance(one, Campaign)
    assert one.state is State.PROPOSED
    assert agreed().state is State.AGREED
    assert agreed().runs(NOW)
    assert not agreed().runs(agreed().ends_at)


def test_who_is_no_funder_says_nothing() -> None:
    for what in ("accept", "decline", "stop part"):
        assert isinstance(act(proposal(), what, STRANGER), NotFound)


def test_a_proposal_whose_time_is_over_cannot_be_accepted_any_more() -> None:
    assert isinstance(accept(proposal(), A, MERCHANT, THREE.ends_at), CampaignClosed)


def test_a_funder_stops_its_part_and_the_last_one_the_campaign() -> None:
    campaign: Campaign | Refused = agreed()
    for funder, state in ((A, State.AGREED), (PLATFORM, State.AGREED), (B, State.STOPPED)):
        assert isinstance(campaign, Campaign)
        campaign = stop_part(campaign, funder, PersonId(9), NOW)
        assert isinstance(campaign, Campaign)
        assert campaign.state is state


def test_drafts_are_compared_whatever_the_order_of_their_lists() -> None:
    mixed = draft(
        *((funding.funder_id, funding.share_ppm, funding.budget_fen) for funding in reversed(THREE.fundings)),
        id=THREE.id,
        scope=Scope(shop_ids=(3, 2, 3)),
    )

    assert tidied(mixed).scope.shop_ids == (2, 3)
    assert tidied(mixed).fundings == tidied(THREE).fundings


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (draft(platform_only(1), rule=Rule(rate_ppm=1, piece_fen=Fen(1))), "either rate_ppm or piece_fen"),
        (draft(platform_only(1), rule=Rule(piece_max_fen=Fen(1))), "either rate_ppm or piece_fen"),
        (draft((0, 500_000, 1), (0, 500_000, 1)), "each funder once"),
        (draft((0, 500_000, 1), (1, 499_999, 1)), "sum to 1000000"),
        (draft(platform_only(1), ends_at=NOW - timedelta(days=1)), "after starts_at"),
        (draft(platform_only(1), ends_at=NOW + timedelta(days=500)), "400 days"),
        (draft(platform_only(1), starts_at=NOW - timedelta(days=2), ends_at=NOW), "in the future"),
    ],
)
def test_a_draft_that_makes_no_sense_is_refused(wrong: Any, words: str) -> None:
    refusal = fault(wrong, NOW)
    assert refusal is not None
    assert words in refusal.detail


def test_a_budget_lasts_as_long_as_it_goes_on_like_lately() -> None:
    hour, until = timedelta(hours=1), NOW + timedelta(days=2)

    assert used_up_at(1000, 100, hour, NOW, until) == NOW + 10 * hour
    assert used_up_at(1000, 1, hour, NOW, until) is None
    assert used_up_at(10**15, 1, hour, NOW, until) is None
    assert used_up_at(1000, 0, hour, NOW, until) is None
    assert used_up_at(1000, -5, hour, NOW, until) is None
    assert used_up_at(0, 5, hour, NOW, until) == NOW
