"""Whatever is wrong in the fee schedules, the support programmes or who is enrolled in them, the audit finds and names.

See test_audit_orders.py: what is sound passes, then each kind of corruption is planted and rolled back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
import psycopg
import psycopg.rows
import pytest

from fairwind.catalog import Channel
from fairwind.kernel import CategoryId, Database, Event, EventId, Fen, PersonId, Ppm, ShopId, uuid7
from fairwind.kernel.audit import Check, audit, checks_of
from fairwind.policy import ProgrammeDraft, ScheduleDraft, WindowDraft
from fairwind.policy.commands.facts import assess, count_paid
from fairwind.policy.commands.programmes import publish_programme
from fairwind.policy.commands.schedules import publish_schedule
from fairwind.policy.commands.windows import set_window
from fairwind.policy.moments import LEAD_TIME
from fairwind.policy.programme import CategorySupport, ContentIncentive, GrowthTier
from fairwind.policy.schedule import RateDraft
from market import NOW, open_shop

TABLES = {f"policy.{table}" for table in ("schedule", "fee_rule", "programme", "enrolment", "turnover", "live_sale")}
OPERATOR = PersonId(1)
CATEGORY = CategoryId(900)


def of_fees(check: Check) -> bool:
    return bool(check.sources & TABLES)


CHECKS = [check for check in checks_of("fairwind.policy") if of_fees(check)]


class Plant(NamedTuple):
    """A corruption: statements that make it, and words from the invariants that it breaks."""

    what: str
    breaks: Sequence[str]
    sql: Sequence[str]


WHOLE, ONCE, NAMES, CATEGORIES = "has a rate for", "no two rates", "names one rate", "categories that exist"
VERSIONS, AT_A_TIME, ENOUGH, DID = "run one after", "once at a time", "by as much as", "is what the shop did"

PLANTS = [
    Plant(
        "a channel without a rate", [WHOLE], ["DELETE FROM policy.fee_rule WHERE version = 1 AND channel = 'mokuai'"]
    ),
    Plant(
        "shops of some age without a rate",
        [WHOLE],
        ["UPDATE policy.fee_rule SET age_from_days = 91 WHERE version = 2 AND age_from_days = 90"],
    ),
    Plant(
        "the newest shops without a rate",
        [WHOLE],
        ["UPDATE policy.fee_rule SET age_from_days = 1 WHERE version = 1 AND channel = 'own'"],
    ),
    Plant(
        "old shops without a rate",
        [WHOLE],
        ["UPDATE policy.fee_rule SET age_until_days = 900 WHERE version = 1 AND channel = 'own'"],
    ),
    Plant(
        "shops with two rates",
        [ONCE],
        [
            "INSERT INTO policy.fee_rule (id, version, channel, age_from_days, rate_ppm)"
            " VALUES (-1, 1, 'own', 30, 10000)"
        ],
    ),
    Plant(
        "a programme under the id of a rate",
        [NAMES],
        ["UPDATE policy.programme SET id = 1 WHERE code = 'category-support'"],
    ),
    Plant(
        "a rate for goods of no category there is",
        [CATEGORIES],
        ["UPDATE policy.fee_rule SET category_id = -1 WHERE category_id IS NOT NULL"],
    ),
    Plant(
        "a programme for goods of no category there is",
        [CATEGORIES],
        ["UPDATE policy.programme SET categories = '{-1}' WHERE code = 'category-support'"],
    ),
    Plant(
        "a window for goods of no category there is",
        [CATEGORIES],
        ["UPDATE policy.after_sales_window SET category_id = -1"],
    ),
    Plant(
        "two versions of a programme at once",
        [VERSIONS],
        [
            "INSERT INTO policy.programme SELECT -1, NULL, code, 2, name_en, name_zh, rate_ppm, channels, categories,"
            " conditions, starts_at + interval '1 day', ends_at, published_by, published_at, ended_by"
            " FROM policy.programme WHERE code = 'new-merchant'",
        ],
    ),
    Plant(
        "a shop enrolled twice at once",
        [AT_A_TIME],
        [
            "INSERT INTO policy.enrolment SELECT shop_id, programme_id, starts_at + interval '1 day', ends_at,"
            " measured, measured_from, measured_to, enrolled_at FROM policy.enrolment",
        ],
    ),
    Plant(
        "a shop enrolled for a fen too little",
        [ENOUGH],
        ["UPDATE policy.enrolment SET measured = 999 WHERE measured = 1000"],
    ),
    Plant(
        "a shop enrolled for a live session too few",
        [ENOUGH],
        ["UPDATE policy.enrolment SET measured = 0 WHERE measured = 1"],
    ),
    Plant(
        "a shop enrolled for what it did in a year",
        [ENOUGH],
        ["UPDATE policy.enrolment SET measured_from = measured_from - 300"],
    ),
    Plant(
        "a shop enrolled in what nobody has to earn",
        [ENOUGH],
        ["UPDATE policy.enrolment SET programme_id = 11 WHERE measured = 1"],
    ),
    Plant("turnover that is gone", [DID], ["DELETE FROM policy.turnover"]),
    Plant("a live session that is forgotten", [DID], ["DELETE FROM policy.live_sale"]),
]


async def _make(database: Database) -> None:
    shop = await open_shop(database, 9)
    await database.run(
        lambda tx: tx.execute(
            "INSERT INTO catalog.category (id, depth, parent_id, name) VALUES (%s, 1, NULL, '居家')", (CATEGORY,)
        )
    )
    rates = [RateDraft(channel, Ppm(30_000), None, 90) for channel in Channel]
    rates += [RateDraft(channel, Ppm(10_000), None, 0, 90) for channel in Channel]
    rates.append(RateDraft(Channel.OWN, Ppm(5_000), CATEGORY))
    schedule = ScheduleDraft(uuid7(NOW), rates)
    await database.run(lambda tx: publish_schedule(tx, OPERATOR, schedule, NOW))
    for code, conditions, categories in [
        ("category-support", CategorySupport(), [CATEGORY]),
        ("tier", GrowthTier(Fen(1_000), 30, 30), []),
        ("show", ContentIncentive(1, 30, 30), []),
    ]:
        draft = ProgrammeDraft(
            uuid7(NOW), code, code, "扶持", Ppm(100), [Channel.OWN], conditions, categories
        )  # fmt: skip
        await database.run(lambda tx, draft=draft: publish_programme(tx, OPERATOR, draft, NOW))
    await database.run(lambda tx: set_window(tx, OPERATOR, CATEGORY, WindowDraft(7 * 86_400), NOW))
    await database.run(lambda tx: count_paid(tx, shop.id, [_sale(shop.id)], NOW))
    enrolled = await database.run(lambda tx: assess(tx, shop.id, NOW + LEAD_TIME + timedelta(seconds=1)))
    assert sorted(each.measured for each in enrolled) == [1, 1_000]


def _sale(shop_id: ShopId) -> Event:
    payload = f'{{"total_fen": 1000, "lines": [{{"live_session_id": "{uuid7(NOW)}"}}]}}'
    return Event(EventId(uuid7(NOW)), shop_id, "orders.paid", msgspec.Raw(payload.encode()), NOW)


@pytest.fixture(scope="module")
def policy_url(module_database_url: str) -> str:
    async def make() -> None:
        async with Database(module_database_url) as database:
            await _make(database)

    asyncio.run(make())
    return module_database_url


@pytest.fixture
def books(policy_url: str) -> Iterator[psycopg.Connection[Any]]:
    """The database; what is done to it is undone."""
    with psycopg.connect(policy_url, row_factory=psycopg.rows.dict_row) as connection:
        yield connection
        connection.rollback()


def invariant(words: str) -> str:
    """The one invariant with these words."""
    [check] = [check for check in CHECKS if words in check.invariant]
    return check.invariant


def test_sound_fees_pass_every_check_and_each_has_something_to_look_at(policy_url: str) -> None:
    async def run() -> list[Any]:
        async with Database(policy_url) as database:
            return list((await audit(database, ["fairwind.policy"])).findings)

    findings = [finding for finding in asyncio.run(run()) if finding.invariant in {check.invariant for check in CHECKS}]
    assert [finding.rows for finding in findings if finding.offending] == []
    assert [finding.invariant for finding in findings if not finding.examined] == []


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.what)
def test_what_is_wrong_with_fees_is_found_and_named(books: psycopg.Connection[Any], plant: Plant) -> None:
    for sql in plant.sql:
        assert books.execute(sql).rowcount > 0, "the corruption meets nothing"  # type: ignore[arg-type]

    found = [check.invariant for check in CHECKS if books.execute(check.sql).fetchone()]  # type: ignore[arg-type]

    assert sorted(found) == sorted(map(invariant, plant.breaks))


def test_every_check_of_fees_was_seen_to_find_something() -> None:
    found = {invariant(words) for plant in PLANTS for words in plant.breaks}
    assert [check.invariant for check in CHECKS if check.invariant not in found] == []
