"""The measurements of docs/decisions/0011: what a campaign adds to a batch of orders, and shops that share a budget.

    .venv/bin/python bench/subsidies.py

An embedded PostgreSQL is started in a temporary folder.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from fairwind.catalog import Offer, ProductDraft, SkuDraft, Stockroom, add_products, offers
from fairwind.kernel import Database, Fen, PersonId, ShopId, Transaction, accepted, next_ids, uuid7
from fairwind.kernel.postgres import EmbeddedPostgres
from fairwind.kernel.schema import upgrade
from fairwind.policy import Ware, campaigns_locked, prepare, purse_saved
from fairwind.policy.campaign import PLATFORM, CampaignDraft, FundingDraft, Rule
from fairwind.policy.commands.campaigns import propose, stop
from fairwind.web import PACKAGES

NOW = datetime(2020, 6, 18, 12, tzinfo=UTC)
BATCH, SKUS, ROUNDS = 256, 20, 60
SHOPS, BATCHES = 8, 25
REST_OF_BATCH_S = 0.01
"""What else a batch does between its first lock and its commit."""


async def main(url: str) -> None:
    async with Database(url, connections_max=1) as database:  # one, so that its statements are prepared
        await measure_steps(database, await shop(database))
    async with Database(url, connections_max=2 * SHOPS) as database:
        shops = [await shop(database) for _ in range(SHOPS)]
        await campaign(database, {"guard_days": 30})
        for name, way in (("allotments", allotted), ("one row for the budget", one_row)):
            print(f"{SHOPS} shops at once, batches a second: {name:24}", f"{await rate(database, shops, way):8.0f}")


async def measure_steps(database: Database, shop: tuple[ShopId, dict[Any, Offer]]) -> None:
    print(f"{BATCH} orders of one line, ms, medians of {ROUNDS}   load  prepare   decide     save   µs an order")
    for name, terms in (
        ("no campaign", None),
        ("a campaign without guard and cap", {"guard_days": 0}),
        ("with a guard of 30 days", {"guard_days": 30}),
        ("with a cap for each buyer as well", {"guard_days": 30, "buyer_max_fen": Fen(10**7)}),
    ):
        campaign_id = None if terms is None else await campaign(database, terms)
        steps = [await batch(database, *shop) for _ in range(ROUNDS + 10)][10:]
        times = [median(step) * 1000 for step in zip(*steps, strict=True)]
        print(f"{name:42}", *(f"{time:8.2f}" for time in times), f"{sum(times) / BATCH * 1000:12.1f}")
        if campaign_id is not None:
            await database.run(lambda tx, which=campaign_id: stop(tx, which, PersonId(1), NOW))


async def shop(database: Database) -> tuple[ShopId, dict[Any, Offer]]:
    """A shop with its offers."""

    async def work(tx: Transaction) -> tuple[ShopId, dict[Any, Offer]]:
        [shop_id] = map(ShopId, await next_ids(tx, 1))
        await tx.execute("INSERT INTO catalog.shop VALUES (%s, 'b', 'own', 'open', '2020-05-01', %s)", (shop_id, NOW))
        drafts = [
            ProductDraft(code=f"P{n}", title=f"雨伞 {n}", skus=[SkuDraft(price_fen=Fen(9900))]) for n in range(SKUS)
        ]
        made = await add_products(tx, shop_id, drafts, NOW - timedelta(days=40), Stockroom())
        return shop_id, await tx.ask(offers(shop_id, [accepted(each).skus[0].id for each in made]))

    return await database.run(work)


async def campaign(database: Database, terms: dict[str, Any]) -> Any:
    draft = CampaignDraft(
        id=uuid7(NOW),
        name="bench",
        rule=Rule(piece_fen=Fen(100)),
        fundings=(FundingDraft(PLATFORM, 1_000_000, Fen(10**12)),),  # type: ignore[arg-type]
        starts_at=NOW - timedelta(days=1),
        ends_at=NOW + timedelta(days=1),
        **terms,
    )
    return (await database.run(lambda tx: propose(tx, draft, PersonId(1), NOW))).id


def wanted(on_offer: dict[Any, Offer]) -> list[tuple[PersonId, list[Ware]]]:
    skus = list(on_offer.values())
    return [
        (PersonId(1000 + n), [Ware((o := skus[n % SKUS]).sku_id, o.product_id, None, None, o.price_fen, 1)])
        for n in range(BATCH)
    ]


async def batch(database: Database, shop_id: ShopId, on_offer: dict[Any, Offer]) -> list[float]:
    """What each step takes of what a batch of orders does for its subsidies, in seconds."""
    lines = wanted(on_offer)
    async with database.transaction() as tx:
        await tx.execute("SELECT")  # begins the transaction, as others do of a batch
        times = [perf_counter()]
        purse = await tx.ask(campaigns_locked(shop_id, NOW))
        times.append(perf_counter())
        if purse:
            await prepare(tx, shop_id, purse, lines, NOW)
        times.append(perf_counter())
        if purse:
            for buyer_id, wares in lines:
                for grants in purse.grants(buyer_id, wares):
                    assert purse.take(buyer_id, grants)
        times.append(perf_counter())
        if queries := purse_saved(shop_id, purse, NOW):
            await tx.together(*queries)
        times.append(perf_counter())
    return [after - before for before, after in pairwise(times)]


async def allotted(database: Database, shop_id: ShopId, on_offer: dict[Any, Offer]) -> None:
    lines = wanted(on_offer)

    async def work(tx: Transaction) -> None:
        purse = await tx.ask(campaigns_locked(shop_id, NOW))
        await prepare(tx, shop_id, purse, lines, NOW)
        for buyer_id, wares in lines:
            for grants in purse.grants(buyer_id, wares):
                purse.take(buyer_id, grants)
        await asyncio.sleep(REST_OF_BATCH_S)
        await tx.together(*purse_saved(shop_id, purse, NOW))

    await database.run(work)


async def one_row(database: Database, *_: object) -> None:
    async def work(tx: Transaction) -> None:
        row = await tx.row("SELECT campaign_id, budget_fen - drawn_fen AS left_fen FROM policy.funding"
                           " WHERE stopped_at IS NULL FOR UPDATE")  # fmt: skip
        assert row is not None
        await asyncio.sleep(REST_OF_BATCH_S)
        await tx.execute(
            "UPDATE policy.funding SET drawn_fen = drawn_fen + %s WHERE campaign_id = %s",
            (BATCH * 100, row.campaign_id),
        )

    await database.run(work)


async def rate(database: Database, shops: list[Any], way: Callable[..., Awaitable[None]]) -> float:
    """Batches a second when all shops work at the same moment, each one batch after another."""

    async def many(shop_id: ShopId, on_offer: dict[Any, Offer]) -> None:
        for _ in range(BATCHES):
            await way(database, shop_id, on_offer)

    started = perf_counter()
    await asyncio.gather(*(many(*each) for each in shops))
    return SHOPS * BATCHES / (perf_counter() - started)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="fairwind-bench-") as folder:
        Path(folder).chmod(0o711)
        with EmbeddedPostgres(Path(folder, "data"), report=lambda _: None) as postgres:
            upgrade(postgres.url, PACKAGES)
            asyncio.run(main(postgres.url))
