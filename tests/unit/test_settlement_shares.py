"""Sharing a settled line, and taking it back: every rule of money, whatever the numbers."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fairwind.kernel import CampaignId, Fen, OrderId, PersonId, Ppm, RefundId, uuid7
from fairwind.ledger import BUYER_REFUND, ESCROW, REFUND_CLEARING, Account, Transfer
from fairwind.orders import GivenBack, SoldLine
from fairwind.policy import Grant
from fairwind.settlement.entries import clawing_back, settling
from fairwind.settlement.share import Held, SettledLine, Shares, Terms, back, held, share_line
from market import NOW

CREATOR, MCN, AGENCY = PersonId(7), PersonId(8), PersonId(9)
ORDER = OrderId(uuid7(NOW))


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    """Rates that publishing lets pass: together with the fee never above a hundred per cent."""
    fee_ppm = draw(st.integers(0, 100_000))
    creator_ppm = draw(st.integers(0, 500_000))
    agency_ppm = draw(st.integers(0, 400_000))
    return Terms(
        draw(st.sampled_from(["shop", "supplier"])),
        Ppm(fee_ppm),
        draw(st.sampled_from([None, CREATOR])),
        Ppm(creator_ppm),
        Ppm(draw(st.integers(0, 1_000_000))),
        draw(st.sampled_from([None, MCN])),
        Ppm(draw(st.integers(0, 1_000_000))),
        draw(st.sampled_from([None, AGENCY])),
        Ppm(agency_ppm),
    )


@st.composite
def sold(draw: st.DrawFn) -> tuple[int, tuple[Grant, ...]]:
    """What a buyer paid for a line, and what funders put on top."""
    paid_fen = draw(st.integers(1, 10**6))
    parts = draw(st.lists(st.tuples(st.integers(0, 10**5), st.booleans()), max_size=3))
    grants = tuple(
        Grant(CampaignId(1), number, Fen(fen), in_base=in_base) for number, (fen, in_base) in enumerate(parts) if fen
    )
    return paid_fen, grants


def settled(paid_fen: int, grants: tuple[Grant, ...], sold_on: Terms, refunded_fen: int = 0) -> SettledLine:
    there = held(Fen(paid_fen), grants, Fen(refunded_fen))
    return SettledLine(ORDER, 1, there, share_line(there, sold_on), sold_on)


def returned(grants: tuple[Grant, ...], paid_fen: int, before: int, after: int) -> tuple[Grant, ...]:
    """What goes back to each funder when refunds of the line come from `before` to `after` in all."""
    parts = [(grant, grant.amount_fen * after // paid_fen - grant.amount_fen * before // paid_fen) for grant in grants]
    return tuple(Grant(g.campaign_id, g.funder_id, Fen(fen), in_base=g.in_base) for g, fen in parts if fen)


class Book:
    """The accounts of one order's book, moved by transfers."""

    def __init__(self, line: SettledLine) -> None:
        self.line = line
        self.balances: Counter[Account] = Counter({ESCROW: line.held.escrow_fen})
        self.post(settling([line]))

    def post(self, transfers: list[Transfer]) -> None:
        for transfer in transfers:
            assert transfer.amount_fen > 0
            self.balances[transfer.debit] -= transfer.amount_fen
            self.balances[transfer.credit] += transfer.amount_fen

    def refund(self, amount_fen: int, grants: tuple[Grant, ...]) -> None:
        given = GivenBack(RefundId(uuid7(NOW)), ORDER, 1, Fen(amount_fen), grants)
        parts = back(self.line, given.amount_fen, Fen(sum(grant.amount_fen for grant in grants)))
        self.post(clawing_back([(given, self.line, parts)]))
        self.line = _returned(self.line, amount_fen)


def _returned(line: SettledLine, amount_fen: int) -> SettledLine:
    return SettledLine(
        line.order_id, line.line_no, line.held, line.shares, line.terms, Fen(line.returned_fen + amount_fen)
    )


@given(sold(), terms(), st.data())
def test_the_shares_of_a_line_sum_to_what_escrow_held_and_nobody_gets_more_than_its_rate(
    line: tuple[int, tuple[Grant, ...]], sold_on: Terms, data: Any
) -> None:
    paid_fen, grants = line
    refunded_fen = data.draw(st.integers(0, paid_fen - 1))
    there = held(Fen(paid_fen), grants, Fen(refunded_fen))
    shares = share_line(there, sold_on)
    assert sum(shares) == there.escrow_fen
    assert all(share_fen >= 0 for share_fen in shares)
    assert shares.service_fee_fen * 1_000_000 <= there.base_fen * sold_on.fee_ppm
    assert shares.commission_fen * 1_000_000 <= there.base_fen * sold_on.creator_ppm
    assert shares.agency_fen * 1_000_000 <= there.base_fen * sold_on.agency_ppm
    if sold_on.creator_id is None:
        assert shares.commission_fen == shares.agency_fen == 0


@given(sold(), terms())
def test_settling_empties_escrow_and_every_party_holds_its_share(
    line: tuple[int, tuple[Grant, ...]], sold_on: Terms
) -> None:
    there = settled(*line, sold_on)
    book = Book(there)
    assert book.balances[ESCROW] == 0
    assert sum(book.balances.values()) == there.held.escrow_fen
    assert book.balances[Account("creator", CREATOR)] == there.shares.creator_fen
    assert book.balances[Account("alliance_fee")] == there.shares.alliance_fee_fen


