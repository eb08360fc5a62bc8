"""Refunds: what can be asked back, what needs no consent, and what agreeing changes, in any order."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairwind.kernel import CampaignId, Fen, Invalid, PersonId, ProductId, Refused, ShopId, SkuId
from fairwind.orders import Order, State
from fairwind.orders.events import refund_agreed
from fairwind.orders.order import Line
from fairwind.orders.refund import (
    AfterSalesOver,
    Kind,
    Refund,
    RefundDraft,
    RefundLine,
    RefundLineDraft,
    RefundOpen,
    RefundTooLarge,
    agreed,
    ask,
    given_back,
    goods_back,
    needs_no_consent,
    over_at,
    still_fits,
)
from fairwind.orders.states import RefundState, WrongState
from fairwind.policy import Grant
from market import ADDRESS, BUYER, NOW, WINDOW, order_id, payment_id, refund_id

REFUNDABLE = [State.PAID, State.SHIPPED, State.RECEIVED]


def line(line_no: int, quantity: int, price_fen: int, sku_id: int | None = None) -> Line:
    goods_fen = Fen(price_fen * quantity)
    sku = SkuId(sku_id or line_no)
    return Line(line_no, sku, ProductId(sku), "伞", "蓝", quantity, Fen(price_fen), Fen(price_fen), goods_fen)


def order(*lines: Line, freight_fen: int = 0, state: State = State.PAID) -> Order:
    goods_fen = Fen(sum(each.goods_fen for each in lines))
    return Order(
        shop_id=ShopId(1),
        id=order_id(),
        buyer_id=BUYER,
        state=state,
        lines=lines,
        goods_fen=goods_fen,
        freight_fen=Fen(freight_fen),
        total_fen=Fen(goods_fen + freight_fen),
        refunded_fen=Fen(0),
        refunded_freight_fen=Fen(0),
        address=ADDRESS,
        note="",
        placed_at=NOW,
        expires_at=NOW,
        paid_at=NOW,
        payment_shop_id=ShopId(1),
        payment_id=payment_id(),
        shipped_at=NOW if state in (State.SHIPPED, State.RECEIVED) else None,
        received_at=NOW if state == State.RECEIVED else None,
    )


def draft(*lines: tuple[int, int, int], freight_fen: int = 0, kind: Kind = "refund_only") -> RefundDraft:
    """lines: number, amount in fen, quantity; none for a refund of the whole rest."""
    wanted = tuple(RefundLineDraft(*each) for each in lines) or None
    return RefundDraft(refund_id(), kind, "不想要了", wanted, freight_fen)


def asked(order: Order, draft: RefundDraft, *, open_refunds: int = 0) -> Refund | Refused:
    return ask(order, open_refunds, draft, BUYER, WINDOW, NOW)


def refund_of(order: Order, draft: RefundDraft) -> Refund:
    refund = asked(order, draft)
    assert isinstance(refund, Refund), refund
    return refund


def after(order: Order, *drafts: RefundDraft) -> Order:
    """The order after refunds asked for and agreed to one by one."""
    for each in drafts:
        order = agreed(order, refund_of(order, each), NOW)
    return order


def told(outcome: Refund | Refused) -> tuple[type, dict[str, object]]:
    assert isinstance(outcome, Refused), outcome
    return type(outcome), outcome.more


@st.composite
def orders(draw: st.DrawFn) -> Order:
    lines = draw(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 300), st.integers(1, 2)), min_size=1, max_size=4))
    return order(
        *(line(line_no, *each) for line_no, each in enumerate(lines, 1)),
        freight_fen=draw(st.integers(0, 50)),
        state=draw(st.sampled_from(REFUNDABLE)),
    )


@st.composite
def with_partial_refunds(draw: st.DrawFn) -> tuple[Order, list[RefundDraft]]:
    """An order and refunds that fit it together, sometimes exactly."""
    whole = draw(orders())
    money = {each.line_no: int(each.goods_fen) for each in whole.lines}
    goods = {each.line_no: each.quantity for each in whole.lines}
    freight_left = int(whole.freight_fen)
    drafts = []
    for _ in range(draw(st.integers(1, 5))):
        kind: Kind = "refund_only" if whole.state == State.PAID else draw(st.sampled_from(["refund_only", "return"]))
        lines = []
        for number in draw(st.lists(st.sampled_from(list(money)), unique=True, max_size=len(money))):
            amount_fen = draw(st.integers(0, money[number]) | st.just(money[number]))
            may_return = whole.state == State.PAID or kind == "return"
            quantity = draw(st.integers(0, goods[number])) if may_return else 0
            money[number] -= amount_fen
            goods[number] -= quantity
            lines.append((number, amount_fen, quantity))
        freight_fen = draw(st.integers(0, freight_left) | st.just(freight_left))
        freight_left -= freight_fen
        if lines and sum(amount for _, amount, _ in lines) + freight_fen:
            drafts.append(draft(*lines, freight_fen=freight_fen, kind=kind))
    assume(drafts)
    return whole, drafts


@given(with_partial_refunds(), st.randoms())
def test_any_order_of_partial_refunds_ends_with_the_same_order(
    case: tuple[Order, list[RefundDraft]], random: Random
) -> None:
    whole, drafts = case
    shuffled = random.sample(drafts, len(drafts))
    assert after(whole, *drafts) == after(whole, *shuffled) == after(whole, *reversed(drafts))


@given(with_partial_refunds())
def test_refunds_add_up_and_never_go_beyond_what_was_paid(case: tuple[Order, list[RefundDraft]]) -> None:
    whole, drafts = case
    left = after(whole, *drafts)
    assert left.refunded_fen == sum(each.refunded_fen for each in left.lines) + left.refunded_freight_fen
    assert 0 <= left.refunded_fen <= whole.total_fen
    assert all(0 <= each.refunded_fen <= each.goods_fen for each in left.lines)
    assert all(0 <= each.returned_quantity <= each.quantity for each in left.lines)
    assert (left.state == State.REFUNDED) == (left.refunded_fen == whole.total_fen)


@given(with_partial_refunds(), st.sampled_from(["refund_only", "return"]))
def test_a_refund_of_the_rest_returns_everything(case: tuple[Order, list[RefundDraft]], kind: Kind) -> None:
    whole, drafts = case
    kind = "refund_only" if whole.state == State.PAID else kind
    before = after(whole, *drafts)
    assume(before.state != State.REFUNDED)
    ended = after(before, draft(kind=kind))
    assert ended.state == State.REFUNDED
    assert ended.refunded_fen == whole.total_fen
    assert ended.refunded_freight_fen == whole.freight_fen
    assert all(each.refunded_fen == each.goods_fen for each in ended.lines)
    assert ended.closed_at == NOW


@given(with_partial_refunds())
def test_an_order_that_ends_unshipped_leaves_no_goods_behind(case: tuple[Order, list[RefundDraft]]) -> None:
    whole, drafts = case
    ended = after(replace(whole, state=State.PAID), *(replace(each, kind="refund_only") for each in drafts))
    if ended.state != State.REFUNDED:
        ended = after(ended, draft())
    assert all(each.returned_quantity == each.quantity for each in ended.lines)


@given(with_partial_refunds(), st.randoms())
def test_what_is_told_as_unsold_sums_to_the_whole_in_any_order(
    case: tuple[Order, list[RefundDraft]], random: Random
) -> None:
    whole, drafts = case
    sums = []
    for some in (drafts, random.sample(drafts, len(drafts))):
        order, pieces, fen = whole, Counter[int](), Counter[int]()
        for each in some:
            refund = refund_of(order, each)
            order, before = agreed(order, refund, NOW), order
            for back in refund_agreed(before, order, refund).lines:
                assert back.unsold_quantity >= 0
                assert back.unsold_fen >= 0
                pieces[back.line_no] += back.unsold_quantity
                fen[back.line_no] += back.unsold_fen
        for line in order.lines:
            assert (pieces[line.line_no], fen[line.line_no]) == line.unsold
            assert line.returned_quantity <= pieces[line.line_no] <= line.quantity
            assert fen[line.line_no] == line.refunded_fen  # without a subsidy the buyer pays the list price
            if line.refunded_fen == line.paid_fen:
                assert line.unsold == (line.quantity, line.goods_fen)
        sums.append((pieces, fen))
    assert sums[0] == sums[1]


def test_of_a_subsidised_line_the_part_of_its_list_price_is_unsold_that_the_buyer_has_back() -> None:
    half = replace(line(1, 3, 1000), subsidy_fen=Fen(1500))
    assert replace(half, refunded_fen=Fen(500)).unsold == (1, 1000)
    assert replace(half, refunded_fen=Fen(499)).unsold == (0, 998)
    assert replace(half, refunded_fen=Fen(499), returned_quantity=2).unsold == (2, 998)
    assert replace(half, refunded_fen=Fen(1500)).unsold == (3, 3000)


@given(st.integers(1, 9), st.data())
def test_goods_that_were_kept_for_smaller_rooms_come_back_last(quantity: int, data: st.DataObject) -> None:
    reserved = data.draw(st.integers(0, quantity))
    sold = replace(line(1, quantity, 100), reserved_quantity=reserved)
    back = [replace(sold, returned_quantity=count).reserve_returned for count in range(quantity + 1)]
    assert back[0] == 0
    assert back[quantity] == reserved
    assert [later - earlier for earlier, later in pairwise(back)] == [0] * (quantity - reserved) + [1] * reserved


@given(with_partial_refunds(), st.integers(0, 4), st.integers(1, 3))
def test_nothing_beyond_what_is_left_can_be_asked(
    case: tuple[Order, list[RefundDraft]], number: int, more: int
) -> None:
    whole, drafts = case
    left = after(whole, *drafts)
    assume(left.state != State.REFUNDED)
    each = left.lines[number % len(left.lines)]
    too_much = draft((each.line_no, each.goods_fen - each.refunded_fen + more, 0))
    assert told(asked(left, too_much))[0] is RefundTooLarge
    too_many = draft((each.line_no, 0, each.quantity - each.returned_quantity + more), freight_fen=1)
    assert isinstance(asked(left, too_many), Refused)
    too_far = draft((each.line_no, 0, 0), freight_fen=left.freight_fen - left.refunded_freight_fen + more)
    assert told(asked(left, too_far))[0] is RefundTooLarge


@pytest.mark.parametrize("state", [State.PLACED, State.CANCELLED, State.REFUNDED])
def test_an_order_is_refunded_only_once_it_is_paid_and_not_whole_already(state: State) -> None:
    kind, more = told(asked(order(line(1, 1, 100), state=state), draft()))
    assert kind is WrongState
    assert more == {"state": state.value}


def test_of_a_completed_order_the_shop_may_give_back_and_the_buyer_ask_nothing() -> None:
    done = replace(order(line(1, 1, 100), state=State.RECEIVED), state=State.COMPLETED)
    late = NOW + WINDOW
    assert isinstance(ask(done, 0, draft(), BUYER, WINDOW, late), AfterSalesOver)
    offered = ask(done, 0, draft(), PersonId(1), WINDOW, late, by_shop=True)
    assert isinstance(offered, Refund)
    assert agreed(done, offered, late).state == State.REFUNDED


def test_each_line_has_the_window_that_it_was_sold_with() -> None:
    short, long = replace(line(1, 1, 100), window_s=7 * 86_400), line(2, 1, 50)
    received = order(short, long, freight_fen=9, state=State.RECEIVED)
    between = NOW + timedelta(days=7)
    assert over_at(received, WINDOW) == NOW + WINDOW
    assert told(ask(received, 0, draft((1, 1, 0)), BUYER, WINDOW, between))[0] is AfterSalesOver
    rest = ask(received, 0, draft(), BUYER, WINDOW, between)
    assert isinstance(rest, Refund)
    assert (rest.lines, rest.freight_fen) == ((RefundLine(2, 0, Fen(50)),), 0)
    assert isinstance(ask(received, 0, draft(), BUYER, WINDOW, NOW + WINDOW), AfterSalesOver)


def subsidised(line: Line, *grants: int) -> Line:
    parts = tuple(Grant(CampaignId(1), number, Fen(fen), in_base=True) for number, fen in enumerate(grants))
    return replace(line, subsidies=parts, subsidy_fen=Fen(sum(grants)))


@given(st.integers(2, 500), st.data())
def test_any_refunds_that_end_at_the_same_amount_give_each_funder_the_same_and_a_whole_one_gives_all(
    goods_fen: int, data: st.DataObject
) -> None:
    subsidy_fen = data.draw(st.integers(1, goods_fen - 1))
    first = data.draw(st.integers(0, subsidy_fen))
    whole = order(subsidised(line(1, 1, goods_fen), first, subsidy_fen - first), state=State.SHIPPED)
    whole = replace(whole, total_fen=Fen(goods_fen - subsidy_fen), subsidy_fen=Fen(subsidy_fen))
    paid_fen = whole.lines[0].paid_fen
    cuts = data.draw(st.lists(st.integers(1, paid_fen), max_size=5, unique=True).map(sorted)) or [paid_fen]
    back = {0: 0, 1: 0}
    here, done = whole, 0
    for cut in cuts:
        refund = refund_of(here, draft((1, cut - done, 0)))
        there = agreed(here, refund, NOW)
        [given] = given_back(here, there, refund)
        assert given.amount_fen == cut - done
        for grant in given.grants:
            assert grant.amount_fen > 0
            back[grant.funder_id] += grant.amount_fen
        here, done = there, cut
    assert back == {0: first * done // paid_fen, 1: (subsidy_fen - first) * done // paid_fen}
    if done == paid_fen:
        assert (here.state, sum(back.values())) == (State.REFUNDED, subsidy_fen)


def test_the_window_closes_with_its_last_moment() -> None:
    received = order(line(1, 1, 100), state=State.RECEIVED)
    last = NOW + WINDOW
    assert isinstance(ask(received, 0, draft(), BUYER, WINDOW, last - timedelta(microseconds=1)), Refund)
    assert isinstance(ask(received, 0, draft(), BUYER, WINDOW, last), AfterSalesOver)
    assert isinstance(ask(received, 0, draft(), BUYER, timedelta(0), NOW), AfterSalesOver)


def test_what_was_not_received_yet_has_all_the_time() -> None:
    shipped = order(line(1, 1, 100), state=State.SHIPPED)
    assert isinstance(ask(shipped, 0, draft(), BUYER, WINDOW, NOW + timedelta(days=400)), Refund)


def test_one_refund_waits_at_a_time() -> None:
    assert told(asked(order(line(1, 1, 100)), draft(), open_refunds=1))[0] is RefundOpen


def test_nothing_comes_back_that_was_never_sent() -> None:
    assert isinstance(asked(order(line(1, 1, 100)), draft(kind="return")), Invalid)


def test_goods_that_were_shipped_come_back_only_with_a_return() -> None:
    shipped = order(line(1, 3, 100), state=State.SHIPPED)
    assert isinstance(asked(shipped, draft((1, 100, 1))), Invalid)
    assert refund_of(shipped, draft((1, 100, 1), kind="return")).lines == (RefundLine(1, 1, Fen(100)),)


def test_a_whole_refund_of_shipped_goods_leaves_them_with_the_buyer_unless_they_return() -> None:
    shipped = order(line(1, 3, 100), state=State.SHIPPED)
    assert refund_of(shipped, draft()).lines == (RefundLine(1, 0, Fen(300)),)
    assert refund_of(shipped, draft(kind="return")).lines == (RefundLine(1, 3, Fen(300)),)


def test_a_return_of_the_rest_does_not_ask_for_goods_that_the_buyer_was_let_keep() -> None:
    shipped = order(line(1, 1, 100), line(2, 1, 200), state=State.SHIPPED)
    kept = after(shipped, draft((1, 100, 0)))
    assert refund_of(kept, draft(kind="return")).lines == (RefundLine(2, 1, Fen(200)),)


def test_the_last_refund_before_shipping_brings_all_goods_back_however_it_is_asked() -> None:
    emptied = after(order(line(1, 2, 100), line(2, 1, 50), freight_fen=10), draft((1, 200, 0)))
    rest = (RefundLine(1, 2, Fen(0)), RefundLine(2, 1, Fen(50)))
    assert refund_of(emptied, draft()).lines == rest
    assert refund_of(emptied, draft((2, 50, 0), freight_fen=10)).lines == rest


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([(9, 1, 0)], id="a line that the order has not"),
        pytest.param([(1, 1, 0), (1, 1, 0)], id="a line twice"),
    ],
)
def test_a_refund_names_lines_of_its_order_once(lines: list[tuple[int, int, int]]) -> None:
    assert isinstance(asked(order(line(1, 2, 100)), draft(*lines)), Invalid)


def test_a_refund_gives_something_back() -> None:
    assert told(asked(order(line(1, 2, 100)), draft((1, 0, 1))))[0] is RefundTooLarge


class TestConsent:
    """Before shipping a buyer may take back what will not be shipped either; all else is for the shop to decide."""

    def consented(
        self, *wanted: tuple[int, int, int], freight_fen: int = 0, state: State = State.PAID, charged_fen: int = 10
    ) -> bool:
        whole = order(line(1, 2, 100), line(2, 1, 50), freight_fen=charged_fen, state=state)
        return needs_no_consent(whole, refund_of(whole, draft(*wanted, freight_fen=freight_fen)))

    def test_the_whole_order_needs_none(self) -> None:
        assert self.consented()
        assert self.consented((1, 200, 0), (2, 50, 0), freight_fen=10)

    def test_goods_at_their_price_or_less_need_none(self) -> None:
        assert self.consented((1, 100, 1))
        assert self.consented((1, 90, 1), (2, 50, 1))

    def test_money_without_its_goods_needs_the_shop(self) -> None:
        assert not self.consented((1, 199, 0))
        assert not self.consented((1, 101, 1))
        assert not self.consented((1, 100, 1), (2, 50, 0))

    def test_a_part_of_what_travels_free_needs_the_shop(self) -> None:
        """Or a buyer orders much, travels free, and keeps little."""
        assert not self.consented((1, 200, 2), charged_fen=0)
        assert self.consented((1, 200, 2), (2, 50, 1), charged_fen=0)

    def test_freight_alone_needs_the_shop(self) -> None:
        assert not self.consented((1, 100, 1), freight_fen=1)

    @pytest.mark.parametrize("state", [State.SHIPPED, State.RECEIVED])
    def test_after_shipping_everything_needs_the_shop(self, state: State) -> None:
        assert not self.consented(state=state)


class TestStillFits:
    def test_a_refund_fits_as_long_as_its_money_and_goods_are_left(self) -> None:
        shipped = order(line(1, 2, 100), freight_fen=10, state=State.SHIPPED)
        refund = refund_of(shipped, draft((1, 150, 2), freight_fen=5, kind="return"))
        assert still_fits(shipped, refund) is None
        assert still_fits(after(shipped, draft((1, 50, 0), freight_fen=5)), refund) is None
        for less in (draft((1, 51, 0)), draft((1, 1, 1), kind="return"), draft((1, 0, 0), freight_fen=6)):
            assert isinstance(still_fits(after(shipped, less), refund), RefundTooLarge)

    def test_a_refund_does_not_fit_an_order_of_which_nothing_is_left_but_one_that_is_completed(self) -> None:
        shipped = order(line(1, 2, 100), state=State.SHIPPED)
        refund = refund_of(shipped, draft((1, 1, 0)))
        assert isinstance(still_fits(after(shipped, draft()), refund), WrongState)
        assert still_fits(replace(shipped, state=State.COMPLETED), refund) is None


def test_goods_come_back_by_sku_also_from_several_lines() -> None:
    whole = order(line(1, 2, 100, sku_id=8), line(2, 1, 50, sku_id=3), line(3, 5, 100, sku_id=8))
    refund = refund_of(whole, draft((3, 100, 4), (2, 1, 0), (1, 1, 1)))
    assert goods_back(whole, refund) == {8: 5}


def test_a_refund_remembers_who_asked_and_starts_undecided() -> None:
    refund = ask(order(line(1, 1, 100)), 0, draft(), PersonId(3), WINDOW, NOW)
    assert isinstance(refund, Refund)
    assert (refund.state, refund.asked_by, refund.asked_at) == (RefundState.REQUESTED, 3, NOW)
    assert (refund.answer, refund.decided_at, refund.refunded_at) == ("", None, None)
