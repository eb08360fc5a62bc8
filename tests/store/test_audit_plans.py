"""Whatever is wrong with plans, versions, the pool, kept stock or MCNs, the audit finds it and names what is broken.

A small alliance is made by the real commands and passes. Then each kind of corruption is planted, one at a time, in a
transaction that is rolled back; where a constraint would forbid it, the constraint goes first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
import psycopg.rows
import pytest

from fairwind.alliance.commands.mcn import accept, invite
from fairwind.alliance.commands.participants import TakingPart, take_part
from fairwind.alliance.commands.picks import Picking, pick
from fairwind.alliance.commands.plans import end_plans
from fairwind.alliance.commands.reserves import Keeping, keep_stock
from fairwind.alliance.jobs import Sweeps
from fairwind.alliance.participant import Action
from fairwind.alliance.pick import PickDraft
from fairwind.alliance.plan import Kind
from fairwind.alliance.promise import Dated, Ending
from fairwind.identity import Role
from fairwind.kernel import Database, Platform, Ppm, Settings, accepted
from fairwind.kernel.audit import checks_of
from market import NOW, open_shop
from plans import DAY, MERCHANT, activity, creator, publish, sold, someone, terms

CHECKS = checks_of("fairwind.alliance")

LIVE, FOLLOW, ENDS, MIDNIGHT, LESS = (
    "one live plan of a kind",
    "count from 1",
    "ends when its last version",
    "a cut takes effect",
    "has less by a version",
)
LIMITS, EXCLUSIVE, TARGETED, POOL = (
    "promises more than",
    "by at most five points",
    "every targeted plan",
    "the pool shows",
)
GOODS, PARTICIPANT, KEPT, MCN, SALES = (
    "every plan and pick",
    "every participant",
    "kept of stock",
    "two MCNs",
    "sold by days",
)


class Plant(NamedTuple):
    """A corruption: statements that make it, and words from the invariants that it breaks."""

    what: str
    breaks: Sequence[str]
    sql: Sequence[str]


VERSION = "shop_id = %(shop)s AND plan_id ="
FREE = "ALTER TABLE alliance.plan_version DROP CONSTRAINT"
PLANTS = [
    Plant(
        "a second live ordinary plan",
        [LIVE],
        [
            "DROP INDEX alliance.plan_live",
            "INSERT INTO alliance.plan SELECT shop_id, 1, product_id, kind, creator_id, activity_id, agency_id,"
            " made_at + interval '1 hour', NULL FROM alliance.plan WHERE shop_id = %(shop)s AND id = %(ordinary)s",
            "INSERT INTO alliance.plan_version SELECT shop_id, 1, 1, 100000, 0, NULL, '{}', '{}', false, 1,"
            " published_at, effective_from, NULL FROM alliance.plan_version"
            f" WHERE {VERSION} %(ordinary)s AND version = 1",
        ],
    ),
    Plant(
        "a plan that began before its forerunner had ended",
        [LIVE],
        ["UPDATE alliance.plan SET made_at = made_at - interval '47 hours' WHERE shop_id = %(shop)s AND id = %(next)s"],
    ),
    Plant(
        "a version that is missing",
        [FOLLOW],
        [f"DELETE FROM alliance.plan_version WHERE {VERSION} %(ordinary)s AND version = 2"],
    ),
    Plant(
        "a later version that took effect earlier",
        [FOLLOW, MIDNIGHT, POOL],
        [
            f"{FREE} plan_version_in_time",
            "UPDATE alliance.plan_version SET effective_from = effective_from - interval '9 days'"
            f" WHERE {VERSION} %(ordinary)s AND version = 4",
        ],
    ),
    Plant(
        "a plan that does not say that it has ended",
        [ENDS, LIVE],
        [
            "DROP INDEX alliance.plan_live",
            "UPDATE alliance.plan SET ends_at = NULL WHERE shop_id = %(shop)s AND id = %(ended)s",
        ],
    ),
    Plant(
        "a cut that took effect at once",
        [MIDNIGHT],
        [
            "UPDATE alliance.plan_version SET effective_from = published_at"
            f" WHERE {VERSION} %(ordinary)s AND version = 4",
        ],
    ),
    Plant(
        "a raise that was kept waiting",
        [MIDNIGHT],
        [
            "UPDATE alliance.plan_version SET effective_from = effective_from + interval '1 minute'"
            f" WHERE {VERSION} %(ordinary)s AND version = 2",
        ],
    ),
    Plant(
        "a cut that is not called one",
        [LESS, MIDNIGHT],
        [f"UPDATE alliance.plan_version SET cut = false WHERE {VERSION} %(ordinary)s AND version = 4"],
    ),
    Plant(
        "an ordinary plan of 51 percent",
        [LIMITS],
        [f"UPDATE alliance.plan_version SET creator_ppm = 510000 WHERE {VERSION} %(ended)s AND version = 1"],
    ),
    Plant(
        "a step beyond the limit",
        [LIMITS],
        [
            "UPDATE alliance.plan_version SET steps_by = 'gmv', step_from = '{5}', step_ppm = '{510000}'"
            f" WHERE {VERSION} %(ended)s AND version = 1"
        ],
    ),
    Plant(
        "an agency's fee in an ordinary plan",
        [LIMITS],
        [f"UPDATE alliance.plan_version SET agency_ppm = 1 WHERE {VERSION} %(ended)s AND version = 1 "],
    ),
    Plant(
        "an exclusive plan cut by six points",
        [EXCLUSIVE],
        [
            "UPDATE alliance.plan_version SET creator_ppm = creator_ppm + 10000"
            f" WHERE {VERSION} %(exclusive)s AND version = 1"
        ],
    ),
    Plant(
        "an exclusive plan cut again after six days",
        [EXCLUSIVE],
        [
            "UPDATE alliance.plan_version SET published_at = published_at - interval '1 day',"
            f" effective_from = effective_from - interval '1 day' WHERE {VERSION} %(exclusive)s AND version = 3"
        ],
    ),
    Plant(
        "a targeted plan whose ordinary one ends before it",
        [TARGETED, ENDS],
        [
            "UPDATE alliance.plan SET ends_at = made_at + interval '1 hour'"
            " WHERE shop_id = %(shop)s AND id = %(ordinary)s"
        ],
    ),
    Plant(
        "a rate in the pool that no plan gives",
        [POOL],
        [
            "UPDATE alliance.pool_item SET public_ppm = public_ppm + 1"
            " WHERE shop_id = %(shop)s AND product_id = %(product)s"
        ],
    ),
    Plant(
        "a product in the pool that one creator has to themselves",
        [POOL],
        ["UPDATE alliance.pool_item SET public_ppm = 200000 WHERE shop_id = %(shop)s AND product_id = %(taken)s"],
    ),
    Plant(
        "a pick of nothing",
        [GOODS],
        ["UPDATE alliance.pick SET product_id = 1 WHERE shop_id = %(shop)s AND product_id = %(product)s"],
    ),
    Plant(
        "a participant of an ordinary plan",
        [PARTICIPANT],
        ["UPDATE alliance.participant SET plan_id = %(ordinary)s WHERE shop_id = %(shop)s"],
    ),
    Plant(
        "more sold of what is kept than is kept",
        [KEPT],
        [
            "ALTER TABLE alliance.reserve DROP CONSTRAINT reserve_within",
            "UPDATE alliance.reserve SET sold_quantity = kept_quantity + 1 WHERE shop_id = %(shop)s",
        ],
    ),
    Plant(
        "more sold of what is kept than was sold at all",
        [KEPT],
        ["UPDATE alliance.reserve SET sold_quantity = 1 WHERE shop_id = %(shop)s"],
    ),
    Plant(
        "stock kept for another product",
        [KEPT],
        ["UPDATE alliance.reserve SET product_id = %(taken)s WHERE shop_id = %(shop)s"],
    ),
    Plant(
        "a creator in two MCNs",
        [MCN],
        [
            "INSERT INTO alliance.mcn_member SELECT 1, 1, creator_id, 5, invited_at, accepted_at,"
            " starts_at + interval '1 day', starts_at + interval '2 days' FROM alliance.mcn_member"
            " WHERE creator_id = %(creator)s AND starts_at IS NOT NULL"
        ],
    ),
    Plant(
        "a fen sold on a day and under no plan",
        [SALES],
        ["UPDATE alliance.creator_day SET gmv_fen = gmv_fen + 1 WHERE shop_id = %(shop)s"],
    ),
    Plant(
        "progress that nobody made",
        [SALES],
        ["DELETE FROM alliance.creator_day WHERE shop_id = %(shop)s"],
    ),
]


class Alliance:
    """The alliance that the plants are planted in: names to be put into them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.names: dict[str, Any] = {}

    async def make(self, database: Database) -> None:
        shop = await open_shop(database, 9, 9, 9)
        who, other = await creator(database), await creator(database)
        agency_id = await someone(database, Role.AGENCY)

        async def published(percent: int, kind: Kind = Kind.ORDINARY, *, days: float = 0, **more: Any) -> Dated:
            outcome = await publish(database, shop, terms(percent), kind, at=NOW + days * DAY, **more)
            assert isinstance(outcome, Dated), outcome
            return outcome

        ordinary = await published(20)
        await published(30, days=0.01)
        await published(10, days=0.02)
        await published(15, days=0.03)
        targeted = await published(60, Kind.TARGETED, days=0.04)
        recruited = await activity(database, agency_id)
        await published(25, Kind.ACTIVITY, days=0.05, activity_id=recruited.id)
        ended = await published(20, product=1)
        ending = Ending(ended.plan.id, MERCHANT)
        await database.run(lambda tx: end_plans(tx, shop.id, [ending], NOW))
        following = await published(40, product=1, days=2)
        exclusive = await published(50, Kind.EXCLUSIVE, product=2, creator_id=who)
        await published(45, Kind.EXCLUSIVE, product=2, creator_id=who, days=1)
        await published(40, Kind.EXCLUSIVE, product=2, creator_id=who, days=8)

        async def rest(tx: Any) -> None:
            taking_part = TakingPart(targeted.plan.id, who, Action.APPROVE)
            accepted((await take_part(tx, shop.id, [taking_part], NOW))[0])
            for at in (other, who):
                item = Picking(at, shop.product_ids[0], PickDraft())
                accepted((await pick(tx, shop.id, [item], NOW + DAY))[0])
            accepted((await keep_stock(tx, shop.id, [Keeping(shop.sku_ids[0], 3)], NOW))[0])
            await invite(tx, agency_id, who, Ppm(1), NOW)
            await accept(tx, who, agency_id, Ppm(1), NOW)

        await database.run(rest)
        await sold(database, shop, [(shop.product_ids[0], 2, 200, ordinary.plan.id, who)])
        platform = Platform(database, _Clock(), Settings())
        await Sweeps(platform).refresh_pool()
        await Sweeps(platform).find_head()
        self.names = {
            "shop": shop.id,
            "product": shop.product_ids[0],
            "taken": shop.product_ids[2],
            "ordinary": ordinary.plan.id,
            "ended": ended.plan.id,
            "next": following.plan.id,
            "exclusive": exclusive.plan.id,
            "creator": who,
        }


