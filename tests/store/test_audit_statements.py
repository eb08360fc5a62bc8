"""Whatever is wrong in statements, closed months, earnings and withholdings, the audit finds it and names it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
import psycopg
import psycopg.rows
import pytest

from deals import LATER, creator, ordered, picked, published, received, refunded, settled, subsidised
from fairwind.kernel import Database, Event, EventId, Platform, Settings, ShiftedClock, accepted, uuid7
from fairwind.kernel.audit import Check, checks_of
from fairwind.settlement.commands.closing import Periods
from fairwind.settlement.commands.earnings import note_earnings
from fairwind.settlement.commands.withholdings import Opening, Releasing, open_withholdings, release_withholdings
from fairwind.settlement.withholding import Asker, WithholdingDraft, WithholdingId
from market import BUYER, NOW, WINDOW, open_shop
from payables import swept

WORDS = {
    "ledger": "what statements list of each account",
    "funded": "what each funder put into an order",
    "closed": "what was closed is what its entries come to",
    "in a row": "closed months follow each other",
    "noted": "whoever earns of a paid line is noted",
    "named": "is named in its evidence",
    "agencies": "every agency that earns of a paid line",
    "withheld": "no line settled while it was withheld",
    "of a line": "every withholding is of a line",
}
CHECKS = {
    name: next(check for check in checks_of("fairwind.settlement") if words in check.invariant)
    for name, words in WORDS.items()
}


class Plant(NamedTuple):
    """A corruption: the checks that it breaks, and statements that make it."""

    what: str
    breaks: Sequence[str]
    sql: Sequence[str]


def transfers(change: str, reason: str, *, kind: str) -> str:
    return f"UPDATE ledger.transfer SET {change} WHERE reason = '{reason}' AND '{kind}' IN (debit_kind, credit_kind)"


PLANTS = [
    Plant(
        "a share that the ledger knows otherwise",
        ["ledger"],
        [transfers("amount_fen = amount_fen + 1", "settled", kind="creator")],
    ),
    Plant(
        "a settled line that is gone",
        ["ledger", "closed"],
        ["DELETE FROM settlement.settled_line"],
    ),
    Plant(
        "a clawback of another day than the ledger's",
        ["ledger", "closed"],
        ["UPDATE settlement.clawback SET clawed_at = clawed_at - interval '40 days'"],
    ),
    Plant(
        "an alliance fee that nobody posted",
        ["ledger"],
        [transfers("made_at = made_at + interval '2 days'", "alliance_fee", kind="creator")],
    ),
    Plant(
        "a subsidy that is a fen more than its lines say",
        ["funded", "closed"],
        [transfers("amount_fen = amount_fen + 1", "subsidised", kind="subsidy")],
    ),
    Plant(
        "a subsidy that no line knows of",
        ["funded"],
        ["UPDATE orders.line SET subsidies = jsonb_set(subsidies, '{0,funder_id}', '99')"],
    ),
    Plant(
        "a closed amount that was changed",
        ["closed"],
        ["UPDATE settlement.closed_statement SET settled_fen = settled_fen + 1, closing_fen = closing_fen + 1"],
    ),
    Plant(
        "a closed account that opened with something else",
        ["closed"],
        ["UPDATE settlement.closed_statement SET opening_fen = opening_fen + 1, closing_fen = closing_fen + 1"],
    ),
    Plant(
        "a closed statement that is gone",
        ["closed"],
        ["DELETE FROM settlement.closed_statement WHERE account = 'creator'"],
    ),
    Plant(
        "an entry that came into a closed month",
        ["closed"],
        [transfers("made_at = '2020-07-20'", "swept", kind="shop")],
    ),
    Plant(
        "a month that was left out",
        ["in a row"],
        ["UPDATE settlement.closed_period SET since = since + interval '1 day' WHERE period = '2020-07'"],
    ),
    Plant("an earning that is forgotten", ["noted"], ["DELETE FROM settlement.earning WHERE earns"]),
    Plant(
        "an earning with another reason", ["noted"], ["UPDATE settlement.earning SET reason = 'last_click' WHERE earns"]
    ),
    Plant(
        "somebody who had no part in the line",
        ["named"],
        ["UPDATE settlement.earning SET creator_id = 1 WHERE NOT earns"],
    ),
    Plant("an agency that is forgotten", ["agencies"], ["DELETE FROM settlement.agency_earning WHERE part = 'mcn'"]),
    Plant(
        "an agency that is another's",
        ["agencies"],
        ["UPDATE settlement.agency_earning SET agency_id = 1 WHERE part = 'agency'"],
    ),
    Plant(
        "a line that settled while it was withheld",
        ["withheld"],
        ["UPDATE settlement.withholding SET released_at = NULL, released_by = NULL"],
    ),
    Plant(
        "a withholding of a line that is not there",
        ["of a line"],
        ["UPDATE settlement.withholding SET line_no = 7"],
    ),
    Plant(
        "a withholding of a freight that nobody paid",
        ["of a line"],
        ["UPDATE settlement.withholding SET line_no = 0"],
    ),
]


async def _trade(url: str) -> None:
    """June: sold with a subsidy; July: withheld, released, settled; August: some of it given back, and all swept."""
    async with Database(url) as database:
        shop, host, other = await open_shop(database, 99), await creator(database), await creator(database)
        await published(database, shop, 200_000)
        await picked(database, shop, host)
        await subsidised(database, shop, 900)
        orders = [await ordered(database, shop, by=host), await ordered(database, shop, by=other)]
        async with database.transaction() as tx:
            await tx.execute(
                "UPDATE orders.line SET mcn_id = 61, mcn_ppm = 300000, agency_id = 62, agency_ppm = 10000"
                " WHERE earner_id IS NOT NULL"
            )
        for order in orders:
            await received(database, order)
            payload = msgspec.Raw(msgspec.json.encode({"order_id": order.id}))
            event = Event(EventId(order.id), order.shop_id, "orders.paid", payload, NOW)
            await database.run(lambda tx, event=event: note_earnings(tx, shop.id, [event], NOW))  # type: ignore[misc]
        draft = WithholdingDraft(WithholdingId(uuid7(NOW)), 1, "dispute", "货不对板")
        asker, over = Asker(BUYER), LATER + WINDOW
        [outcome] = await database.run(
            lambda tx: open_withholdings(tx, shop.id, [Opening(orders[0].id, draft, asker)], LATER)
        )
        releasing = Releasing(accepted(outcome).id, asker)
        await database.run(lambda tx: release_withholdings(tx, shop.id, [releasing], over))
        await settled(database, shop.id, over)
        await refunded(database, orders[0], (1, 3000), now=over + timedelta(days=30))
        await swept(database, shop.id, 60)
        clock = ShiftedClock()  # months are closed up to the present
        assert await Periods(Platform(database, clock, Settings())).close_periods() > 0
        async with database.transaction() as tx:
            await tx.execute("DELETE FROM kernel.outbox")
            await tx.execute("DELETE FROM settlement.closed_period WHERE period > '2020-08'")
            await tx.execute(
                "ALTER TABLE settlement.closed_statement DROP CONSTRAINT closed_statement_sum;"
                "ALTER TABLE settlement.withholding DROP CONSTRAINT withholding_released"
            )


@pytest.fixture(scope="module")
def trade(module_database_url: str) -> str:
    asyncio.run(_trade(module_database_url))
    return module_database_url


@pytest.fixture
def connection(trade: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(trade, row_factory=psycopg.rows.dict_row) as connection:
        yield connection
        connection.rollback()


def found(connection: psycopg.Connection[Any], check: Check) -> list[dict[str, Any]]:
    return connection.execute(check.sql).fetchall()  # type: ignore[arg-type]


@pytest.mark.parametrize("name", WORDS)
def test_what_the_real_commands_made_is_sound(connection: psycopg.Connection[Any], name: str) -> None:
    assert found(connection, CHECKS[name]) == []


@pytest.mark.parametrize("plant", PLANTS, ids=[plant.what for plant in PLANTS])
def test_the_audit_finds(connection: psycopg.Connection[Any], plant: Plant) -> None:
    for statement in plant.sql:
        assert connection.execute(statement).rowcount > 0  # type: ignore[arg-type]

    broken = {name for name, check in CHECKS.items() if found(connection, check)}

    assert broken >= {*plant.breaks}


def test_every_check_is_shown_to_find_something() -> None:
    assert {name for plant in PLANTS for name in plant.breaks} == {*CHECKS}


def test_what_is_about_to_be_noted_is_not_missed(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "INSERT INTO kernel.outbox (shop_id, id, topic, payload, created_at)"
        " SELECT shop_id, gen_random_uuid(), 'orders.paid', jsonb_build_object('order_id', order_id), now()"
        " FROM settlement.earning"
    )
    connection.execute("DELETE FROM settlement.earning")
    connection.execute("DELETE FROM settlement.agency_earning")

    assert found(connection, CHECKS["noted"]) == found(connection, CHECKS["agencies"]) == []
