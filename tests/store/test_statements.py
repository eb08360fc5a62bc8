"""Statements, closed months, earnings and withholdings on the real database: every fen of them is the ledger's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import astuple

from deals import LATER, creator, ordered, picked, published, received, refunded, settled, subsidised
from fairwind.kernel import (
    Database,
    Event,
    EventId,
    NotFound,
    OrderId,
    PersonId,
    Platform,
    Settings,
    ShiftedClock,
    ShopId,
    accepted,
    uuid7,
)
from fairwind.orders import Order
from fairwind.settlement.commands.closing import Periods, close_book
from fairwind.settlement.commands.earnings import Earnings, note_earnings
from fairwind.settlement.commands.settling import settle
from fairwind.settlement.commands.statements import Statements, summary
from fairwind.settlement.commands.withholdings import (
    Opening,
    Releasing,
    Withholdings,
    open_withholdings,
    release_withholdings,
)
from fairwind.settlement.listing import Statement
from fairwind.settlement.netting import PLATFORM, Payee
from fairwind.settlement.period import month_of, period
from fairwind.settlement.statement import AccountKey, Place, Sums, total
from fairwind.settlement.store.earnings import NEWEST
from fairwind.settlement.store.periods import closed_until
from fairwind.settlement.store.withholdings import withheld
from fairwind.settlement.withholding import (
    AlreadySettled,
    AlreadyWithheld,
    Asker,
    Withholding,
    WithholdingDraft,
    WithholdingId,
)
from market import BUYER, NOW, WINDOW, Shop, broken, open_shop
from payables import swept

OVER = LATER + WINDOW
JULY = period("2020-07")
JUNE = period("2020-06")
MCN, AGENCY = PersonId(2_000_001), PersonId(2_000_002)


class Frozen(ShiftedClock):
    """A clock that stands where a test puts it."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self.at = now

    def now(self) -> datetime:
        return self.at


@dataclass
class Sold:
    """A shop whose goods a creator showed: settled in July, part of it given back later, and swept."""

    shop: Shop
    host: PersonId
    order: Order


def platform(database: Database, now: datetime) -> Platform:
    return Platform(database, Frozen(now), Settings())


async def shared(database: Database, order: Order, mcn_id: PersonId, agency_id: PersonId) -> None:
    """The order's lines were sold with an MCN's split of 30 % and an agency's fee of 1 %."""
    async with database.transaction() as tx:
        await tx.execute(
            "UPDATE orders.line SET mcn_id = %s, mcn_ppm = 300000, agency_id = %s, agency_ppm = 10000"
            " WHERE shop_id = %s AND order_id = %s",
            (mcn_id, agency_id, order.shop_id, order.id),
        )


async def sold(database: Database, quantity: int = 1) -> Sold:
    """Placed and received; nothing has settled."""
    shop, host = await open_shop(database, 99), await creator(database)
    await published(database, shop, 200_000)
    await picked(database, shop, host)
    await subsidised(database, shop, 900)
    order = await ordered(database, shop, quantity, by=host)
    await shared(database, order, MCN, AGENCY)
    return Sold(shop, host, await received(database, order))


@pytest.fixture
async def trade(database: Database) -> Sold:
    there = await sold(database)
    assert await settled(database, there.shop.id, OVER) == 1
    await refunded(database, there.order, (1, 3000), now=OVER + timedelta(hours=1))
    await refunded(database, there.order, (1, 1000), now=OVER + timedelta(hours=2))
    return there


async def unsound(database: Database, shop_id: ShopId) -> list[str]:
    """The invariants that are broken, but for those of frozen terms: these tests make some up."""
    async with database.transaction() as tx:
        return [words for words, _ in await broken(tx, [shop_id]) if "each line's frozen" not in words]


async def page(
    database: Database, payee: Payee, name: str = "2020-07", cursor: str | None = None, limit: int = 100
) -> Statement:
    return await Statements(platform(database, OVER)).page(payee, period(name), cursor, limit)


async def told(database: Database, order: Order) -> None:
    """What the consumer of `orders.paid` does."""
    payload = msgspec.Raw(msgspec.json.encode({"order_id": order.id}))
    event = Event(EventId(order.id), order.shop_id, "orders.paid", payload, NOW)
    await database.run(lambda tx: note_earnings(tx, order.shop_id, [event], NOW))


