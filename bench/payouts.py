"""The measurements of docs/decisions/0012: sweeping many books, netting them into payouts, and posting these.

    .venv/bin/python bench/payouts.py [postgresql://user@host/database]

The database is to be empty; without an address an embedded PostgreSQL is started in a temporary folder. The accounts
are made up: they came from no sale.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import perf_counter

from fairwind.kernel import Database, Platform, Settings, ShopId, SystemClock
from fairwind.kernel.audit import audit
from fairwind.kernel.postgres import EmbeddedPostgres
from fairwind.kernel.schema import upgrade
from fairwind.ledger import books_with_payables
from fairwind.settlement import PayingOut, Payout, Payouts
from fairwind.settlement.commands.sweeps import note_paid_out
from fairwind.settlement.provider import PayoutStanding
from fairwind.web import PACKAGES

BOOKS, RESTING, CREATORS = 1000, 4000, 98


class Prompt:
    """A provider that pays at once."""

    async def pay(self, _: Payout) -> PayoutStanding:
        return PayoutStanding("succeeded")

    query = cancel = pay


async def measure(url: str) -> None:
    async with Database(url) as database:
        platform = Platform(database, SystemClock(), Settings())
        payouts = Payouts(platform, {"sandbox": Prompt()}, "sandbox")  # type: ignore[dict-item]
        paying_out = PayingOut(platform, payouts)
        platform.relay.subscribe("settlement.paid_out", note_paid_out)
        await _accounts(database)
        async with database.transaction() as tx:
            started = perf_counter()
            await tx.ask(books_with_payables(ShopId(BOOKS), 500))
            print(f"a look over {RESTING:,} books at rest: {perf_counter() - started:.2f} s")
        count = await _timed(f"{BOOKS:,} books swept and put into payouts", paying_out.gather)
        await _timed(f"{count:,} payouts sent and recorded", lambda: _until_none(paying_out.move))
        await _timed("their parts posted in the books", lambda: _until_none(platform.relay.drain))
        started = perf_counter()
        findings = await audit(database, ["fairwind.ledger", "fairwind.settlement"])
        print(f"audit: {perf_counter() - started:.1f} s")
        for each in findings.findings:
            if each.offending and "payout" in each.invariant:
                print(f"  broken: {each.invariant}")


async def _accounts(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(
            """
            INSERT INTO ledger.account (shop_id, kind, party_id, balance_fen)
            SELECT shop, 'creator', creator * 7919 %% 20000 + 1, 1000
            FROM generate_series(1, %(books)s) AS shop,
                 generate_series(shop %% 100, shop %% 100 + %(creators)s - 1) AS creator
            ON CONFLICT DO NOTHING
            """,
            {"books": BOOKS, "creators": CREATORS},
        )
        await tx.execute(
            "INSERT INTO ledger.account SELECT shop, kind, 0, 1000"
            " FROM generate_series(1, %s) AS shop, unnest('{shop,service_fee}'::text[]) AS kind",
            (BOOKS,),
        )
        await tx.execute(
            "INSERT INTO ledger.account SELECT shop, 'creator', creator, 0"
            " FROM generate_series(%s::int, %s::int) AS shop, generate_series(1, %s::int) AS creator",
            (BOOKS + 1, BOOKS + RESTING, CREATORS),
        )
    async with database.transaction() as tx:
        await tx.execute("ANALYZE ledger.account")


async def _timed(what: str, work: Callable[[], Awaitable[int]]) -> int:
    started = perf_counter()
    count = await work()
    print(f"{what}: {count:,} in {perf_counter() - started:.1f} s")
    return count


async def _until_none(work: Callable[[], Awaitable[int]]) -> int:
    total = 0
    while done := await work():
        total += done
    return total


if __name__ == "__main__":
    if len(sys.argv) > 1:
        upgrade(sys.argv[1], PACKAGES)
        asyncio.run(measure(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory(prefix="fairwind-bench-") as folder:
            Path(folder).chmod(0o711)
            with EmbeddedPostgres(Path(folder, "data"), report=lambda _: None) as postgres:
                upgrade(postgres.url, PACKAGES)
                asyncio.run(measure(postgres.url))
