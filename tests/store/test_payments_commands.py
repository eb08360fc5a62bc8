"""Payments, notices and refunds on the real database."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import pytest
from msgspec.structs import replace

from fairwind.kernel import Database, IdReused, uuid7
from fairwind.kernel.audit import audit
from fairwind.payments import (
    AmountMismatch,
    Draft,
    Notice,
    Part,
    PaymentUnpaid,
    Recorded,
    RefundRequest,
    RefundTooHigh,
    UnknownPayment,
    commands,
    create,
    load,
    record,
    request_refunds,
    store,
)
from fairwind.payments.refund import RefundTold

NOW = datetime(2120, 7, 1, 20, tzinfo=UTC)
"""Far ahead, so that nothing here is due for a server that runs on the same database."""
_shops = count(700_000)


@pytest.fixture
def shop() -> int:
    """A shop that no other test has."""
    return next(_shops)


def draft(shop: int, amount_fen: int = 1000, *others: int) -> Draft:
    parts = [Part(shop, uuid7(NOW), amount_fen), *(Part(other, uuid7(NOW), amount_fen) for other in others)]
    return Draft(uuid7(NOW), 70, tuple(parts), NOW + timedelta(minutes=15))


def success(draft: Draft, **changes) -> Notice:
    notice = Notice(draft.id, min(draft.parts).shop_id, draft.amount_fen, "succeeded", f"R-{draft.id}", NOW)
    return replace(notice, **changes)


def back(draft: Draft, amount_fen: int, part: int = 0) -> RefundRequest:
    return RefundRequest(uuid7(NOW), min(draft.parts).shop_id, draft.id, draft.parts[part].order_id, amount_fen)


async def made(database: Database, *drafts: Draft):
    return await database.run(lambda tx: create(tx, min(drafts[0].parts).shop_id, drafts, NOW))


async def told(database: Database, *notices: Notice, now: datetime = NOW):
    return await database.run(lambda tx: record(tx, notices[0].shop_id, notices, now))


async def asked_back(database: Database, shop: int, *requests: RefundRequest):
    return await database.run(lambda tx: request_refunds(tx, shop, requests, NOW))


async def paid(database: Database, *drafts: Draft) -> None:
    await made(database, *drafts)
    await told(database, *map(success, drafts))


async def state(database: Database, draft: Draft) -> str:
    async with database.transaction() as tx:
        return (await load(tx, min(draft.parts).shop_id, [draft.id]))[draft.id].state


async def test_the_same_id_and_content_is_the_same_payment_and_other_content_is_refused(database, shop):
    first, second = draft(shop), draft(shop, 500, shop + 50_000)
    [one, two, again] = await made(database, first, second, first)

    assert again == one
    assert two.amount_fen == 1000
    assert await made(database, first, second) == [one, two]
    assert await made(database, replace(first, expires_at=NOW + timedelta(hours=2))) == [one]
    [refused] = await made(database, replace(first, buyer_id=71))
    assert isinstance(refused, IdReused)
    [refused] = await made(database, replace(first, parts=(Part(shop, first.parts[0].order_id, 999),)))
    assert isinstance(refused, IdReused)


async def test_one_batch_takes_notices_repeated_reordered_wrong_and_unknown(database, shop):
    first, second, third = draft(shop), draft(shop), draft(shop)
    await made(database, first, second, third)

    outcomes = await told(
        database,
        success(first),
        success(first),
        success(second, outcome="closed"),
        success(second),
        success(second, outcome="closed"),
        success(third, amount_fen=1),
        success(draft(shop)),
    )

    assert [o.newly for o in outcomes if isinstance(o, Recorded)] == [True, False, True, True, False]
    assert [type(o) for o in outcomes[5:]] == [AmountMismatch, UnknownPayment]
    assert [await state(database, d) for d in (first, second, third)] == ["succeeded", "succeeded", "created"]
    assert outcomes[0].payment.parts == first.parts


async def test_money_that_does_not_fit_is_kept_once_and_settled_once(database, shop):
    wrong = draft(shop)
    await made(database, wrong)
    for _ in range(2):
        await told(database, success(wrong, amount_fen=1), success(wrong, amount_fen=1, outcome="closed"))

    async with database.transaction() as tx:
        found = [d for d in await tx.ask(store.open_discrepancies((shop, UUID(int=0)), 100)) if d.shop_id == shop]
    assert [(d.code, d.amount_fen) for d in found] == [("amount_mismatch", 1)]
    for note in ("sent back by hand", "never mind"):
        settled = await database.run(
            lambda tx, note=note: commands.settle_discrepancy(tx, shop, found[0].id, 1, note, NOW)
        )
        assert settled.note == "sent back by hand"
    async with database.transaction() as tx:
        assert shop not in {d.shop_id for d in await tx.ask(store.open_discrepancies((shop, UUID(int=0)), 100))}


async def test_of_many_who_tell_the_same_at_once_one_changes_the_payment(database, shop):
    one = draft(shop)
    await made(database, one)

    outcomes = await asyncio.gather(*(told(database, success(one)) for _ in range(24)))

    assert sum(outcome.newly for [outcome] in outcomes) == 1


async def test_money_goes_back_up_to_what_it_brought_and_not_a_fen_further(database, shop):
    first, unpaid = draft(shop), draft(shop)
    await made(database, unpaid)
    await paid(database, first)

    half = back(first, 600)
    outcomes = await asked_back(database, shop, half, back(first, 401), back(first, 400), back(unpaid, 1), half)

    assert [type(o) for o in outcomes] == [type(None), RefundTooHigh, type(None), PaymentUnpaid, type(None)]
    assert outcomes[1].more == {"left_fen": 400}
    assert await asked_back(database, shop, half) == [None]
    [reused] = await asked_back(database, shop, replace(half, amount_fen=1))
    assert isinstance(reused, IdReused)
    [wrong_order] = await asked_back(database, shop, replace(back(first, 1), order_id=uuid7(NOW)))
    assert isinstance(wrong_order, PaymentUnpaid)


async def test_of_many_refunds_at_once_only_as_much_is_taken_as_there_is(database, shop):
    one = draft(shop, 1000)
    await paid(database, one)

    outcomes = await asyncio.gather(*(asked_back(database, shop, back(one, 90)) for _ in range(24)))

    assert sum(outcome is None for [outcome] in outcomes) == 1000 // 90


async def test_each_shop_of_a_checkout_gives_back_its_own_part(database, shop):
    elsewhere = next(_shops)
    both = draft(shop, 300, elsewhere)
    await made(database, both)
    [unpaid] = await asked_back(database, elsewhere, back(both, 300, part=1))
    assert isinstance(unpaid, PaymentUnpaid)
    await told(database, success(both))

    assert await asked_back(database, elsewhere, back(both, 300, part=1)) == [None]
    [over] = await asked_back(database, elsewhere, back(both, 1, part=1))
    assert isinstance(over, RefundTooHigh)
    [not_here] = await asked_back(database, shop, back(both, 1, part=1))
    assert isinstance(not_here, PaymentUnpaid)
    assert await asked_back(database, shop, back(both, 300)) == [None]


async def test_what_is_due_is_claimed_by_one_server_and_comes_again_when_that_one_died(database, shop):
    drafts = [draft(shop) for _ in range(40)]
    await made(database, *drafts)
    ids = [d.id for d in drafts]

    def claim(now):
        return database.run(lambda tx: commands.claim_payments(tx, shop, ids, now))

    assert await claim(NOW) == []
    at_once = await asyncio.gather(*(claim(NOW + timedelta(seconds=20)) for _ in range(4)))
    assert sorted(p.id for claimed in at_once for p in claimed) == sorted(ids)
    assert await claim(NOW + timedelta(seconds=40)) == []
    assert len(await claim(NOW + timedelta(seconds=51))) == 40


async def test_a_refund_is_sent_again_after_a_kill_and_its_success_is_told_once(database, shop):
    one = draft(shop)
    await paid(database, one)
    request = back(one, 10)
    await asked_back(database, shop, request)

    def claim(now):
        return database.run(lambda tx: commands.claim_refunds(tx, shop, [request.id], now))

    [first] = await claim(NOW)
    assert await claim(NOW + timedelta(seconds=1)) == []
    [second] = await claim(NOW + timedelta(seconds=2))
    assert (first.attempts, second.attempts, second.state) == (1, 2, "pending")

    async with database.transaction() as tx:
        for attempt, word in ((1, "failed"), (2, "succeeded"), (1, "succeeded")):
            [refund] = await commands.record_refunds(tx, shop, [RefundTold(request.id, attempt, word)], NOW)
        rows = await tx.rows("DELETE FROM kernel.outbox WHERE shop_id = %s RETURNING topic, payload", (shop,))
    assert refund.state == "succeeded"
    payload = {"refund_id": str(request.id), "order_id": str(request.order_id), "payment_id": str(one.id)}
    assert [(row.topic, row.payload) for row in rows] == [("payments.refunded", payload | {"amount_fen": 10})]


CORRUPTIONS = {
    "each payment's parts sum to its amount": "part SET amount_fen = amount_fen + 1",
    "each payment lives in the lowest shop of its parts": "part SET order_shop_id = shop_id + 1",
    "what is asked back of a part is the sum of its refunds": "refund SET amount_fen = amount_fen + 1",
    "refunds come only from parts that brought money, and reckon with what each brought": (
        "payment SET state = 'closed', paid_at = NULL, provider_ref = NULL"
    ),
}


@pytest.mark.parametrize("invariant", CORRUPTIONS)
async def test_the_audit_finds_what_was_planted(database, shop, invariant):
    one = draft(shop)
    await paid(database, one)
    await asked_back(database, shop, back(one, 10))

    async def offending() -> int:
        findings = (await audit(database, ["fairwind.payments"])).findings
        assert len(findings) == len(CORRUPTIONS)
        return next(
            sum(row["shop_id"] == shop for row in finding.rows)
            for finding in findings
            if finding.invariant == invariant
        )

    assert await offending() == 0
    await database.run(lambda tx: tx.execute(f"UPDATE payments.{CORRUPTIONS[invariant]} WHERE shop_id = %s", (shop,)))
    assert await offending() == 1
    async with database.transaction() as tx:
        for table in ("refund", "refund_cap", "part", "payment"):
            await tx.execute(f"DELETE FROM payments.{table} WHERE shop_id = %s", (shop,))