def payees(trade: Sold) -> list[Payee]:
    return [
        Payee("shop", trade.shop.id),
        Payee("creator", trade.host),
        Payee("agency", MCN),
        Payee("agency", AGENCY),
        PLATFORM,
    ]


class TestStatements:
    async def test_a_creator_reads_each_line_with_its_formula(self, database: Database, trade: Sold) -> None:
        answer = await page(database, Payee("creator", trade.host))
        assert [(line.kind, line.item, line.amount_fen) for line in answer.items] == [
            ("settled", "commission", 1248),
            ("clawed_back", "commission", -416),
            ("clawed_back", "commission", -138),
        ]
        first, second, third = [line.formula.en for line in answer.items]
        assert first == (
            "commission 20 % of base 9,900 fen = 1,980 fen; alliance fee 10 % of it = 198 fen; "
            "MCN 30 % of the net 1,782 fen = 534 fen; yours 1,248 fen"
        )
        assert second == "returned 3,000 of 9,000 fen: floor(1,248 × 3,000 / 9,000) = 416 fen"
        assert third == (
            "returned 4,000 of 9,000 fen in all: floor(1,248 × 4,000 / 9,000) = 554, 416 of it before: 138 fen"
        )
        assert answer.sums == Sums(0, 1248, -554, 0, 0, 0, 694, 3)
        assert answer.agrees_with_ledger
        assert answer.heading.name == "主播"

    async def test_a_shop_reads_its_proceeds_and_what_it_put_into_subsidies(
        self, database: Database, trade: Sold
    ) -> None:
        june, july = [await page(database, Payee("shop", trade.shop.id), name) for name in ("2020-06", "2020-07")]
        [line] = june.items
        assert (line.kind, line.amount_fen, june.sums and june.sums.closing_fen) == ("subsidised", -450, -450)
        assert line.formula.en.endswith(": 450 fen on line 1")
        assert [(each.kind, each.item) for each in july.items] == [
            ("settled", "proceeds"),
            ("subsidy_returned", "subsidy"),
            ("clawed_back", "proceeds"),
            ("subsidy_returned", "subsidy"),
            ("clawed_back", "proceeds"),
        ]
        proceeds = next(each for each in july.items if each.kind == "settled")
        assert proceeds.formula.en == (
            "paid 9,000 + subsidies 900 − service fee 99 − commission 1,980 − agency fee 99 = 7,722 fen"
        )
        assert july.sums is not None
        assert july.sums.opening_fen == -450
        assert [account.account for account in july.books[0].accounts] == ["shop", "subsidy"]

    async def test_an_agency_reads_both_what_it_recruited_and_what_its_creators_sold(self, database: Database) -> None:
        there = await sold(database)
        both = PersonId(3_000_000 + there.shop.id)
        await shared(database, there.order, both, both)
        await settled(database, there.shop.id, OVER)
        answer = await Statements(platform(database, OVER)).summary(Payee("creator", there.host), JULY)
        assert answer[1].differences == []
        async with database.transaction() as tx:
            mine = await summary(tx, Payee("agency", both), JULY)
        assert mine.differences == []
        assert total(mine.sums.values()).settled_fen == 534 + 99

    @pytest.mark.parametrize("name", ["2020-06", "2020-07", "2020-07-04", "2020-07-05", "2021-01"])
    async def test_totals_equal_the_ledger_for_every_payee_and_period(
        self, database: Database, trade: Sold, name: str
    ) -> None:
        await swept(database, trade.shop.id, 18)
        for payee in payees(trade):
            async with database.transaction() as tx:
                whole = await summary(tx, payee, period(name), [trade.shop.id])
            assert whole.differences == []
            assert sum(each.closing_fen for each in whole.sums.values()) == await closing(
                database, payee, trade.shop.id, period(name).until
            )

    async def test_pages_of_any_size_read_the_same(self, database: Database, trade: Sold) -> None:
        whole = (await page(database, Payee("shop", trade.shop.id))).items
        for limit in (1, 2, 3):
            items, cursor, begun = [], None, 0
            while True:
                answer = await page(database, Payee("shop", trade.shop.id), cursor=cursor, limit=limit)
                assert (answer.sums is None) == (cursor is not None)
                items += answer.items
                begun += len(answer.books)
                cursor = answer.next_cursor
                if cursor is None:
                    break
            assert items == whole
            assert begun == 1

    async def test_a_statement_over_many_books_opens_and_closes_each(self, database: Database) -> None:
        host = await creator(database)
        shops = []
        for _ in range(3):
            shop = await open_shop(database, 9)
            await published(database, shop, 100_000)
            await picked(database, shop, host)
            await received(database, await ordered(database, shop, by=host))
            await settled(database, shop.id, OVER)
            shops.append(shop)
        whole = await page(database, Payee("creator", host))
        assert [book.shop_id for book in whole.books] == sorted(shop.id for shop in shops)
        assert [book.sums.closing_fen for book in whole.books] == [891] * 3
        assert whole.sums == Sums(settled_fen=2673, closing_fen=2673, entries=3)
        first = await page(database, Payee("creator", host), limit=1)
        second = await page(database, Payee("creator", host), cursor=first.next_cursor, limit=2)
        assert [*first.books, *second.books] == whole.books
        assert [*first.items, *second.items] == whole.items

    async def test_what_was_swept_is_told_with_its_payout(self, database: Database, trade: Sold) -> None:
        await swept(database, trade.shop.id, 18)
        answer = await page(database, Payee("creator", trade.host))
        assert answer.items[-1].kind == "swept"
        assert answer.items[-1].amount_fen == -694
        assert answer.items[-1].formula.en == "694 fen wait for the next payout"
        assert answer.sums is not None
        assert answer.sums.closing_fen == 0

    async def test_nobody_has_no_statement(self, database: Database) -> None:
        with pytest.raises(NotFound):
            await page(database, Payee("creator", 2**40))


