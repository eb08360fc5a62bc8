"""The ledger against the database: books balance, statements add up at any time, only the provider is in the red."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from itertools import count, pairwise
from random import Random
from uuid import UUID

import psycopg
import pytest

from fairwind.kernel import Database, Fen, OrderId, ShopId
from fairwind.ledger import (
    BUYER_REFUND,
    ESCROW,
    PROVIDER,
    Account,
    StatementLine,
    Transfer,
    balance_at,
    balances,
    statement_lines,
    transfers_of_order,
    transfers_posted,
)
from market import NOW, order_id

ACCOUNTS = (PROVIDER, ESCROW, BUYER_REFUND)
LONG_AGO, IN_A_YEAR = NOW - timedelta(days=365), NOW + timedelta(days=365)
_shops = count(7_000_000)


@pytest.fixture(scope="module")
async def database(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url) as database:
        yield database


@pytest.fixture
def shop_id() -> ShopId:
    """A book of its own."""
    return ShopId(next(_shops))


def paid(amount_fen: int, order: OrderId) -> Transfer:
    return Transfer(PROVIDER, ESCROW, Fen(amount_fen), "paid", order)


def agreed(amount_fen: int, order: OrderId) -> Transfer:
    return Transfer(ESCROW, BUYER_REFUND, Fen(amount_fen), "refund_agreed", order)


async def post(database: Database, shop_id: ShopId, *transfers: Transfer, at: datetime = NOW) -> None:
    await database.run(lambda tx: tx.together(*transfers_posted(shop_id, transfers, at)))


async def book(database: Database, shop_id: ShopId) -> dict[str, int]:
    async with database.transaction() as tx:
        return {balance.kind: balance.balance_fen for balance in await tx.ask(balances(shop_id))}


async def statement(
    database: Database,
    shop_id: ShopId,
    account: Account,
    since: datetime = LONG_AGO,
    until: datetime = IN_A_YEAR,
    after: UUID | None = None,
    limit: int = 1000,
) -> list[StatementLine]:
    async with database.transaction() as tx:
        return await tx.ask(statement_lines(shop_id, account, since, until, after, limit))


async def busy_book(database: Database, shop_id: ShopId) -> list[datetime]:
    """Sixty transfers in twenty batches, several of them in the same moment; answers the moments."""
    random, order = Random(1), order_id()
    moments = [NOW + timedelta(seconds=n // 2) for n in range(20)]
    for moment in moments:
        amounts = [random.randint(2, 500) for _ in range(2)]
        back = agreed(random.randint(1, amounts[0]), order)
        await post(database, shop_id, *(paid(amount, order) for amount in amounts), back, at=moment)
    return moments


async def test_posting_moves_each_balance_once_and_the_book_stays_at_zero(database: Database, shop_id: ShopId) -> None:
    one, other = order_id(), order_id()
    await post(database, shop_id, paid(500, one), paid(300, other), agreed(100, one))
    assert await book(database, shop_id) == {"provider": -800, "escrow": 700, "buyer_refund": 100}
    await post(database, shop_id, agreed(400, one))
    assert await book(database, shop_id) == {"provider": -800, "escrow": 300, "buyer_refund": 500}


async def test_posting_nothing_asks_nothing(shop_id: ShopId) -> None:
    assert transfers_posted(shop_id, [], NOW) == []


async def test_an_order_shows_what_it_moved_in_order(database: Database, shop_id: ShopId) -> None:
    one, other = order_id(), order_id()
    moved = [paid(500, one), agreed(100, one), agreed(50, one)]
    await post(database, shop_id, moved[0], paid(9, other), moved[1])
    await post(database, shop_id, moved[2], at=NOW + timedelta(days=1))
    async with database.transaction() as tx:
        assert await tx.ask(transfers_of_order(shop_id, one)) == moved


@pytest.mark.parametrize(
    "transfer",
    [agreed(1, order_id()), Transfer(ESCROW, PROVIDER, Fen(1), "paid", order_id())],
    ids=["escrow below zero", "the provider above zero"],
)
async def test_nobody_but_the_provider_is_in_the_red(database: Database, shop_id: ShopId, transfer: Transfer) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        await post(database, shop_id, transfer)
    assert await book(database, shop_id) == {}


@pytest.mark.parametrize("amount_fen", [0, -1])
async def test_a_transfer_moves_something(database: Database, shop_id: ShopId, amount_fen: int) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        await post(database, shop_id, paid(amount_fen, order_id()))


async def test_books_are_kept_apart(database: Database, shop_id: ShopId) -> None:
    order = order_id()
    await post(database, shop_id, paid(500, order))
    assert await book(database, ShopId(shop_id + 500_000)) == {}
    assert await statement(database, ShopId(shop_id + 500_000), ESCROW) == []


async def test_a_balance_can_be_told_at_any_time(database: Database, shop_id: ShopId) -> None:
    moments = await busy_book(database, shop_id)
    for account in ACCOUNTS:
        lines = await statement(database, shop_id, account)
        for at in [NOW, *moments, *(moment + timedelta(microseconds=1) for moment in moments)]:
            async with database.transaction() as tx:
                told = await tx.ask(balance_at(shop_id, account, at))
            assert told == sum(line.amount_fen for line in lines if line.made_at < at)
    async with database.transaction() as tx:
        now = {account.kind: await tx.ask(balance_at(shop_id, account, IN_A_YEAR)) for account in ACCOUNTS}
    assert now == await book(database, shop_id)


async def test_each_line_of_a_statement_carries_on_from_the_one_before(database: Database, shop_id: ShopId) -> None:
    await busy_book(database, shop_id)
    for account in ACCOUNTS:
        lines = await statement(database, shop_id, account)
        assert lines[0].balance_fen == lines[0].amount_fen
        assert all(after.balance_fen == before.balance_fen + after.amount_fen for before, after in pairwise(lines))
        assert lines[-1].balance_fen == (await book(database, shop_id))[account.kind]
        assert all(line.other_kind != account.kind for line in lines)


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_pages_of_a_statement_are_the_statement(database: Database, shop_id: ShopId, size: int) -> None:
    await busy_book(database, shop_id)
    pages: list[StatementLine] = []
    while page := await statement(
        database, shop_id, ESCROW, after=pages[-1].transfer_id if pages else None, limit=size
    ):
        pages += page
    assert pages == await statement(database, shop_id, ESCROW)


async def test_a_statement_has_what_was_moved_from_its_beginning_until_just_before_its_end(
    database: Database, shop_id: ShopId
) -> None:
    moments = await busy_book(database, shop_id)
    whole: Sequence[StatementLine] = await statement(database, shop_id, ESCROW)
    since, until = moments[4], moments[9]
    assert since < until
    part = await statement(database, shop_id, ESCROW, since, until)
    assert part == [line for line in whole if since <= line.made_at < until]
    assert part[0].balance_fen != part[0].amount_fen, "what came before counts"
    assert await statement(database, shop_id, ESCROW, until, since) == []


async def test_an_account_is_told_apart_by_whose_it_is(database: Database, shop_id: ShopId) -> None:
    """Now every kind has one account; what comes later has one for each creator."""
    mine, hers = Account("buyer_refund", 7), Account("buyer_refund", 8)
    order = order_id()
    await post(
        database,
        shop_id,
        paid(500, order),
        Transfer(ESCROW, mine, Fen(100), "refund_agreed", order),
        Transfer(ESCROW, hers, Fen(30), "refund_agreed", order),
        Transfer(mine, hers, Fen(5), "refund_agreed", order),
    )
    assert [line.amount_fen for line in await statement(database, shop_id, mine)] == [100, -5]
    lines = await statement(database, shop_id, hers)
    assert [(line.amount_fen, line.other_party_id, line.balance_fen) for line in lines] == [(30, 0, 30), (5, 7, 35)]
    async with database.transaction() as tx:
        assert await tx.ask(balance_at(shop_id, hers, IN_A_YEAR)) == 35
