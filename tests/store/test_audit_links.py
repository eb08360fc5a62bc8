"""Whatever is wrong with short links, samples, ratings or the quality pool, the audit finds it and names it.

See test_audit_orders.py: what is sound passes, then each kind of corruption is planted and rolled back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg
import psycopg.rows
import pytest
from msgspec.structs import replace

from fairwind.alliance import RatingDraft, Reviewing, rate
from fairwind.alliance.commands.links import Linking, follow, make_links, open_promotion
from fairwind.alliance.commands.quality import Nominating, nominate, set_criteria
from fairwind.alliance.commands.samples import Requesting, move_samples, offer_samples, request_samples
from fairwind.alliance.link import Following, LinkDraft, Outlet, PromotionDraft
from fairwind.alliance.quality import CriteriaDraft, NominationId
from fairwind.alliance.sample import (
    SampleAction,
    SampleAddress,
    SampleDraft,
    SampleId,
    SampleOfferDraft,
    SampleStep,
)
from fairwind.kernel import Database, PersonId, Ppm, accepted, uuid7
from fairwind.kernel.audit import Check, audit, checks_of
from market import BUYER, NOW, open_shop, order_id

TABLES = {
    f"alliance.{table}"
    for table in ("link", "click", "sample_offer", "nomination", "quality_criteria", "rating", "product_rating")
}
CREATOR, OPERATOR = PersonId(70), PersonId(1)


def of_links(check: Check) -> bool:
    return bool(check.sources & TABLES)


CHECKS = [check for check in checks_of("fairwind.alliance") if of_links(check)]


class Plant(NamedTuple):
    """A corruption: statements that make it, and words from the invariants that it breaks."""

    what: str
    breaks: Sequence[str]
    sql: Sequence[str]


LINK, CLICK, COUNTED, GIVEN = "each short link", "terms of its link", "counted on its day", "samples given"
PRODUCT, CRITERIA, SUMMED = "a product of its shop", "follow each other", "what they sum to"

PLANTS = [
    Plant("a link of another creator's promotion", [LINK, CLICK], ["UPDATE alliance.link SET creator_id = 71"]),
    Plant("a link to nothing", [LINK, CLICK], ["UPDATE alliance.link SET product_id = -1"]),
    Plant("a link to no shop", [LINK, CLICK], ["UPDATE alliance.link SET shop_id = -1, product_id = NULL"]),
    Plant("a link with a longer window", [CLICK], ["UPDATE alliance.link SET window_s = 2592000"]),
    Plant("a click for another creator", [CLICK], ["UPDATE alliance.click SET creator_id = 71"]),
    Plant("a click of no link", [CLICK, COUNTED], ["UPDATE alliance.click SET link_code = 'no-such-link'"]),
    Plant("a click too few", [COUNTED], ["UPDATE alliance.link_day SET clicks = clicks - 1"]),
    Plant("a day that is gone", [COUNTED], ["DELETE FROM alliance.link_day"]),
    Plant("a sample given twice", [GIVEN], ["UPDATE alliance.sample_offer SET given_quantity = 2"]),
    Plant("a sample that vanished", [GIVEN], ["DELETE FROM alliance.sample"]),
    Plant(
        "samples of nothing",
        [PRODUCT],
        ["INSERT INTO alliance.sample_offer (shop_id, product_id, quantity, per_creator_max) VALUES (-1, -1, 1, 1)"],
    ),
    Plant("a nomination of nothing", [PRODUCT], ["UPDATE alliance.nomination SET product_id = -1"]),
    Plant("criteria that are missing", [CRITERIA], ["DELETE FROM alliance.quality_criteria WHERE version = 2"]),
    Plant(
        "criteria before those they follow",
        [CRITERIA],
        ["UPDATE alliance.quality_criteria SET set_at = set_at - interval '1 day' WHERE version = 3"],
    ),
    Plant("a star too many", [SUMMED], ["UPDATE alliance.product_rating SET stars = stars + 1"]),
    Plant("a rating that is forgotten", [SUMMED], ["DELETE FROM alliance.rating WHERE line_no = 2"]),
    Plant("a sum that is gone", [SUMMED], ["DELETE FROM alliance.product_rating"]),
]


async def _make(database: Database) -> None:
    shop = await open_shop(database, 9)
    product_id = shop.product_ids[0]
    promotion = await database.run(lambda tx: open_promotion(tx, CREATOR, PromotionDraft("粉丝群", Outlet.QQ), NOW))
    draft = LinkDraft(promotion.id, shop.id, product_id)
    [link] = await database.run(lambda tx: make_links(tx, [Linking(CREATOR, draft)], NOW))
    await database.run(lambda tx: follow(tx, shop.id, [Following(accepted(link), None)], NOW))

    address = SampleAddress("小风", "13800000000", "330106", "文三路 1 号")
    asking = Requesting(SampleId(uuid7(NOW)), CREATOR, SampleDraft(product_id, address))
    step = SampleStep(asking.id, SampleAction.APPROVE)
    await database.run(lambda tx: offer_samples(tx, shop.id, product_id, SampleOfferDraft(3)))
    await database.run(lambda tx: request_samples(tx, shop.id, [asking], NOW))
    await database.run(lambda tx: move_samples(tx, shop.id, [step], NOW, timedelta(days=15)))

    asked = CriteriaDraft(0, 0, Ppm(1_000_000), 0, 0, 0, Ppm(0))
    for number in range(2):
        await database.run(
            lambda tx, number=number: set_criteria(tx, replace(asked, stock_min_quantity=number), OPERATOR, NOW)
        )
    nominating = Nominating(NominationId(uuid7(NOW)), product_id, PersonId(2))
    [nominated] = await database.run(lambda tx: nominate(tx, shop.id, [nominating], NOW))
    accepted(nominated)
    rated = [Reviewing(order_id(), line_no, product_id, BUYER, RatingDraft(3 + line_no)) for line_no in (1, 2)]
    await database.run(lambda tx: rate(tx, shop.id, rated, NOW))


@pytest.fixture(scope="module")
def alliance_url(module_database_url: str) -> str:
    async def make() -> None:
        async with Database(module_database_url) as database:
            await _make(database)

    asyncio.run(make())
    return module_database_url


@pytest.fixture
def books(alliance_url: str) -> Iterator[psycopg.Connection[Any]]:
    """The database; what is done to it is undone."""
    with psycopg.connect(alliance_url, row_factory=psycopg.rows.dict_row) as connection:
        yield connection
        connection.rollback()


def invariant(words: str) -> str:
    """The one invariant with these words."""
    [check] = [check for check in CHECKS if words in check.invariant]
    return check.invariant


def test_what_is_sound_passes_every_check_and_each_has_something_to_look_at(alliance_url: str) -> None:
    async def run() -> list[Any]:
        async with Database(alliance_url) as database:
            return list((await audit(database, ["fairwind.alliance"])).findings)

    findings = [finding for finding in asyncio.run(run()) if finding.invariant in {check.invariant for check in CHECKS}]
    assert [finding.rows for finding in findings if finding.offending] == []
    assert [finding.invariant for finding in findings if not finding.examined] == []


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.what)
def test_what_is_wrong_is_found_and_named(books: psycopg.Connection[Any], plant: Plant) -> None:
    for sql in plant.sql:
        assert books.execute(sql).rowcount > 0, "the corruption meets nothing"  # type: ignore[arg-type]

    found = [check.invariant for check in CHECKS if books.execute(check.sql).fetchone()]  # type: ignore[arg-type]

    assert sorted(found) == sorted(map(invariant, plant.breaks))


def test_every_check_was_seen_to_find_something() -> None:
    found = {invariant(words) for plant in PLANTS for words in plant.breaks}
    assert [check.invariant for check in CHECKS if check.invariant not in found] == []
