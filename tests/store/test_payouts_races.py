"""Several servers sweep, assemble, send and hear at the same moment: nobody is paid twice, and no debt is forgiven."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from itertools import count

import pytest

from fairwind.kernel import Database, Fen, PayoutId, PersonId, Refused, ShopId, Transaction, uuid7
from fairwind.ledger import PAID_OUT, PAYOUT, SHOP, balances, creator, transfers_posted
from fairwind.settlement.commands.payouts import (
    assemble,
    claim_payouts,
    record_payouts,
    release_payout,
    retry_payout,
)
from fairwind.settlement.commands.sweeps import note_paid_out, sweep_book
from fairwind.settlement.netting import Payee, payable
from fairwind.settlement.payout import Payout, PayoutTold, requested
from fairwind.settlement.store import payouts as store
from fairwind.settlement.store import sweeps
from fairwind.settlement.sweep import sweep
from market import NOW
from payables import book, paid_out_events, post, swept

CALLS = 20
DAY = timedelta(days=1)
MINIMUM = Fen(100)
_shops = count(9_000_000, 10)
_people = count(9_000_000)


@pytest.fixture(scope="module")
async def database(module_database_url: str) -> AsyncIterator[Database]:
    async with Database(module_database_url, connections_max=CALLS) as database:
        yield database


@pytest.fixture
def shop_id() -> ShopId:
    return ShopId(next(_shops))


@pytest.fixture
def payee() -> Payee:
    return Payee("creator", next(_people))


def account(payee: Payee):
    return creator(PersonId(payee.id))


async def payouts_of(database: Database, payee: Payee) -> list[int]:
    async with database.transaction() as tx:
        rows = await tx.rows("SELECT amount_fen FROM settlement.payout WHERE (payee_kind, payee_id) = (%s, %s)", payee)
    return sorted(row.amount_fen for row in rows)


async def at_once(database: Database, *works: Callable[[Transaction], Awaitable[object]]) -> list[object]:
    """Each in a transaction of its own, at the same moment; refusals are outcomes."""
    outcomes = await asyncio.gather(*map(database.run, works), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and not isinstance(outcome, Refused):
            raise outcome
    return list(outcomes)


# Sweeping.


async def test_a_book_that_many_servers_sweep_is_swept_once(database: Database, shop_id: ShopId, payee: Payee) -> None:
    await post(database, shop_id, {account(payee): 500, SHOP: 40})

    await at_once(database, *[lambda tx: sweep_book(tx, shop_id, DAY, NOW, 1)] * CALLS)
    await swept(database, shop_id)

    async with database.transaction() as tx:
        assert [each.amount_fen for each in await tx.ask(store.waiting(payee))] == [500]
    assert (await book(database, shop_id))[PAYOUT] == 540


async def test_what_is_earned_and_clawed_back_while_a_book_is_swept_is_swept_once(
    database: Database, shop_id: ShopId, payee: Payee
) -> None:
    """Each sweep has another turn, so that all of them want the book."""
    earnings = [post(database, shop_id, {account(payee): fen}) for fen in (300, -120) * (CALLS // 2)]
    sweeping = [database.run(lambda tx, day=day: sweep_book(tx, shop_id, DAY, NOW + day * DAY)) for day in range(CALLS)]
    await asyncio.gather(*earnings, *sweeping)
    await swept(database, shop_id, days=CALLS + 1)

    async with database.transaction() as tx:
        assert sum(each.amount_fen for each in await tx.ask(store.waiting(payee))) == 180 * CALLS // 2
    found = await book(database, shop_id)
    assert found[PAYOUT] == 180 * CALLS // 2
    assert account(payee) not in found


async def test_a_naive_sweep_takes_the_same_money_many_times(database: Database, shop_id: ShopId, payee: Payee) -> None:
    """The twin: the same, but it reads what the book owes without a lock."""
    await post(database, shop_id, {account(payee): 500})

    async def naive(tx: Transaction) -> None:
        found = {account(payee): b.balance_fen for b in await tx.ask(balances(shop_id)) if b.kind == "creator"}
        await asyncio.sleep(0.05)
        moved = sweep(shop_id, found)
        await tx.together(
            sweeps.swept_added(shop_id, moved.amounts, NOW), *transfers_posted(shop_id, moved.transfers, NOW)
        )

    await at_once(database, naive, naive)

    async with database.transaction() as tx:
        assert sum(each.amount_fen for each in await tx.ask(store.waiting(payee))) > 500


# Assembling: two servers at the same moment, and a twin that pays double.


async def double_paid(
    database: Database, payee: Payee, put_together: Callable[[Transaction], Awaitable[object]]
) -> int:
    """How much more than is owed many servers pay the payee, each putting a payout together at the same moment."""
    async with database.transaction() as tx:
        owed_fen = sum(each.amount_fen for each in await tx.ask(store.waiting(payee)))
    await at_once(database, *[put_together] * CALLS)
    return sum(await payouts_of(database, payee)) - owed_fen


@pytest.fixture
async def owed(database: Database, shop_id: ShopId, payee: Payee) -> None:
    """The payee is owed by three books, and owes to a fourth."""
    for number, fen in enumerate((500, 300, 70, -120)):
        await post(database, shop_id + number, {account(payee): fen})
        await swept(database, shop_id + number)


async def test_what_many_servers_put_together_at_once_is_one_payout(
    database: Database, payee: Payee, owed: None
) -> None:
    assert await double_paid(database, payee, lambda tx: assemble(tx, payee, MINIMUM, "sandbox", NOW)) == 0
    assert await payouts_of(database, payee) == [750]


async def test_a_naive_server_pays_double(database: Database, payee: Payee, owed: None) -> None:
    """The twin: the same, but it sums up what waits without the payee's lock."""

    async def naive(tx: Transaction) -> None:
        waiting = await tx.ask(store.waiting(payee))
        amount_fen = payable([each.amount_fen for each in waiting], MINIMUM)
        await asyncio.sleep(0.05)
        if amount_fen is not None:
            payout = requested(PayoutId(uuid7(NOW)), payee, amount_fen, "sandbox", NOW)
            await tx.ask(store.payee_opened(payee))
            await tx.together(store.payout_added(payout), store.put_into(payout, [each.id for each in waiting]))

    assert await double_paid(database, payee, naive) > 0


