"""The settlement benchmark: what it settles is what trade leaves, and it notices when that comes out wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import LiteralString

import pytest

from databases import set_up_database
from fairwind.bench.settlement import Settling
from fairwind.kernel import Database

ORDERS = 240
LINES = ORDERS + ORDERS // 10
"""A tenth of the orders pays freight, which settles as well."""


@pytest.fixture
def url(server_url: str) -> Iterator[str]:
    """A database of a test's own, for the audit looks at all of it."""
    with set_up_database(server_url) as url:
        yield url


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    async with Database(url) as database:
        yield database


@pytest.fixture
def settling(database: Database, url: str) -> Settling:
    return Settling(database, url)


async def test_both_ways_settle_all_that_is_due_and_the_books_are_sound(settling: Settling) -> None:
    assert await settling.naive(ORDERS, connections=4) > 0
    assert await settling.batched(ORDERS) > 0

    assert settling.due_rows == 2 * LINES
    assert await settling.verified() == 2 * LINES


async def test_a_run_tells_the_memory_at_the_start_and_at_every_tenth(settling: Settling) -> None:
    told: list[str] = []

    run = await settling.in_one_run(ORDERS, told.append)

    assert run.rows == LINES
    assert len(run.rss_mb) == len(told) == 11


async def test_a_line_that_did_not_settle_is_noticed(settling: Settling) -> None:
    await settling.batched(ORDERS)
    settling.due_rows += 1

    with pytest.raises(AssertionError, match="265 lines were due, and 264 settled"):
        await settling.verified()


@pytest.mark.parametrize(
    ("fault", "invariant"),
    [
        ("UPDATE ledger.account SET balance_fen = balance_fen + 1 WHERE kind = 'creator'", "each book sums to zero"),
        (
            "UPDATE settlement.settled_line SET creator_fen = creator_fen + 1, seller_fen = seller_fen - 1"
            " WHERE creator_id IS NOT NULL",
            "each settled line was shared by its frozen terms",
        ),
    ],
)
async def test_money_in_the_wrong_place_is_noticed(
    settling: Settling, database: Database, fault: LiteralString, invariant: str
) -> None:
    await settling.batched(ORDERS)
    await database.run(lambda tx: tx.execute(fault))

    with pytest.raises(AssertionError, match=invariant):
        await settling.verified()