async def closing(database: Database, payee: Payee, shop_id: ShopId, until: datetime) -> int:
    """What the payee's accounts of the book hold at a moment, from the ledger alone."""
    accounts = {
        "platform": "kind IN ('service_fee', 'alliance_fee') OR kind = 'subsidy' AND party_id = 0",
        "shop": f"kind IN ('shop', 'supplier') OR kind = 'subsidy' AND party_id = {payee.id}",
        "creator": f"kind = 'creator' AND party_id = {payee.id}",
        "agency": f"kind = 'agency' AND party_id = {payee.id}",
    }
    async with database.transaction() as tx:
        row = await tx.row(
            "SELECT coalesce(sum(fen), 0)::bigint AS fen FROM ("
            " SELECT shop_id, made_at, debit_kind AS kind, debit_party_id AS party_id, -amount_fen AS fen"
            " FROM ledger.transfer UNION ALL"
            " SELECT shop_id, made_at, credit_kind, credit_party_id, amount_fen FROM ledger.transfer) AS leg"
            f" WHERE shop_id = %s AND made_at < %s AND ({accounts[payee.kind]})",  # type: ignore[arg-type]
            (shop_id, until),
        )
    assert row is not None
    return int(row.fen)


async def close(database: Database, shop_id: ShopId, *names: str) -> None:
    """Close months of one book, and say so, as the job does for all of them."""
    for name in names:
        month = period(name)
        assert await database.run(lambda tx, month=month: close_book(tx, shop_id, month))