async def test_what_is_swept_while_payouts_are_put_together_is_in_one_of_them(
    database: Database, shop_id: ShopId, payee: Payee
) -> None:
    for number in range(CALLS // 2):
        await post(database, shop_id + number, {account(payee): 100 + number})
    works = [lambda tx, n=n: sweep_book(tx, ShopId(shop_id + n), DAY, NOW) for n in range(CALLS // 2)]
    works += [lambda tx: assemble(tx, payee, MINIMUM, "sandbox", NOW)] * (CALLS // 2)

    await at_once(database, *works)
    await database.run(lambda tx: assemble(tx, payee, MINIMUM, "sandbox", NOW))

    assert sum(await payouts_of(database, payee)) == sum(100 + number for number in range(CALLS // 2))


# Sending and hearing.


@pytest.fixture
async def payout(database: Database, payee: Payee, owed: None) -> Payout:
    made = await database.run(lambda tx: assemble(tx, payee, MINIMUM, "sandbox", NOW))
    assert made is not None
    return made


async def test_a_payout_that_many_servers_claim_is_in_one_hand(database: Database, payout: Payout) -> None:
    claims = await at_once(database, *[lambda tx: claim_payouts(tx, NOW, 1000)] * CALLS)
    assert Counter(each.id for claimed in claims for each in claimed)[payout.id] == 1  # type: ignore[attr-defined]


async def test_a_success_told_many_times_at_once_is_paid_out_in_each_book_once(
    database: Database, shop_id: ShopId, payout: Payout
) -> None:
    told = PayoutTold(payout.id, 0, "succeeded")
    await at_once(database, *[lambda tx: record_payouts(tx, [told], NOW)] * CALLS)
    events = await paid_out_events(database, payout)
    assert [event.shop_id - shop_id for event in events] == [0, 1, 2, 3]

    await at_once(database, *[lambda tx, e=e: note_paid_out(tx, e.shop_id, [e], NOW) for e in events * 5])

    paid_fen = [(await book(database, shop_id + number))[PAID_OUT] for number in range(4)]
    assert paid_fen == [500, 300, 70, -120]


async def test_a_payout_is_never_both_released_and_paid(
    database: Database, shop_id: ShopId, payee: Payee, payout: Payout
) -> None:
    """An operator releases, another sends it again, the provider's late success comes, and the next is put together."""
    [failed] = await database.run(lambda tx: record_payouts(tx, [PayoutTold(payout.id, 0, "failed")], NOW))
    assert isinstance(failed, Payout)
    await at_once(
        database,
        *[lambda tx: release_payout(tx, failed, NOW)] * 5,
        *[lambda tx: retry_payout(tx, failed.id, NOW)] * 5,
        *[lambda tx: record_payouts(tx, [PayoutTold(payout.id, 0, "succeeded")], NOW)] * 5,
        *[lambda tx: assemble(tx, payee, MINIMUM, "sandbox", NOW)] * 5,
    )

    async with database.transaction() as tx:
        after = await tx.ask(store.payout(payout.id))
        waits_fen = sum(each.amount_fen for each in await tx.ask(store.waiting(payee)))
    assert after is not None
    others_fen = sum(await payouts_of(database, payee)) - payout.amount_fen
    if after.state == "released":
        assert others_fen + waits_fen == payout.amount_fen
        assert await paid_out_events(database, payout) == []
    else:
        assert (after.state, others_fen, waits_fen) == ("succeeded", 0, 0)
