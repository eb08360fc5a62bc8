"""Attribution: whom a line is owed to follows from its evidence alone, and every answer has a reason in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairwind.alliance import (
    COMMISSION_CODES,
    REASONS,
    Click,
    DecidedLine,
    Decision,
    Evidence,
    Shown,
    attribute,
    attribution,
    commission,
    explain,
    replay,
)
from fairwind.alliance.attribution import miss
from fairwind.kernel import ClickId, LiveSessionId, OrderId, PersonId, ProductId, ShopId

PLACED_AT = datetime(2020, 6, 18, 12, tzinfo=UTC)
PRODUCT = ProductId(7)
BUYER, ANOTHER = PersonId(70), PersonId(71)
DAY = 86_400
MICROSECOND = timedelta(microseconds=1)

products = st.sampled_from([None, PRODUCT, ProductId(8)])
moments = st.one_of(
    st.integers(-3, 40).map(lambda days: PLACED_AT - timedelta(days=days)),
    st.sampled_from([PLACED_AT, PLACED_AT + MICROSECOND, PLACED_AT - MICROSECOND]),
    st.sampled_from([1, 7, 15, 30]).map(lambda days: PLACED_AT - timedelta(days=days) + MICROSECOND),
)
clicks = st.builds(
    Click,
    id=st.integers(1, 9).map(lambda n: ClickId(UUID(int=n))),
    link_code=st.sampled_from(["aaaaaaaa", "bbbbbbbb"]),
    creator_id=st.integers(1, 4).map(PersonId),
    product_id=products,
    clicked_at=moments,
    window_s=st.sampled_from([DAY, 7 * DAY, 15 * DAY, 30 * DAY]),
    model=st.sampled_from(["last", "first"]),
    person_id=st.sampled_from([None, BUYER, ANOTHER]),
)
several = st.lists(clicks, max_size=8, unique_by=lambda click: click.id)
shown = st.builds(
    Shown,
    session_id=st.uuids().map(LiveSessionId),
    creator_id=st.integers(1, 4).map(PersonId),
    issued_at=moments,
)
evidences = st.builds(Evidence, placement=st.none() | shown, clicks=several.map(tuple))


def click(
    creator: int, days_ago: float = 0, *, number: int = 1, model: str = "last", product: ProductId | None = PRODUCT
) -> Click:
    """A click of a 7 days' link of this creator."""
    return Click(
        ClickId(UUID(int=number)),
        f"code-{creator:04}",
        PersonId(creator),
        product,
        PLACED_AT - timedelta(days=days_ago),
        7 * DAY,
        model,  # type: ignore[arg-type]
    )


def decided(*those: Click) -> Decision:
    return attribute(Evidence(clicks=those), PRODUCT, PLACED_AT, BUYER)


@given(placement=shown, those=several)
def test_a_placement_always_decides(placement: Shown, those: list[Click]) -> None:
    decision = attribute(Evidence(placement, tuple(those)), PRODUCT, PLACED_AT, BUYER)

    assert decision == Decision(placement.creator_id, "placement")


@given(those=several, data=st.data())
def test_the_order_of_the_clicks_does_not_matter(those: list[Click], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(those))

    assert decided(*shuffled) == decided(*those)
    assert explain(Evidence(clicks=tuple(shuffled)), PRODUCT, PLACED_AT, BUYER) == explain(
        Evidence(clicks=tuple(those)), PRODUCT, PLACED_AT, BUYER
    )


@given(those=several, more=clicks)
def test_a_click_that_does_not_count_changes_nothing_for_anybody(those: list[Click], more: Click) -> None:
    assume(miss(more, PRODUCT, PLACED_AT, BUYER) is not None)
    before, after = decided(*those), decided(*those, more)

    assert after.creator_id == before.creator_id
    if before.creator_id is not None:
        assert after == before


@given(those=several)
def test_the_same_click_twice_is_one_click(those: list[Click]) -> None:
    assert decided(*those, *those) == decided(*those)


@given(those=several)
def test_somebody_is_owed_the_line_exactly_when_a_click_counts(those: list[Click]) -> None:
    valid = [each for each in those if miss(each, PRODUCT, PLACED_AT, BUYER) is None]
    decision = decided(*those)

    assert (decision.creator_id is not None) == bool(valid)
    if valid:
        latest = max(valid, key=lambda each: (each.clicked_at, each.id))
        first = min(
            (each for each in valid if each.model == "first"),
            key=lambda each: (each.clicked_at, each.id),
            default=latest,
        )
        winner = latest if latest.model == "last" else first
        assert (decision.creator_id, decision.link_code) == (winner.creator_id, winner.link_code)


