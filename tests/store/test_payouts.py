"""Sweeps and payouts on the real database: money leaves the books once, netted over them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from fairwind.kernel import Database, Fen, NotFound, PayoutId, PersonId, ShopId, accepted, uuid7
from fairwind.kernel.pages import NEWEST
from fairwind.ledger import (
    ALLIANCE_FEE,
    BUYER_REFUND,
    ESCROW,
    PAID_OUT,
    PAYOUT,
    PROVIDER,
    SERVICE_FEE,
    SHOP,
    SUPPLIER,
    agency,
    books_with_payables,
    creator,
    payables_locked,
    subsidy,
)
from fairwind.settlement.commands.payouts import (
    assemble,
    claim_payouts,
    record_payouts,
    release_payout,
    retry_payout,
)
from fairwind.settlement.commands.sweeps import note_paid_out
from fairwind.settlement.netting import Payee
from fairwind.settlement.payout import Payout, PayoutTold, WrongPayoutState
from fairwind.settlement.store import payouts as store
from market import NOW
from payables import book, paid_out_events, post, swept

DAY = timedelta(days=1)
MINIMUM = Fen(100)
_shops = count(8_000_000, 10)
_people = count(8_000_000)


@pytest.fixture(scope="module")
async def database(module_database_url: str) -> AsyncIterator[Database]:
    async with Database(module_database_url) as database:
        yield database


@pytest.fixture
def shop_id() -> ShopId:
    """A shop that no other test has, as the nine after it."""
    return ShopId(next(_shops))


@pytest.fixture
def person() -> PersonId:
    """Somebody that no other test has."""
    return PersonId(next(_people))


async def waiting(database: Database, payee: Payee) -> list[int]:
    async with database.transaction() as tx:
        return sorted(each.amount_fen for each in await tx.ask(store.waiting(payee)))


async def amounts(database: Database, shop_id: int) -> dict[tuple[str, int], int]:
    """What was swept of the shop's book, by payee."""
    async with database.transaction() as tx:
        rows = await tx.rows(
            "SELECT payee_kind, payee_id, amount_fen FROM settlement.swept WHERE shop_id = %s", (shop_id,)
        )
    assert len({row[:2] for row in rows}) == len(rows), "one amount for each payee"
    return {(row.payee_kind, row.payee_id): row.amount_fen for row in rows}


async def assembled(database: Database, payee: Payee, now=NOW) -> Payout | None:
    return await database.run(lambda tx: assemble(tx, payee, MINIMUM, "sandbox", now))


async def told(database: Database, payout: Payout, word, attempt: int | None = None, reason=None, now=NOW) -> Payout:
    word = PayoutTold(payout.id, payout.attempts if attempt is None else attempt, word, reason)
    [after] = await database.run(lambda tx: record_payouts(tx, [word], now))
    return accepted(after)


async def noted(database: Database, payout: Payout) -> None:
    for event in await paid_out_events(database, payout):
        await database.run(lambda tx, event=event: note_paid_out(tx, event.shop_id, [event], NOW))


# Sweeping.


async def test_a_sweep_moves_every_payable_and_nets_the_accounts_of_each_payee(database, shop_id, person):
    await post(
        database,
        shop_id,
        {
            SERVICE_FEE: 200,
            ALLIANCE_FEE: 50,
            subsidy(0): -70,
            SHOP: 1000,
            SUPPLIER: 10,
            subsidy(shop_id): -300,
            subsidy(shop_id + 1): -40,
            creator(person): 500,
            agency(person): -60,
        },
    )
    before = await book(database, shop_id)

    await swept(database, shop_id)

    assert await amounts(database, shop_id) == {
        ("platform", 0): 180,
        ("shop", shop_id): 710,
        ("shop", shop_id + 1): -40,
        ("creator", person): 500,
        ("agency", person): -60,
    }
    untouched = {account: before[account] for account in (PROVIDER, BUYER_REFUND, ESCROW) if account in before}
    assert await book(database, shop_id) == {**untouched, PAYOUT: 1290}


async def test_what_a_payees_accounts_make_up_for_leaves_the_book_and_waits_for_nothing(database, shop_id):
    await post(database, shop_id, {SHOP: 300, subsidy(shop_id): -300})

    await swept(database, shop_id)

    assert await amounts(database, shop_id) == {}
    assert {SHOP, subsidy(shop_id), PAYOUT}.isdisjoint(await book(database, shop_id))


async def test_a_book_is_swept_once_in_its_turn_and_again_in_the_next(database, shop_id, person):
    await post(database, shop_id, {creator(person): 500})
    await swept(database, shop_id)
    await post(database, shop_id, {creator(person): 30})

    await swept(database, shop_id)
    assert await waiting(database, Payee("creator", person)) == [500]
    await swept(database, shop_id, days=1)
    assert await waiting(database, Payee("creator", person)) == [30, 500]