class TestClosing:
    async def test_closing_freezes_each_account_and_the_next_month_opens_with_it(
        self, database: Database, trade: Sold
    ) -> None:
        await close(database, trade.shop.id, "2020-06", "2020-07")
        async with database.transaction() as tx:
            rows = await tx.rows(
                "SELECT period, account, opening_fen, settled_fen + clawed_back_fen + subsidised_fen"
                " + subsidy_returned_fen AS moved_fen, closing_fen, entries FROM settlement.closed_statement"
                " WHERE shop_id = %s AND payee_kind = 'shop' ORDER BY period, account",
                (trade.shop.id,),
            )
        assert [tuple(row) for row in rows] == [
            ("2020-06", "subsidy", 0, -450, -450, 1),
            ("2020-07", "shop", 0, rows[1].moved_fen, rows[1].moved_fen, 3),
            ("2020-07", "subsidy", -450, 200, -250, 2),
        ]

    async def test_closing_twice_changes_nothing(self, database: Database, trade: Sold) -> None:
        await close(database, trade.shop.id, "2020-06", "2020-07")
        before = await frozen(database, trade.shop.id)
        await close(database, trade.shop.id, "2020-07", "2020-06")
        assert await frozen(database, trade.shop.id) == before
        assert before

    async def test_a_book_that_does_not_agree_with_the_ledger_does_not_close(
        self, database: Database, trade: Sold
    ) -> None:
        async with database.transaction() as tx:
            await tx.execute(
                "UPDATE ledger.transfer SET amount_fen = amount_fen + 1 WHERE shop_id = %s AND reason = 'settled'"
                " AND credit_kind = 'creator'",
                (trade.shop.id,),
            )
        assert not await database.run(lambda tx: close_book(tx, trade.shop.id, JULY))
        assert await frozen(database, trade.shop.id) == []

    async def test_the_job_closes_months_in_order_and_waits_some_hours(self, module_database_url: str) -> None:
        async with Database(module_database_url) as database:
            there = await sold(database)
            await settled(database, there.shop.id, OVER)
            before = JULY.until + timedelta(hours=5)
            periods = Periods(platform(database, before))
            assert await periods.close_periods() == 1
            assert [each.period for each in await periods.closed(None, 10)] == ["2020-06"]
            async with database.transaction() as tx:
                assert await tx.ask(closed_until()) == JUNE.until
            later = Periods(platform(database, before + timedelta(hours=1)))
            assert await later.close_periods() == 1
            assert [each.period for each in await later.closed(None, 10)] == ["2020-07", "2020-06"]
            assert [each.period for each in await later.closed("2020-07", 10)] == ["2020-06"]
            shown = await later.statements("2020-07", None, 100)
            assert {each.account for each in shown} == {"service_fee", "alliance_fee", "creator", "agency", "shop"}
            assert await later.statements("2020-07", AccountKey(*msgspec.structs.astuple(shown[-1])[:3]), 9) == []
            with pytest.raises(NotFound):
                await later.statements("2020-08", None, 9)
            # What opens from a closed month is what the whole history says.
            august = period("2020-08")
            await refunded(database, there.order, now=august.since + timedelta(hours=1))
            for payee in payees(there):
                async with database.transaction() as tx:
                    whole = await summary(tx, payee, august, [there.shop.id])
                assert whole.differences == []
                assert sum(each.opening_fen for each in whole.sums.values()) == await closing(
                    database, payee, there.shop.id, august.since
                )
            answer = await page(database, Payee("creator", there.host), "2020-07")
            assert answer.heading.closed_at == before + timedelta(hours=1)
            assert await unsound(database, there.shop.id) == []

    async def test_several_servers_that_close_at_once_close_once(self, database: Database, trade: Sold) -> None:
        await asyncio.gather(*(database.run(lambda tx: close_book(tx, trade.shop.id, JULY)) for _ in range(4)))
        accounts = [row[1:3] for row in await frozen(database, trade.shop.id)]
        assert len(accounts) == len({*accounts}) == 8


async def frozen(database: Database, shop_id: ShopId) -> list[tuple[Any, ...]]:
    async with database.transaction() as tx:
        rows = await tx.rows(
            "SELECT period, account, party_id, opening_fen, closing_fen, entries FROM settlement.closed_statement"
            " WHERE shop_id = %s ORDER BY 1, 2, 3",
            (shop_id,),
        )
    return [tuple(row) for row in rows]