class _Clock:
    def now(self) -> Any:
        return NOW + timedelta(days=20)


@pytest.fixture(scope="module")
def alliance(module_database_url: str) -> Alliance:
    alliance = Alliance(module_database_url)

    async def make() -> None:
        async with Database(module_database_url) as database:
            await alliance.make(database)

    asyncio.run(make())
    return alliance


@pytest.fixture
def books(alliance: Alliance) -> Iterator[psycopg.Connection[Any]]:
    """The alliance's database; what is done to it is undone."""
    with psycopg.connect(alliance.url, row_factory=psycopg.rows.dict_row) as connection:
        yield connection
        connection.rollback()


def broken(books: psycopg.Connection[Any]) -> set[str]:
    """The invariants that the checks find broken now."""
    return {check.invariant for check in CHECKS if books.execute(check.sql).fetchone()}  # type: ignore[arg-type]


def invariant(words: str) -> str:
    """The one invariant with these words."""
    [check] = [check for check in CHECKS if words in check.invariant]
    return check.invariant


def test_a_sound_alliance_passes_every_check(books: psycopg.Connection[Any]) -> None:
    assert broken(books) == set()


@pytest.mark.parametrize("plant", PLANTS, ids=[plant.what for plant in PLANTS])
def test_what_is_planted_is_found(plant: Plant, alliance: Alliance, books: psycopg.Connection[Any]) -> None:
    for sql in plant.sql:
        books.execute(sql, alliance.names)  # type: ignore[arg-type]

    assert broken(books) == {invariant(words) for words in plant.breaks}


def test_every_check_on_plans_has_a_plant() -> None:
    planted = {invariant(words) for plant in PLANTS for words in plant.breaks}
    every = {
        LIVE,
        FOLLOW,
        ENDS,
        MIDNIGHT,
        LESS,
        LIMITS,
        EXCLUSIVE,
        TARGETED,
        POOL,
        GOODS,
        PARTICIPANT,
        KEPT,
        MCN,
        SALES,
    }

    assert planted == {invariant(words) for words in every}