async def test_a_large_book_is_swept_in_pages_and_the_payees_with_several_accounts_come_first(database, shop_id):
    creators = [PersonId(next(_people)) for _ in range(10)]
    await post(database, shop_id, {SHOP: 7, SUPPLIER: 8, subsidy(shop_id): -5, **{creator(c): 100 for c in creators}})

    assert await swept(database, shop_id, accounts_max=4) == 4

    found = await amounts(database, shop_id)
    assert found.pop(("shop", shop_id)) == 10
    assert found == {("creator", each): 100 for each in creators}


async def test_books_with_something_to_sweep_are_found_page_by_page(database, shop_id, person):
    for number, fen in enumerate([5, 0, -5, 9]):
        await post(database, shop_id + number, {creator(person): fen} if fen else {})
    await post(database, shop_id + 4, {creator(person): 5})
    await swept(database, shop_id + 4)

    found, after = [], ShopId(shop_id - 1)
    async with database.transaction() as tx:
        while books := await tx.ask(books_with_payables(after, 2)):
            found += books
            after = books[-1]
    assert [each for each in found if shop_id <= each < shop_id + 10] == [shop_id, shop_id + 2, shop_id + 3]


async def test_payables_are_told_with_their_debts_and_without_what_is_nobodys(database, shop_id, person):
    await post(database, shop_id, {creator(person): -5, SHOP: 7})
    async with database.transaction() as tx:
        assert await tx.ask(payables_locked(shop_id, 10)) == {creator(person): -5, SHOP: 7}


# Payouts.


async def test_a_debt_in_one_book_is_netted_with_what_another_owes(database, shop_id, person):
    payee = Payee("creator", person)
    await post(database, shop_id, {creator(person): 500})
    await post(database, shop_id + 1, {creator(person): -180})
    for number in (0, 1):
        await swept(database, shop_id + number)

    payout = await assembled(database, payee)

    assert (payout.amount_fen, payout.state, payout.payee) == (320, "pending", payee)
    assert await waiting(database, payee) == []
    assert await assembled(database, payee) is None
    async with database.transaction() as tx:
        items = await tx.ask(store.items(payout.id, (ShopId(0), UUID(int=0)), 10))
    assert [(item.shop_id, item.amount_fen, item.paid_out_at) for item in items] == [
        (shop_id, 500, None),
        (shop_id + 1, -180, None),
    ]


async def test_what_is_too_little_or_a_debt_is_carried_until_there_is_enough(database, shop_id, person):
    payee = Payee("creator", person)
    for days, fen, paid_fen in [(0, -50, None), (1, 140, None), (2, 9, None), (3, 1, 100), (4, 99, None), (5, 1, 100)]:
        await post(database, shop_id, {creator(person): fen})
        await swept(database, shop_id, days)
        payout = await assembled(database, payee)
        assert (payout and payout.amount_fen) == paid_fen
    assert await waiting(database, payee) == []


async def test_a_success_is_told_to_every_shop_and_each_book_notes_its_part_once(database, shop_id, person):
    await post(database, shop_id, {creator(person): 500})
    await post(database, shop_id + 1, {creator(person): -180})
    for number in (0, 1):
        await swept(database, shop_id + number)
    payout = await assembled(database, Payee("creator", person))

    for _ in range(2):
        assert (await told(database, payout, "succeeded")).state == "succeeded"
    assert [event.shop_id for event in await paid_out_events(database, payout)] == [shop_id, shop_id + 1]
    for _ in range(2):
        await noted(database, payout)

    first, second = [await book(database, shop_id + number) for number in (0, 1)]
    assert (first[PAID_OUT], first.get(PAYOUT)) == (500, None)
    assert (second[PAID_OUT], second.get(PAYOUT)) == (-180, None)
    assert first[PAID_OUT] + second[PAID_OUT] == payout.amount_fen


async def test_payees_with_enough_are_found_page_by_page(database, shop_id):
    people = [PersonId(next(_people)) for _ in range(5)]
    await post(database, shop_id, {creator(p): fen for p, fen in zip(people, [100, 99, 500, -5, 100], strict=True)})
    await swept(database, shop_id)

    found, after = [], Payee("agency", -1)
    async with database.transaction() as tx:
        while payees := await tx.ask(store.payees_to_pay(MINIMUM, after, 2)):
            found += payees
            after = payees[-1]
        debts = await tx.ask(store.debts(Payee("creator", people[0]), 100))
    assert [payee.id for payee in found if payee.id in people] == [people[0], people[2], people[4]]
    assert [(debt.payee_id, debt.amount_fen) for debt in debts if debt.payee_id in people] == [(people[3], -5)]