@given(those=several)
def test_clicks_of_others_who_were_signed_in_are_as_if_they_were_not_there(those: list[Click]) -> None:
    mine = [each for each in those if each.person_id in (None, BUYER)]
    decision = decided(*those)

    assert decision.creator_id == decided(*mine).creator_id
    if decision.creator_id is not None:
        assert decision == decided(*mine)


@given(evidence=evidences, shift=st.integers(-400, 400))
def test_what_was_stored_as_json_is_decided_the_same_again(evidence: Evidence, shift: int) -> None:
    placed_at = PLACED_AT + shift * timedelta(hours=1)
    stored = msgspec.json.decode(msgspec.json.encode(evidence), type=Evidence)
    decision = attribute(evidence, PRODUCT, placed_at, BUYER)

    assert stored == evidence
    assert attribute(stored, PRODUCT, placed_at, BUYER) == decision
    line = DecidedLine(
        ShopId(1), OrderId(UUID(int=1)), 1, PRODUCT, placed_at, BUYER, stored, decision.reason, decision.creator_id
    )
    assert replay(line) is None


@given(evidence=evidences)
def test_every_creator_in_the_evidence_gets_a_reason_in_words(evidence: Evidence) -> None:
    reasons = explain(evidence, PRODUCT, PLACED_AT, BUYER)
    decision = attribute(evidence, PRODUCT, PLACED_AT, BUYER)
    named = {each.creator_id for each in evidence.clicks} | (
        {evidence.placement.creator_id} if evidence.placement else set()
    )

    assert reasons.keys() == named
    assert {*reasons.values(), decision.reason} <= REASONS.keys() - COMMISSION_CODES
    assert [creator for creator, reason in reasons.items() if reason == decision.reason and decision.creator_id] == [
        creator for creator in reasons if creator == decision.creator_id
    ]


def test_a_click_counts_from_its_own_moment_up_to_the_end_of_its_window() -> None:
    window = timedelta(days=7)

    def at(clicked_at: datetime) -> Decision:
        return decided(replace(click(1), clicked_at=clicked_at))

    assert at(PLACED_AT).creator_id == 1
    assert at(PLACED_AT - window + MICROSECOND).creator_id == 1
    assert at(PLACED_AT - window) == Decision(None, "click_too_old")
    assert at(PLACED_AT + MICROSECOND) == Decision(None, "click_after_order")


def test_of_two_last_click_links_the_later_decides_and_of_one_moment_the_higher_id() -> None:
    assert decided(click(1, 2), click(2, 1, number=2)) == Decision(PersonId(2), "last_click", "code-0002")
    assert decided(click(1, 1, number=2), click(2, 1, number=1)).creator_id == 1


def test_a_first_click_link_followed_last_gives_to_the_first_of_such_links() -> None:
    first, between, last = click(1, 3, model="first"), click(2, 2, number=2), click(3, 1, number=3, model="first")

    assert decided(first, between, last) == Decision(PersonId(1), "first_click", "code-0001")
    assert decided(between, last).creator_id == 3
    assert decided(first, between).creator_id == 2
    assert decided(replace(first, clicked_at=PLACED_AT - timedelta(days=8)), between, last).creator_id == 3


def test_a_link_to_the_whole_shop_counts_for_all_its_goods() -> None:
    assert decided(click(1, product=None)).creator_id == 1
    assert decided(click(1, product=ProductId(8))) == Decision(None, "click_for_other_goods")


def test_a_click_of_somebody_who_was_signed_in_counts_for_them_alone() -> None:
    mine, others, anybodys = [replace(click(1), person_id=person_id) for person_id in (BUYER, ANOTHER, None)]

    assert decided(mine).creator_id == decided(anybodys).creator_id == 1
    assert decided(others) == Decision(None, "click_of_another")
    assert attribute(Evidence(clicks=(others,)), PRODUCT, PLACED_AT, ANOTHER).creator_id == 1
    later = replace(click(2, number=2), person_id=ANOTHER)
    assert decided(mine, later).creator_id == 1
    assert explain(Evidence(clicks=(mine, later)), PRODUCT, PLACED_AT, BUYER) == {
        1: "last_click", 2: "click_of_another",
    }  # fmt: skip


