"""Each check on campaigns finds its fault when it is planted, and nothing when all is well."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import psycopg
import pytest

from campaigns import CHECKS, draft, give_back, halves, platform_only, running, spend
from fairwind.kernel import Database
from fairwind.policy.campaign import Scope
from market import BUYER, open_shop, people

SHARES, AGREED, BUDGET, DRAWN, SPENT, BURNT, CAP, RECEIVED = (check.invariant for check in CHECKS)


class Plant(NamedTuple):
    """A corruption: statements that make it, and the invariants that it breaks."""

    what: str
    breaks: Sequence[str]
    sql: Sequence[str]


PLANTS = [
    Plant("a share that went missing", [SHARES], ["UPDATE policy.funding SET share_ppm = share_ppm - 1"]),
    Plant(
        "a campaign that a funder never agreed to",
        [AGREED],
        ["UPDATE policy.funding SET accepted_at = NULL, accepted_by = NULL WHERE funder_id > 0"],
    ),
    Plant(
        "a campaign agreed upon before its funders did",
        [AGREED],
        ["UPDATE policy.campaign SET agreed_at = agreed_at - interval '1 second'"],
    ),
    Plant(
        "a budget that shops have overdrawn",
        [BUDGET],
        [
            "ALTER TABLE policy.funding DROP CONSTRAINT funding_not_overdrawn",
            "UPDATE policy.funding SET budget_fen = drawn_fen - 1",
        ],
    ),
    Plant(
        "money drawn that no shop has",
        [DRAWN],
        ["UPDATE policy.funding SET drawn_fen = drawn_fen + 1 WHERE funder_id = 0"],
    ),
    Plant(
        "money of a shop that was never drawn",
        [DRAWN],
        ["UPDATE policy.allotment SET drawn_fen = drawn_fen + 1 WHERE funder_id = 0"],
    ),
    Plant(
        "a shop that spent what it had not",
        [SPENT, DRAWN],
        [
            "ALTER TABLE policy.allotment DROP CONSTRAINT allotment_not_overspent",
            "UPDATE policy.allotment SET drawn_fen = spent_fen - 1",
        ],
    ),
    Plant(
        "spending that no minute knows of",
        [BURNT],
        ["UPDATE policy.burn_down SET spent_fen = spent_fen + 1"],
    ),
    Plant(
        "a minute that was lost",
        [BURNT],
        ["DELETE FROM policy.burn_down WHERE funder_id = 0"],
    ),
    Plant(
        "a buyer who got more than each buyer may",
        [CAP, RECEIVED],
        [
            "ALTER TABLE policy.buyer_cap DROP CONSTRAINT buyer_cap_kept",
            "UPDATE policy.buyer_cap SET received_fen = cap_fen + 1",
        ],
    ),
    Plant("a buyer whose cap was raised", [CAP], ["UPDATE policy.buyer_cap SET cap_fen = cap_fen + 1"]),
    Plant(
        "a buyer who got what nobody paid",
        [RECEIVED],
        ["UPDATE policy.buyer_cap SET received_fen = received_fen - 1 WHERE received_fen > 0"],
    ),
]


@pytest.fixture(scope="module")
def traded(module_database_url: str) -> str:
    """A database in which campaigns, with caps and without, have been spent from and given back to."""

    async def trade(database: Database) -> None:
        shop, other = await open_shop(database, 99, price_fen=1000), await open_shop(database, 99, price_fen=100)
        scope = Scope(shop_ids=(shop.id,))
        await running(database, draft(*halves(50_000, shop), buyer_max_fen=900, scope=scope))
        await running(database, draft(platform_only(900), order_max_fen=40))
        for place in (shop, other):
            wanted = [(buyer, place.sku_id, 1) for buyer in people(3)]
            await database.run(lambda tx, place=place, wanted=wanted: spend(tx, place.id, wanted))
        [grants] = await database.run(lambda tx: spend(tx, shop.id, [(BUYER, shop.sku_id, 1)]))
        await database.run(lambda tx: give_back(tx, shop.id, BUYER, grants))

    async def make() -> None:
        async with Database(module_database_url) as database:
            await trade(database)

    asyncio.run(make())
    return module_database_url


@pytest.fixture
def books(traded: str) -> Iterator[psycopg.Connection[Any]]:
    """The database; what is done to it is undone."""
    with psycopg.connect(traded) as connection:
        yield connection
        connection.rollback()


def broken(books: psycopg.Connection[Any]) -> list[str]:
    return [check.invariant for check in CHECKS if books.execute(check.sql).fetchone()]  # type: ignore[arg-type]


def test_sound_campaigns_pass_every_check(books: psycopg.Connection[Any]) -> None:
    assert broken(books) == []


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.what)
def test_what_is_wrong_with_a_campaign_is_found_and_named(books: psycopg.Connection[Any], plant: Plant) -> None:
    for sql in plant.sql:
        statement = books.execute(sql)  # type: ignore[arg-type]
        assert sql.startswith("ALTER") or statement.rowcount > 0, "the corruption meets nothing"
    assert sorted(broken(books)) == sorted(plant.breaks)


def test_every_check_on_campaigns_was_seen_to_find_something() -> None:
    assert {invariant for plant in PLANTS for invariant in plant.breaks} == {check.invariant for check in CHECKS}