async def test_what_is_carried_is_told_for_each_payee_also_when_it_is_nothing(database, shop_id, person):
    await post(database, shop_id, {agency(person): -60})
    await swept(database, shop_id)
    async with database.transaction() as tx:
        creators, agencies = await tx.ask(store.carried([Payee("creator", person), Payee("agency", person)]))
    assert (creators.payee_kind, creators.amount_fen, creators.since) == ("creator", 0, None)
    assert (agencies.payee_kind, agencies.amount_fen, agencies.since) == ("agency", -60, NOW)


async def one_payout(database: Database, shop_id: ShopId, person: PersonId, fen: int = 500) -> Payout:
    await post(database, shop_id, {creator(person): fen})
    await swept(database, shop_id)
    payout = await assembled(database, Payee("creator", person))
    assert payout is not None
    return payout


async def test_a_claimed_payout_is_put_off_for_everyone_else(database, shop_id, person):
    payout = await one_payout(database, shop_id, person)

    async def claimed(now) -> list[int]:
        found = await database.run(lambda tx: claim_payouts(tx, now, 1000))
        return [each.attempts for each in found if each.id == payout.id]

    assert [await claimed(NOW), await claimed(NOW)] == [[1], []]
    assert await claimed(NOW + timedelta(seconds=2)) == [2]
    await told(database, payout, "succeeded")
    assert await claimed(NOW + DAY) == []


async def test_a_failed_payout_waits_for_an_operator_who_has_it_sent_again(database, shop_id, person):
    payout = await one_payout(database, shop_id, person)

    failed = await told(database, payout, "failed", reason="no such account")
    assert (failed.state, failed.reason) == ("failed", "no such account")
    again = await database.run(lambda tx: retry_payout(tx, payout.id, NOW))
    assert (again.state, again.reason, again.amount_fen) == ("pending", None, 500)
    done = await told(database, payout, "succeeded")
    assert await database.run(lambda tx: retry_payout(tx, payout.id, NOW)) == done
    assert len(await paid_out_events(database, payout)) == 1


async def test_what_a_released_payout_was_made_of_goes_into_the_next_one_with_what_came_since(
    database, shop_id, person
):
    payee = Payee("creator", person)
    payout = await one_payout(database, shop_id, person)
    failed = await told(database, payout, "failed")
    await post(database, shop_id, {creator(person): -120})
    await swept(database, shop_id, days=1)
    assert await assembled(database, payee) is None

    for _ in range(2):
        released = await database.run(lambda tx: release_payout(tx, failed, NOW))
        assert released.state == "released"
    assert await waiting(database, payee) == [-120, 500]
    assert (await assembled(database, payee)).amount_fen == 380

    with capture_logs() as logged:
        assert (await told(database, payout, "succeeded")).state == "released"
    assert [(each["event"], each["payout_id"], each["fen"]) for each in logged] == [
        ("released_payout_paid", str(payout.id), 500)
    ]
    assert await paid_out_events(database, payout) == []
    with pytest.raises(WrongPayoutState):
        await database.run(lambda tx: retry_payout(tx, payout.id, NOW))


@pytest.mark.parametrize("words", [[], ["processing"], ["succeeded"], ["failed", "retry"]])
async def test_only_a_payout_that_failed_is_released(database, shop_id, person, words):
    payout = await one_payout(database, shop_id, person)
    for word in words:
        await told(database, payout, word)

    with pytest.raises(WrongPayoutState):
        await database.run(lambda tx: release_payout(tx, payout, NOW))
    assert await waiting(database, payout.payee) == []


async def test_lists_of_payouts_show_the_newest_first(database, shop_id, person):
    payouts = []
    for days in range(3):
        await post(database, shop_id, {creator(person): 100})
        await swept(database, shop_id, days)
        payouts.append(await assembled(database, Payee("creator", person), NOW + days * DAY))
    await told(database, payouts[1], "failed", now=NOW + DAY)

    async with database.transaction() as tx:
        mine = [Payee("creator", person), Payee("agency", person)]
        newest = await tx.ask(store.payouts_of(mine, NEWEST, 2))
        older = await tx.ask(store.payouts_of(mine, (newest[-1].requested_at, newest[-1].id), 2))
        failed = await tx.ask(store.payouts_in(["failed"], NEWEST, 1000))
    assert [each.id for each in [*newest, *older]] == [each.id for each in reversed(payouts)]
    assert [each.id for each in failed if each.payee_id == person] == [payouts[1].id]


async def test_a_word_about_no_payout_of_ours_is_recorded_nowhere(database):
    ghost = PayoutTold(PayoutId(uuid7(NOW)), 1, "succeeded")
    [refused] = await database.run(lambda tx: record_payouts(tx, [ghost], NOW))
    assert isinstance(refused, NotFound)