class TestEarnings:
    async def test_an_estimate_becomes_settled_and_is_clawed_back(self, database: Database) -> None:
        there = await sold(database)
        await told(database, there.order)
        await told(database, there.order)
        earnings = Earnings(platform(database, OVER))
        [line] = await earnings.page("creator", there.host, None, None, NEWEST, 10)
        assert (line.state, line.estimated_fen, line.settled_fen) == ("estimated", 1248, 0)
        assert line.why.en.startswith("You earn of this line: it was bought from where this creator showed it")
        assert line.formula is not None
        assert line.formula.en.endswith("yours 1,248 fen")
        await refunded(database, there.order, (1, 900), now=LATER + timedelta(days=1))
        [line] = await earnings.page("creator", there.host, "estimated", None, NEWEST, 10)
        assert line.estimated_fen == 1123
        assert (await earnings.totals("creator", there.host)).estimated_fen == 1123
        await settled(database, there.shop.id, OVER)
        [line] = await earnings.page("creator", there.host, "settled", JUNE, NEWEST, 10)
        assert (line.estimated_fen, line.settled_fen, line.clawed_back_fen) == (0, 1123, 0)
        await refunded(database, there.order, now=OVER + timedelta(days=1))
        [line] = await earnings.page("creator", there.host, "clawed_back", None, NEWEST, 10)
        assert (line.settled_fen, line.clawed_back_fen) == (1123, 1123)
        totals = await earnings.totals("creator", there.host)
        assert (totals.estimated_fen, totals.settled_fen, totals.clawed_back_fen, totals.owed_fen) == (0, 1123, 1123, 0)
        assert await earnings.page("creator", there.host, "settled", None, NEWEST, 10) == []
        assert await earnings.page("creator", there.host, None, JULY, NEWEST, 10) == []

    async def test_who_showed_the_goods_and_earns_nothing_is_told_why(self, database: Database) -> None:
        shop, host = await open_shop(database, 9), await creator(database)
        await published(database, shop, 200_000)
        order = await received(database, await ordered(database, shop, by=host))
        await told(database, order)
        [line] = await Earnings(platform(database, OVER)).page("creator", host, None, None, NEWEST, 10)
        assert (line.state, line.reason, line.estimated_fen) == ("not_earned", "not_picked", 0)
        assert set(astuple(line.terms)) == {None}, "another's terms are not theirs to know"
        assert "had not picked the product" in line.why.en
        assert "未选该商品" in line.why.zh

    async def test_what_was_refunded_before_it_settled_brings_nothing(self, database: Database) -> None:
        there = await sold(database)
        await told(database, there.order)
        await refunded(database, there.order, now=LATER + timedelta(days=1))
        [line] = await Earnings(platform(database, OVER)).page("creator", there.host, None, None, NEWEST, 10)
        assert (line.state, line.estimated_fen) == ("refunded", 0)

    async def test_agencies_see_what_their_activities_and_creators_bring(self, database: Database) -> None:
        there = await sold(database)
        mcn, agency = PersonId(4_000_000 + there.shop.id), PersonId(5_000_000 + there.shop.id)
        await shared(database, there.order, mcn, agency)
        await told(database, there.order)
        earnings = Earnings(platform(database, OVER))
        [of_mcn] = await earnings.page("agency", mcn, None, None, NEWEST, 10)
        [of_agency] = await earnings.page("agency", agency, None, None, NEWEST, 10)
        assert [(each.part, each.estimated_fen) for each in (of_mcn, of_agency)] == [("mcn", 534), ("agency", 99)]
        await settled(database, there.shop.id, OVER)
        assert (await earnings.totals("agency", mcn)).owed_fen == 534

    async def test_pages_of_earnings_go_on_where_they_ended(self, database: Database) -> None:
        shop, host = await open_shop(database, 99), await creator(database)
        await published(database, shop, 200_000)
        await picked(database, shop, host)
        for _ in range(5):
            await told(database, await received(database, await ordered(database, shop, by=host)))
        earnings = Earnings(platform(database, OVER))
        whole = await earnings.page("creator", host, None, None, NEWEST, 10)
        read, before = [], NEWEST
        while some := await earnings.page("creator", host, None, None, before, 2):
            read += some
            last = some[-1]
            before = (last.paid_at, last.order_id, last.line_no, last.shop_id, last.part)
        assert read == whole
        assert len(whole) == 5


def draft(reason: str = "dispute", line_no: int = 1, until: datetime | None = None) -> WithholdingDraft:
    return WithholdingDraft(WithholdingId(uuid7(NOW)), line_no, reason, "货不对板", until)  # type: ignore[arg-type]


async def withhold(
    database: Database, order: Order, what: WithholdingDraft, asker: Asker, now: datetime = LATER
) -> Any:
    [outcome] = await database.run(
        lambda tx: open_withholdings(tx, order.shop_id, [Opening(order.id, what, asker)], now)
    )
    return outcome


async def kept(database: Database, order: Order, now: datetime = LATER) -> set[tuple[OrderId, int]]:
    async with database.transaction() as tx:
        return await tx.ask(withheld(order.shop_id, [order.id], now))


