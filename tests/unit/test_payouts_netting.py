"""What books owe is netted by payee: nobody gets more than is owed, whatever the order, and no fen is lost."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwind.kernel import CHINA, Fen, ShopId
from fairwind.ledger import (
    ALLIANCE_FEE,
    ESCROW,
    PAID_OUT,
    PAYABLES,
    PAYOUT,
    SERVICE_FEE,
    SHOP,
    SUPPLIER,
    Account,
    agency,
    creator,
    subsidy,
)
from fairwind.settlement.netting import PLATFORM, Payee, netted, payable, payee_of
from fairwind.settlement.sweep import is_due, paid_out, sweep

SHOPS = [ShopId(number) for number in (1, 2, 3)]
MINIMUM = Fen(100)
ACCOUNTS = [SERVICE_FEE, ALLIANCE_FEE, SHOP, SUPPLIER, subsidy(0), subsidy(1), subsidy(2), creator(7), creator(8)]
ACCOUNTS += [agency(7)]
DAY = timedelta(days=1)
NOW = datetime(2020, 6, 18, 12, tzinfo=CHINA)

fen = st.integers(-5000, 5000)
some_balances = st.dictionaries(st.sampled_from(ACCOUNTS), fen.filter(bool))
earnings = st.tuples(st.just("earn"), st.sampled_from(SHOPS), st.sampled_from(ACCOUNTS), fen)
sweeps = st.tuples(st.just("sweep"), st.sampled_from(SHOPS))
payments = st.tuples(st.just("pay"))


class Books:
    """The books of three shops in memory, swept and paid out by the rules."""

    def __init__(self) -> None:
        self.books: dict[ShopId, dict[Account, int]] = {shop_id: defaultdict(int) for shop_id in SHOPS}
        self.waiting: dict[Payee, list[tuple[ShopId, int]]] = defaultdict(list)
        self.earned = dict.fromkeys(SHOPS, 0)
        self.owed: dict[Payee, int] = defaultdict(int)
        self.paid: dict[Payee, int] = defaultdict(int)

    def do(self, what: str, *about) -> None:
        getattr(self, what)(*about)

    def earn(self, shop_id: ShopId, account: Account, change_fen: int) -> None:
        self.books[shop_id][account] += change_fen
        self.earned[shop_id] += change_fen
        self.owed[payee_of(shop_id, account)] += change_fen

    def sweep(self, shop_id: ShopId) -> None:
        book = self.books[shop_id]
        moved = sweep(shop_id, {a: fen for a, fen in sorted(book.items()) if a.kind in PAYABLES and fen})
        self._post(shop_id, moved.transfers)
        for payee, amount_fen in moved.amounts.items():
            self.waiting[payee].append((shop_id, amount_fen))

    def pay(self, minimum_fen: int = MINIMUM) -> None:
        for payee, amounts in self.waiting.items():
            amount_fen = payable([each for _, each in amounts], Fen(minimum_fen))
            if amount_fen is None:
                continue
            self.paid[payee] += amount_fen
            for shop_id, each in amounts:
                self._post(shop_id, [paid_out(each)])
            amounts.clear()

    def _post(self, shop_id: ShopId, transfers) -> None:
        for transfer in transfers:
            self.books[shop_id][transfer.debit] -= transfer.amount_fen
            self.books[shop_id][transfer.credit] += transfer.amount_fen

    def carried(self, payee: Payee) -> int:
        return sum(each for _, each in self.waiting[payee])

    def unswept(self, payee: Payee) -> int:
        return sum(
            fen
            for shop_id, book in self.books.items()
            for account, fen in book.items()
            if account.kind in PAYABLES and payee_of(shop_id, account) == payee
        )


@given(some_balances)
def test_a_sweep_empties_the_payables_and_what_it_found_is_what_left_them(balances):
    books = Books()
    books.books[ShopId(1)].update(balances)

    books.sweep(ShopId(1))

    assert all(books.books[ShopId(1)][account] == 0 for account in balances)
    assert books.books[ShopId(1)][PAYOUT] == sum(balances.values()) == sum(map(books.carried, [*books.waiting]))


@given(some_balances)
def test_a_payee_has_one_amount_in_a_book_and_none_is_zero(balances):
    amounts = netted(ShopId(1), balances)

    assert 0 not in amounts.values()
    for payee in {payee_of(ShopId(1), account) for account in balances}:
        own = [fen for account, fen in balances.items() if payee_of(ShopId(1), account) == payee]
        assert amounts.get(payee, 0) == sum(own)


@given(st.lists(st.one_of(earnings, sweeps, payments), max_size=60))
def test_nobody_is_paid_more_than_the_books_owed_and_no_fen_is_lost(deeds):
    books = Books()
    for deed in deeds:
        before = dict(books.paid)
        books.do(*deed)

        for payee, paid_fen in books.paid.items():
            assert books.owed[payee] == paid_fen + books.carried(payee) + books.unswept(payee)
            more_fen = paid_fen - before.get(payee, 0)
            assert more_fen == 0 or (more_fen >= MINIMUM and books.carried(payee) == 0)
    assert {shop_id: sum(book.values()) for shop_id, book in books.books.items()} == books.earned
    assert sum(book[PAID_OUT] for book in books.books.values()) == sum(books.paid.values())


@given(st.lists(earnings, max_size=30), st.randoms())
def test_whatever_the_order_of_sweeps_and_payouts_everyone_ends_with_the_same(deeds, random):
    orderly, shuffled = Books(), Books()
    for deed in deeds:
        orderly.do(*deed)
    for deed in random.sample(deeds, len(deeds)):
        shuffled.do(*deed)
        if random.random() < 0.5:
            shuffled.sweep(random.choice(SHOPS))
    for books in (orderly, shuffled):
        for shop_id in random.sample(SHOPS, len(SHOPS)):
            books.sweep(shop_id)
        books.pay(1)

    for payee in {*orderly.owed, *shuffled.owed}:
        assert orderly.paid[payee] == shuffled.paid[payee] == max(0, orderly.owed[payee])
        assert orderly.carried(payee) == shuffled.carried(payee) == min(0, orderly.owed[payee])


@given(st.lists(fen, max_size=20), st.integers(1, 500), st.randoms())
def test_amounts_are_paid_whole_or_carried_whole_whatever_their_order(amounts, minimum, random):
    paid_fen = payable(amounts, Fen(minimum))

    assert paid_fen == payable(random.sample(amounts, len(amounts)), Fen(minimum))
    assert paid_fen == (sum(amounts) if sum(amounts) >= minimum else None)


def test_fees_are_the_platforms_and_funders_are_the_platform_or_a_shop():
    assert {payee_of(ShopId(3), account) for account in (SERVICE_FEE, ALLIANCE_FEE, subsidy(0))} == {PLATFORM}
    assert {payee_of(ShopId(3), account) for account in (SHOP, SUPPLIER, subsidy(3))} == {Payee("shop", 3)}
    assert payee_of(ShopId(3), subsidy(9)) == Payee("shop", 9)
    assert (str(payee_of(ShopId(3), creator(7))), str(payee_of(ShopId(3), agency(7)))) == ("creator 7", "agency 7")


def test_every_payable_has_a_payee_and_nothing_else_has():
    assert all(payee_of(ShopId(1), Account(kind, 5)) for kind in PAYABLES)
    with pytest.raises(AssertionError):
        payee_of(ShopId(1), ESCROW)


def test_all_books_have_their_turn_at_midnight_in_china_and_a_new_one_at_once():
    evening = datetime(2020, 6, 18, 23, 59, tzinfo=CHINA)

    assert is_due(None, DAY, evening)
    assert not is_due(evening - timedelta(hours=23), DAY, evening)
    assert is_due(evening - timedelta(hours=23), DAY, evening + timedelta(minutes=1))
    assert is_due(evening, DAY, evening + timedelta(minutes=1))
    assert not is_due(evening + timedelta(minutes=1), DAY, evening), "a clock that was put back sweeps nothing twice"


@given(st.integers(0, 10**9), st.integers(1, 10**7))
def test_a_book_has_a_turn_in_every_period(since_s, every_s):
    swept_at, every = NOW + timedelta(seconds=since_s), timedelta(seconds=every_s)

    assert not is_due(swept_at, every, swept_at)
    assert is_due(swept_at, every, swept_at + every)
