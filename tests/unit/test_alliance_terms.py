"""Who earns what: precedence and reasons, participants, MCNs, kept stock, the head and the platform's share."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwind.alliance import fee, mcn
from fairwind.alliance.activity import Activity, ActivityClosed, ActivityDraft, ActivityId, BelowActivity, close
from fairwind.alliance.activity import refusal_to_join as no_to_join
from fairwind.alliance.commission import (
    EXCLUSIVE_TO_OTHER,
    NO_PLAN,
    NOT_FOR_CREATOR,
    NOT_PICKED,
    Commission,
    Standing,
    decide,
)
from fairwind.alliance.fee import AllianceFee, FeeDraft
from fairwind.alliance.head import head_size
from fairwind.alliance.mcn import InMcn, InvitationChanged, McnMember, McnState
from fairwind.alliance.participant import Participant, State, apply, approve, decline
from fairwind.alliance.plan import Kind, earning_fen
from fairwind.alliance.reserve import Reserve, Reserves, ReserveTooLarge, keep
from fairwind.alliance.versions import next_midnight
from fairwind.kernel import (
    Fen,
    Forbidden,
    NotFound,
    PersonId,
    PlanId,
    Ppm,
    ProductId,
    Refused,
    ShopId,
    SkuId,
    portion,
    uuid7,
)
from market import NOW
from plans import DAY, MIDNIGHT, terms

CREATOR, AGENCY, OTHER = PersonId(7), PersonId(8), PersonId(9)
SIXTY, TWENTY = terms(60), terms(20)
PLANS = {kind: PlanId(number) for number, kind in enumerate(Kind, 1)}


def standing(kind: Kind, *, open: bool = True) -> Standing:  # noqa: A002
    commission = Commission(PLANS[kind], 1, Ppm(1), None, Ppm(0), Ppm(100_000), None, Ppm(0), False)
    return Standing(kind, open, commission)


# Precedence.


@given(
    kinds=st.lists(st.tuples(st.sampled_from(Kind), st.booleans()), unique_by=lambda each: each[0]),
    picked=st.booleans(),
    shuffled=st.randoms(use_true_random=False),
)
def test_the_answer_follows_precedence_whatever_order_plans_come_in(kinds: Any, picked: bool, shuffled: Any) -> None:
    standings = [standing(kind, open=is_open) for kind, is_open in kinds]
    answer = decide(picked, standings)
    shuffled.shuffle(standings)
    assert decide(picked, standings) == answer
    is_open = dict(kinds)
    if not kinds:
        assert answer == NO_PLAN
    elif is_open.get(Kind.EXCLUSIVE) is False:
        assert answer == EXCLUSIVE_TO_OTHER
    elif not picked:
        assert answer == NOT_PICKED
    else:
        ranks = (Kind.EXCLUSIVE, Kind.TARGETED, Kind.ACTIVITY, Kind.ORDINARY)
        first = next((kind for kind in ranks if is_open.get(kind)), None)
        assert answer == (NOT_FOR_CREATOR if first is None else standing(first).commission)


@given(price=st.integers(1, 10**10), rate=st.integers(0, 800_000), share=st.integers(0, 1_000_000))
def test_what_a_piece_earns_is_the_commission_less_the_platforms_share_of_it(price: int, rate: int, share: int) -> None:
    gross = portion(Fen(price), Ppm(rate))
    assert earning_fen(Fen(price), Ppm(rate), Ppm(share)) == gross - portion(gross, Ppm(share))


# Participants.


def approved(
    there: Participant | None = None, now: Any = NOW, wanted: Any = SIXTY, ordinary: Any = TWENTY
) -> Participant:
    return approve(there, ShopId(1), PlanId(2), CREATOR, now, terms=wanted, ordinary=ordinary)


def test_who_applies_waits_and_earns_once_approved() -> None:
    applied = apply(None, ShopId(1), PlanId(2), CREATOR, "家居类", NOW)
    assert (applied.state, applied.since) == (State.APPLIED, None)
    assert apply(applied, ShopId(1), PlanId(2), CREATOR, "又来", NOW + DAY) == applied
    taking_part = approved(applied)
    assert (taking_part.state, taking_part.since, taking_part.note) == (State.APPROVED, NOW, "家居类")
    assert approved(taking_part, NOW + DAY) == taking_part


def test_a_creator_named_for_less_than_the_ordinary_plan_gives_begins_at_midnight() -> None:
    assert approved(wanted=terms(10)).since == MIDNIGHT
    assert approved(wanted=terms(20, (5, 30))).since == NOW
    assert approved(ordinary=None).since == NOW


def test_who_is_removed_earns_until_midnight_and_who_is_approved_again_goes_on() -> None:
    removed = decline(approved(), NOW)
    assert removed is not None
    assert (removed.state, removed.since, removed.until) == (State.REMOVED, NOW, MIDNIGHT)
    assert decline(removed, NOW) == removed
    again = apply(removed, ShopId(1), PlanId(2), CREATOR, "", NOW)
    assert (again.state, again.until) == (State.APPLIED, MIDNIGHT)
    assert (approved(again).since, approved(again).until) == (NOW, None)
    assert approved(removed, MIDNIGHT + DAY).since == MIDNIGHT + DAY


def test_an_application_is_declined_and_there_is_nothing_to_decline_without_one() -> None:
    declined = decline(apply(None, ShopId(1), PlanId(2), CREATOR, "", NOW), NOW)
    assert declined is not None
    assert (declined.state, declined.since) == (State.DECLINED, None)
    assert decline(None, NOW) is None


# MCNs.


def invited(split: int = 200_000, agency: PersonId = AGENCY, number: int = 1) -> McnMember:
    answer = mcn.invite([], number, agency, CREATOR, Ppm(split), NOW)
    assert not isinstance(answer, Refused)
    return answer[0]


def joined(member: McnMember, now: Any = NOW) -> McnMember:
    answer = mcn.accept([member], member.agency_id, member.split_ppm, now)
    assert not isinstance(answer, Refused)
    return answer


def test_a_creator_belongs_to_the_mcn_from_midnight_to_midnight() -> None:
    member = joined(invited())
    assert (member.starts_at, member.state(NOW)) == (MIDNIGHT, McnState.MEMBER)
    left = mcn.end([member], AGENCY, NOW + 2 * DAY)
    assert not isinstance(left, Refused)
    assert left.ends_at == MIDNIGHT + 2 * DAY
    assert (left.state(MIDNIGHT), left.state(MIDNIGHT + 2 * DAY)) == (McnState.LEAVING, McnState.OVER)


def test_a_creator_accepts_only_what_was_offered() -> None:
    assert isinstance(mcn.accept([invited()], AGENCY, Ppm(100_000), NOW), InvitationChanged)
    assert isinstance(mcn.accept([], AGENCY, Ppm(100_000), NOW), NotFound)
    member = joined(invited())
    assert mcn.accept([member], AGENCY, member.split_ppm, NOW + DAY) == member


def test_a_second_mcn_waits_until_the_first_is_left_and_then_follows_without_a_gap() -> None:
    first, second = joined(invited()), invited(agency=OTHER, number=2)
    assert isinstance(mcn.accept([first, second], OTHER, second.split_ppm, NOW), InMcn)
    left = mcn.end([first], AGENCY, NOW)
    moved = mcn.accept([second], OTHER, second.split_ppm, NOW)
    assert not isinstance(left, Refused)
    assert not isinstance(moved, Refused)
    assert left.ends_at == moved.starts_at == MIDNIGHT


def test_another_split_replaces_an_open_invitation_but_not_a_membership() -> None:
    open_one = invited()
    answer = mcn.invite([open_one], 2, AGENCY, CREATOR, Ppm(300_000), NOW + DAY)
    assert not isinstance(answer, Refused)
    fresh, replaced = answer
    assert (fresh.id, replaced and replaced.ends_at) == (2, NOW + DAY)
    assert mcn.invite([open_one], 2, AGENCY, CREATOR, open_one.split_ppm, NOW) == (open_one, None)
    assert isinstance(mcn.invite([joined(open_one)], 2, AGENCY, CREATOR, Ppm(1), NOW), InMcn)


def test_an_invitation_turned_down_is_over_at_once() -> None:
    gone = mcn.end([invited()], AGENCY, NOW)
    assert not isinstance(gone, Refused)
    assert gone.state(NOW) is McnState.OVER
    assert isinstance(mcn.end([], AGENCY, NOW), NotFound)


# Activities.


def test_an_activity_takes_goods_on_its_terms_or_better_until_it_is_closed() -> None:
    activity = Activity(ActivityId(uuid7(NOW)), AGENCY, "招商", Ppm(200_000), Ppm(50_000), NOW)
    assert no_to_join(activity, terms(20, agency=5), joined=False) is None
    assert isinstance(no_to_join(activity, terms(19, agency=5), joined=False), BelowActivity)
    assert isinstance(no_to_join(activity, terms(20, agency=4), joined=True), BelowActivity)
    closed = close(activity, AGENCY, NOW + DAY)
    assert not isinstance(closed, Refused)
    assert isinstance(no_to_join(closed, terms(20, agency=5), joined=False), ActivityClosed)
    assert no_to_join(closed, terms(20, agency=5), joined=True) is None
    assert isinstance(close(activity, OTHER, NOW), Forbidden)
    assert close(closed, AGENCY, NOW + 2 * DAY) == closed
    assert activity.opened_by(ActivityDraft("招商", Ppm(200_000), Ppm(50_000)), AGENCY)
    assert not activity.opened_by(ActivityDraft("招商", Ppm(200_000), Ppm(50_000)), OTHER)


# Kept stock.

SKU = SkuId(3)


def kept(quantity: int, sold: int = 0, *, over: bool = False) -> Reserve:
    return Reserve(SKU, ProductId(5), quantity, sold, over)


@given(quantity=st.integers(0, 20), moves=st.lists(st.tuples(st.booleans(), st.integers(0, 8))))
def test_never_more_is_taken_than_is_kept_and_what_comes_back_is_kept_again(quantity: int, moves: Any) -> None:
    reserves = Reserves({SKU: kept(quantity)})
    taken = 0
    for takes, count in moves:
        if takes:
            had = reserves.left(SKU)
            got = reserves.take(SKU, count)
            assert got == min(count, had)
            taken += got
        else:
            back = min(count, taken)
            reserves.give_back(SKU, back)
            taken -= back
        assert 0 <= taken <= quantity
        assert reserves.left(SKU) == quantity - taken
    assert reserves.changes.get(SKU, 0) == taken


def test_nothing_is_kept_of_other_skus_nor_when_the_plans_are_over() -> None:
    none, over = Reserves({}), Reserves({SKU: kept(5, 2, over=True)})
    assert (bool(none), none.left(SKU), none.take(SKU, 3)) == (False, 0, 0)
    none.give_back(SKU, 0)
    assert (bool(over), over.left(SKU), over.take(SKU, 1)) == (True, 0, 0)
    over.give_back(SKU, 2)
    assert (over.changes[SKU], over.left(SKU)) == (-2, 0)


def test_a_shop_keeps_no_more_than_it_has_and_no_less_than_is_sold_of_it() -> None:
    assert keep(kept(0), 10, available=10) == kept(10)
    assert keep(kept(5, 3, over=True), 4, available=1) == kept(4, 3)
    assert isinstance(keep(kept(0), 11, available=10), ReserveTooLarge)
    assert isinstance(keep(kept(5, 3), 2, available=10), ReserveTooLarge)


# The head, and the platform's share.


@pytest.mark.parametrize(("creators", "size"), [(0, 0), (1, 1), (100, 1), (101, 2), (1000, 10)])
def test_the_head_is_its_share_of_who_sells_rounded_up(creators: int, size: int) -> None:
    assert head_size(creators, Ppm(10_000)) == size
    assert head_size(creators, Ppm(0)) == 0
    assert head_size(creators, Ppm(1_000_000)) == creators


def share(version: int, percent: int, at: Any) -> AllianceFee:
    return AllianceFee(version, Ppm(percent * 10_000), None, NOW - 9 * DAY, at)


def test_the_platforms_share_rises_tomorrow_and_falls_at_once() -> None:
    fees = [share(1, 10, NOW - 9 * DAY)]
    higher = fee.set_fee(fees, FeeDraft(Ppm(120_000)), OTHER, NOW)
    lower = fee.set_fee(fees, FeeDraft(Ppm(80_000)), OTHER, NOW)
    assert isinstance(higher, AllianceFee)
    assert isinstance(lower, AllianceFee)
    assert (higher.version, higher.effective_from) == (2, MIDNIGHT)
    assert lower.effective_from == NOW
    assert isinstance(fee.set_fee(fees, FeeDraft(Ppm(120_000), NOW + timedelta(hours=1)), OTHER, NOW), Refused)
    assert fee.set_fee(fees, FeeDraft(Ppm(100_000)), OTHER, NOW) == fees[0]


@given(
    moves=st.lists(
        st.tuples(st.integers(0, 100), st.none() | st.integers(0, 5), st.timedeltas(timedelta(0), timedelta(days=3)))
    ),
    after=st.timedeltas(timedelta(0), timedelta(days=20)),
)
def test_no_creator_has_a_higher_share_taken_before_midnight_than_they_saw(moves: Any, after: timedelta) -> None:
    fees = [share(1, 10, NOW - 9 * DAY)]
    now = NOW
    for percent, days, pause in moves:
        now += pause
        at = None if days is None else next_midnight(now) + days * DAY
        made = fee.set_fee(fees, FeeDraft(Ppm(percent * 10_000), at), OTHER, now)
        if isinstance(made, AllianceFee) and made not in fees:
            fees.append(made)
    at = NOW + after
    seen = fee.in_force([each for each in fees if each.set_at <= at], at)
    assert fee.in_force(fees, next_midnight(at) - timedelta(microseconds=1)).rate_ppm <= seen.rate_ppm