class TestWithholding:
    async def test_a_withheld_line_settles_only_once_it_is_released(self, database: Database) -> None:
        there = await sold(database)
        opened: Withholding = accepted(await withhold(database, there.order, draft(), Asker(BUYER)))
        assert await kept(database, there.order) == {(there.order.id, 1)}
        assert await settled(database, there.shop.id, OVER) == 0
        [released] = await database.run(
            lambda tx: release_withholdings(tx, there.shop.id, [Releasing(opened.id, Asker(BUYER))], OVER)
        )
        assert accepted(released).released_by == BUYER
        assert await kept(database, there.order, OVER - timedelta(seconds=1)) == {(there.order.id, 1)}
        assert await kept(database, there.order, OVER) == set()
        assert await settled(database, there.shop.id, OVER + timedelta(days=1)) == 1
        assert await unsound(database, there.shop.id) == []

    async def test_the_same_draft_again_opens_nothing_new(self, database: Database) -> None:
        there, what = await sold(database), draft()
        first = await withhold(database, there.order, what, Asker(BUYER))
        assert await withhold(database, there.order, what, Asker(BUYER), OVER) == first
        assert isinstance(await withhold(database, there.order, draft(), Asker(BUYER)), AlreadyWithheld)
        assert isinstance(
            await withhold(database, there.order, draft("price_protection"), Asker(1, shop=True)), Withholding
        )  # type: ignore[arg-type]

    async def test_what_has_settled_cannot_be_withheld(self, database: Database, trade: Sold) -> None:
        assert isinstance(await withhold(database, trade.order, draft(), Asker(BUYER), OVER), AlreadySettled)

    async def test_it_ends_by_itself_once_its_time_has_passed(self, database: Database) -> None:
        there = await sold(database)
        await withhold(database, there.order, draft(until=LATER + timedelta(days=3)), Asker(BUYER))
        before, after = (Withholdings(platform(database, LATER + timedelta(days=days))) for days in (2, 3))
        await before.end_withholdings()
        assert await kept(database, there.order, LATER + timedelta(days=2))
        await after.end_withholdings()
        assert not await kept(database, there.order, LATER + timedelta(days=3))
        [ended] = await after.of_order(there.shop.id, there.order.id, BUYER)
        assert (ended.released_by, ended.released_at) == (None, LATER + timedelta(days=3))

    async def test_strangers_do_not_see_an_orders_withholdings(self, database: Database) -> None:
        there = await sold(database)
        desk = Withholdings(platform(database, LATER))
        assert await desk.of_order(there.shop.id, there.order.id, None) == []
        with pytest.raises(NotFound):
            await desk.of_order(there.shop.id, there.order.id, PersonId(8))

    async def test_a_line_is_either_withheld_or_settled_when_both_are_tried_at_once(self, database: Database) -> None:
        for _ in range(5):
            there = await sold(database)
            key = [(there.order.id, 1)]
            outcome, _ = await asyncio.gather(
                withhold(database, there.order, draft(), Asker(BUYER), OVER),
                database.run(lambda tx, there=there, key=key: settle(tx, there.shop.id, key, OVER)),
            )
            async with database.transaction() as tx:
                rows = await tx.rows("SELECT 1 FROM settlement.settled_line WHERE shop_id = %s", (there.shop.id,))
            assert await unsound(database, there.shop.id) == []
            assert isinstance(outcome, Withholding) == (rows == [])

    async def test_opening_without_the_orders_lock_would_let_a_line_do_both(self, database: Database) -> None:
        """The naive twin: it looks, and then writes, and a settlement comes in between."""
        there = await sold(database)
        async with database.transaction() as tx:
            row = await tx.row("SELECT count(*) AS n FROM settlement.settled_line WHERE shop_id = %s", (there.shop.id,))
            assert row is not None
            assert row.n == 0
            await settled(database, there.shop.id, OVER)
            await tx.execute(
                "INSERT INTO settlement.withholding"
                " (shop_id, id, order_id, line_no, reason, note, opened_by, opened_at)"
                " VALUES (%s, %s, %s, 1, 'dispute', '', 7, %s)",
                (there.shop.id, uuid7(NOW), there.order.id, OVER),
            )
        assert await unsound(database, there.shop.id) == ["no line settled while it was withheld"]


def test_the_month_a_statement_shows_by_default_is_that_of_china() -> None:
    assert month_of(datetime.fromisoformat("2020-06-30T15:59:59+00:00")).name == "2020-06"
    assert month_of(datetime.fromisoformat("2020-06-30T16:00:00+00:00")).name == "2020-07"


def test_a_forged_place_is_no_place() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert((1, None, "0" * 32, 1, -1), Place)