@given(sold(), terms(), st.data())
def test_any_order_of_partial_refunds_ends_with_the_same_books(
    line: tuple[int, tuple[Grant, ...]], sold_on: Terms, data: Any
) -> None:
    paid_fen, grants = line
    amounts = data.draw(st.lists(st.integers(1, paid_fen), min_size=1, max_size=6))
    while sum(amounts) > paid_fen:
        amounts.pop()
    shuffled = Random(data.draw(st.integers(0, 99))).sample(amounts, len(amounts))

    def book_after(order: list[int]) -> Book:
        book, done = Book(settled(paid_fen, grants, sold_on)), 0
        for amount in order:
            book.refund(amount, returned(grants, paid_fen, done, done + amount))
            done += amount
        return book

    one, other = book_after(amounts), book_after(shuffled)
    assert one.balances == other.balances
    assert one.balances[REFUND_CLEARING] == 0
    assert one.balances[BUYER_REFUND] == sum(amounts)


@given(sold(), terms(), st.data())
def test_each_party_has_given_back_its_part_rounded_down_and_the_seller_the_rest(
    line: tuple[int, tuple[Grant, ...]], sold_on: Terms, data: Any
) -> None:
    paid_fen, grants = line
    there, given_back, done = settled(paid_fen, grants, sold_on), Counter[str](), 0
    for cut in data.draw(st.lists(st.integers(1, paid_fen), max_size=5, unique=True).map(sorted)):
        subsidies_fen = sum(grant.amount_fen for grant in returned(grants, paid_fen, done, cut))
        parts = back(there, Fen(cut - done), Fen(subsidies_fen))
        assert sum(parts) == cut - done + subsidies_fen
        given_back.update(parts._asdict())
        there, done = _returned(there, cut - done), cut
    for name, share_fen in list(there.shares._asdict().items())[:-1]:
        assert given_back[name] == share_fen * done // paid_fen


@given(sold(), terms(), st.data())
def test_a_full_refund_leaves_every_account_as_before_the_sale(
    line: tuple[int, tuple[Grant, ...]], sold_on: Terms, data: Any
) -> None:
    """Also when a part went back before it settled: what was settled goes back to the fen."""
    paid_fen, grants = line
    before = data.draw(st.integers(0, paid_fen - 1))
    book = Book(settled(paid_fen, grants, sold_on, before))
    cuts = data.draw(st.lists(st.integers(before + 1, paid_fen), max_size=4, unique=True).map(sorted))
    done = before
    for cut in [*[cut for cut in cuts if cut < paid_fen], paid_fen]:
        book.refund(cut - done, returned(grants, paid_fen, done, cut))
        done = cut
    for account, balance in book.balances.items():
        if account.kind == "subsidy":
            assert balance == grants_left(grants, paid_fen, before)[account.party_id]
        else:
            assert balance == (paid_fen - before if account == BUYER_REFUND else 0)


def grants_left(grants: tuple[Grant, ...], paid_fen: int, refunded_fen: int) -> dict[int, int]:
    return {g.funder_id: g.amount_fen - g.amount_fen * refunded_fen // paid_fen for g in grants}


def test_a_line_is_shared_as_a_reader_reckons_by_hand() -> None:
    """9,800 fen paid and 200 given by the platform: 2 % fee, 20 % commission of which 10 % and then 30 % go on."""
    grants = (Grant(CampaignId(1), 0, Fen(200), in_base=True),)
    there = settled(
        9800,
        grants,
        Terms("shop", Ppm(20_000), CREATOR, Ppm(200_000), Ppm(100_000), MCN, Ppm(300_000), AGENCY, Ppm(50_000)),
    )
    assert there.held == Held(Fen(9800), Fen(10_000), Fen(10_000))
    assert there.shares == Shares(
        service_fee_fen=Fen(200),
        creator_fen=Fen(1260),
        alliance_fee_fen=Fen(200),
        mcn_fen=Fen(540),
        agency_fen=Fen(500),
        seller_fen=Fen(7300),
    )
    assert back(there, Fen(4900), Fen(100)) == Shares(Fen(100), Fen(630), Fen(100), Fen(270), Fen(250), Fen(3650))


def test_a_subsidy_that_does_not_count_goes_to_the_seller_whole() -> None:
    grants = (Grant(CampaignId(1), 0, Fen(1000), in_base=False),)
    there = settled(9000, grants, Terms("shop", Ppm(20_000), CREATOR, Ppm(100_000)))
    assert there.held.base_fen == 9000
    assert there.shares == Shares(Fen(180), Fen(900), Fen(0), Fen(0), Fen(0), Fen(8920))


def test_freight_is_the_sellers_alone() -> None:
    freight = SoldLine(ORDER, 0, Fen(800), Fen(0), (), "shop", Ppm(0), *(None,) * 11)
    assert share_line(held(freight.paid_fen, (), Fen(0)), Terms("shop", Ppm(0))).seller_fen == 800
