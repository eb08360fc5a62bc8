"""What transfers do to balances."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fairwind.kernel import Fen
from fairwind.ledger import BUYER_REFUND, ESCROW, PROVIDER, Account, Transfer
from fairwind.ledger.transfer import changes
from market import order_id

ACCOUNTS = [PROVIDER, ESCROW, BUYER_REFUND, Account("buyer_refund", 7)]
TRANSFERS = st.lists(
    st.builds(
        lambda pair, amount_fen: Transfer(*pair, Fen(amount_fen), "paid", order_id()),
        st.permutations(ACCOUNTS).map(lambda accounts: accounts[:2]),
        st.integers(1, 10**15),
    )
)


@given(TRANSFERS)
def test_what_one_account_loses_another_wins(transfers: list[Transfer]) -> None:
    assert sum(changes(transfers).values()) == 0


@given(TRANSFERS)
def test_each_account_changes_by_its_credits_less_its_debits(transfers: list[Transfer]) -> None:
    moved = changes(transfers)
    for account in ACCOUNTS:
        won = sum(each.amount_fen for each in transfers if each.credit == account)
        lost = sum(each.amount_fen for each in transfers if each.debit == account)
        assert moved.get(account, 0) == won - lost


@given(TRANSFERS)
def test_accounts_are_locked_in_one_order(transfers: list[Transfer]) -> None:
    assert list(changes(transfers)) == sorted(changes(transfers))