def test_evidence_that_was_stored_before_clicks_said_whose_they_are_is_anybodys() -> None:
    stored = msgspec.to_builtins(Evidence(clicks=(click(1),)))
    del stored["clicks"][0]["person_id"]

    assert msgspec.convert(stored, Evidence) == Evidence(clicks=(click(1),))


@pytest.mark.parametrize(
    ("those", "reason"),
    [
        ((), "no_evidence"),
        ((click(1, 7),), "click_too_old"),
        ((click(1, -1),), "click_after_order"),
        ((click(1, product=ProductId(8)),), "click_for_other_goods"),
        ((click(1, product=ProductId(8)), click(2, 9, number=2)), "click_too_old"),
        ((click(1, -1), click(2, 9, number=2, product=ProductId(8))), "click_after_order"),
        ((replace(click(1), person_id=ANOTHER), click(2, 9, number=2)), "click_of_another"),
        ((replace(click(1, 9), person_id=ANOTHER),), "click_too_old"),
    ],
)
def test_nobody_is_owed_the_line_for_a_reason(those: tuple[Click, ...], reason: str) -> None:
    assert decided(*those) == Decision(None, reason)


def test_who_did_not_win_is_told_why_not() -> None:
    placement = Shown(LiveSessionId(UUID(int=5)), PersonId(9), PLACED_AT)
    clicked = (click(1, 3), click(2, 9, number=2), click(3, 1, number=3, product=ProductId(8)), click(4, 1, number=4))

    assert explain(Evidence(placement, clicked), PRODUCT, PLACED_AT, BUYER) == {
        1: "placement_decided", 2: "click_too_old", 3: "click_for_other_goods", 4: "placement_decided", 9: "placement",
    }  # fmt: skip
    assert explain(Evidence(None, clicked), PRODUCT, PLACED_AT, BUYER) == {
        1: "later_click_decided", 2: "click_too_old", 3: "click_for_other_goods", 4: "last_click",
    }  # fmt: skip
    first = (click(1, 3, model="first"), click(2, 2, number=2), click(3, 1, number=3, model="first"))
    assert explain(Evidence(None, first), PRODUCT, PLACED_AT, BUYER) == {
        1: "first_click", 2: "first_click_decided", 3: "first_click_decided",
    }  # fmt: skip


def test_every_reason_has_words_in_both_languages() -> None:
    codes = {value for module in (attribution, commission) for name, value in vars(module).items()
             if name.isupper() and isinstance(value, str)}  # fmt: skip

    assert codes == REASONS.keys()
    for english, chinese in REASONS.values():
        assert english.isascii()
        assert not chinese.isascii()


def test_a_replay_knows_that_nobody_earns_of_their_own_purchase() -> None:
    seen = Evidence(clicks=(click(1),))
    bought = DecidedLine(
        ShopId(1), OrderId(UUID(int=1)), 1, PRODUCT, PLACED_AT, PersonId(1), seen, "own_purchase", None
    )

    assert replay(bought) is None
    for wrong in (
        replace(bought, reason="last_click", earner_id=PersonId(1)),
        replace(bought, reason="not_picked"),
        replace(bought, earner_id=PersonId(1)),
        replace(bought, evidence=Evidence()),
    ):
        assert replay(wrong) is not None
    elsewhere = replay(replace(bought, buyer_id=BUYER))
    assert elsewhere is not None
    assert elsewhere.decision.creator_id == 1


def test_a_replay_finds_a_line_that_went_to_somebody_else() -> None:
    line = DecidedLine(
        ShopId(1),
        OrderId(UUID(int=1)),
        1,
        PRODUCT,
        PLACED_AT,
        BUYER,
        Evidence(clicks=(click(1),)),
        "last_click",
        PersonId(1),
    )

    assert replay(line) is None
    assert replay(replace(line, reason="not_picked", earner_id=None)) is None
    for wrong in (
        replace(line, earner_id=PersonId(2)),
        replace(line, reason="first_click"),
        replace(line, reason="no_plan"),
        replace(line, reason="no_evidence", earner_id=None),
        replace(line, evidence=Evidence()),
        replace(line, reason="not_picked", earner_id=None, evidence=Evidence()),
    ):
        difference = replay(wrong)
        assert difference is not None
        assert difference.decision == attribute(wrong.evidence, PRODUCT, PLACED_AT, BUYER)
