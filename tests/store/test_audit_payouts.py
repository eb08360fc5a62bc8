"""Whatever is wrong in sweeps and payouts, the audit finds it and names what is broken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import psycopg
import psycopg.rows
import pytest

from fairwind.kernel import Database, Fen, PersonId, ShopId
from fairwind.kernel.audit import Check, checks_of
from fairwind.ledger import SERVICE_FEE, SHOP, creator, subsidy
from fairwind.settlement.commands.payouts import assemble, record_payouts, release_payout
from fairwind.settlement.commands.sweeps import note_paid_out
from fairwind.settlement.netting import PLATFORM, Payee
from fairwind.settlement.payout import Payout, PayoutTold, PayoutWord
from market import NOW
from payables import CHECKS, paid_out_events, post, swept

LEDGER = checks_of("fairwind.ledger")
SHOP_ID = ShopId(1)


class Plant(NamedTuple):
    """A corruption: the checks that it breaks, and statements that make it."""

    what: str
    breaks: Sequence[str]
    sql: Sequence[str]


TRANSFER = (
    "ledger.transfer (shop_id, id, debit_kind, debit_party_id, credit_kind, credit_party_id, amount_fen, reason,"
    " made_at)"
)
A_FEN_MOVED = (
    "UPDATE ledger.account SET balance_fen = balance_fen {} WHERE shop_id = 1 AND kind = '{}' AND party_id = {}"
)

PLANTS = [
    Plant(
        "an amount that was swept and is forgotten",
        ["on its way", "for each payee"],
        ["DELETE FROM settlement.swept WHERE payout_id IS NULL AND payee_id = 9"],
    ),
    Plant(
        "an amount that is kept a fen too high",
        ["on its way", "for each payee"],
        ["UPDATE settlement.swept SET amount_fen = amount_fen + 1 WHERE payout_id IS NULL AND payee_id = 9"],
    ),
    Plant(
        "a fen that left the book without being swept",
        ["on its way", "for each payee"],
        [
            f"INSERT INTO {TRANSFER} VALUES (1, gen_random_uuid(), 'creator', 7, 'payout', 0, 1, 'swept', now())",
            A_FEN_MOVED.format("- 1", "creator", 7),
            A_FEN_MOVED.format("+ 1", "payout", 0),
        ],
    ),
    Plant(
        "what one earned and another is to be paid",
        ["for each payee"],
        ["UPDATE settlement.swept SET payee_id = 8 WHERE payout_id IS NULL AND payee_id = 9"],
    ),
    Plant(
        "what a shop earned and the platform is to be paid",
        ["for each payee", "whose"],
        [
            "UPDATE settlement.swept SET payee_kind = 'platform', payee_id = 0"
            " WHERE payee_kind = 'shop' AND payee_id = 1",
        ],
    ),
    Plant(
        "a fen more paid out than was swept",
        ["on its way", "paid out"],
        [
            f"INSERT INTO {TRANSFER} VALUES (1, gen_random_uuid(), 'payout', 0, 'paid_out', 0, 1, 'paid_out', now())",
            A_FEN_MOVED.format("- 1", "payout", 0),
            A_FEN_MOVED.format("+ 1", "paid_out", 0),
        ],
    ),
    Plant(
        "a payout of a fen more than it is made of",
        ["sum"],
        ["UPDATE settlement.payout SET amount_fen = amount_fen + 1 WHERE state = 'pending'"],
    ),
    Plant(
        "a payout of nothing",
        ["sum"],
        [
            "ALTER TABLE settlement.payout DROP CONSTRAINT payout_amount_fen_check",
            "UPDATE settlement.payout SET amount_fen = -amount_fen WHERE state = 'pending'",
        ],
    ),
    Plant(
        "one payout made twice",
        ["sum"],
        [
            "INSERT INTO settlement.payout SELECT gen_random_uuid(), payee_kind, payee_id, amount_fen, provider, state,"
            " reason, attempts, next_try_at, requested_at, finished_at FROM settlement.payout WHERE state = 'pending'",
        ],
    ),
    Plant(
        "an amount that two payouts are made of",
        ["sum", "whose"],
        [
            "UPDATE settlement.swept SET payout_id = (SELECT id FROM settlement.payout WHERE state = 'pending')"
            " WHERE payout_id = (SELECT id FROM settlement.payout WHERE state = 'failed')",
        ],
    ),
    Plant(
        "a payout that is gone",
        ["sum"],
        ["DELETE FROM settlement.payout WHERE state = 'pending'"],
    ),
    Plant(
        "what was released and given to nobody",
        ["sum"],
        [
            "UPDATE settlement.swept SET payout_id = (SELECT id FROM settlement.payout WHERE state = 'released')"
            " WHERE payout_id IS NULL AND payee_id = 11",
        ],
    ),
    Plant(
        "a payout that succeeded and that a book knows nothing of",
        ["noted"],
        ["DELETE FROM kernel.outbox WHERE topic = 'settlement.paid_out'"],
    ),
    Plant(
        "a book that paid out what never left",
        ["on its way", "paid out", "noted"],
        [
            "UPDATE settlement.swept SET paid_out_at = now()"
            " WHERE payout_id = (SELECT id FROM settlement.payout WHERE state = 'pending')",
        ],
    ),
    Plant(
        "a success that is forgotten",
        ["noted"],
        [
            "UPDATE settlement.payout SET state = 'pending', finished_at = NULL, next_try_at = now()"
            " WHERE state = 'succeeded' AND payee_kind = 'platform'",
        ],
    ),
]


async def make(database: Database) -> None:
    """Payouts in every state, a debt that is carried, and one success that the books are yet to hear of."""
    earned = {7: 500, 9: -40, 10: 700, 11: 900}
    accounts = {creator(PersonId(person)): fen for person, fen in earned.items()}
    await post(database, SHOP_ID, {SERVICE_FEE: 300, SHOP: 2000, subsidy(0): -100, subsidy(2): -50, **accounts})
    await swept(database, SHOP_ID)

    async def paid(payee: Payee, *words: PayoutWord) -> Payout:
        payout = await database.run(lambda tx: assemble(tx, payee, Fen(100), "sandbox", NOW))
        assert payout is not None
        for word in words:
            told = [PayoutTold(payout.id, 0, word)]
            await database.run(lambda tx, told=told: record_payouts(tx, told, NOW))
        return payout

    await paid(Payee("creator", 7))
    await paid(Payee("creator", 10), "failed")
    released = await paid(Payee("creator", 11), "failed")
    await database.run(lambda tx: release_payout(tx, released, NOW))
    for event in await paid_out_events(database, await paid(PLATFORM, "succeeded")):
        await database.run(lambda tx, event=event: note_paid_out(tx, event.shop_id, [event], NOW))
        await database.run(lambda tx: tx.execute("DELETE FROM kernel.outbox"))
    await paid(Payee("shop", SHOP_ID), "succeeded")


@pytest.fixture(scope="module")
def url(module_database_url: str) -> str:
    async def run() -> None:
        async with Database(module_database_url) as database:
            await make(database)

    asyncio.run(run())
    return module_database_url


@pytest.fixture
def books(url: str) -> Iterator[psycopg.Connection[Any]]:
    """The database; what is done to it is undone."""
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as connection:
        yield connection
        connection.rollback()


def broken(books: psycopg.Connection[Any], checks: dict[str, Check] = CHECKS) -> list[str]:
    return sorted(name for name, check in checks.items() if books.execute(check.sql).fetchone())  # type: ignore[arg-type]


def test_sound_payouts_pass_every_check(books: psycopg.Connection[Any]) -> None:
    assert broken(books) == []
    assert broken(books, {check.invariant: check for check in LEDGER}) == []


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.what)
def test_what_is_wrong_is_found_and_named(books: psycopg.Connection[Any], plant: Plant) -> None:
    for sql in plant.sql:
        statement = books.execute(sql)  # type: ignore[arg-type]
        assert sql.startswith("ALTER") or statement.rowcount > 0, "the corruption meets nothing"

    assert broken(books) == sorted(plant.breaks)


def test_every_check_of_payouts_was_seen_to_find_something() -> None:
    assert {name for plant in PLANTS for name in plant.breaks} == CHECKS.keys()
