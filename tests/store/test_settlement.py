"""Selling on terms, settling, and taking back: on the real database, fen by fen."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from deals import (
    LATER,
    book,
    creator,
    due,
    ordered,
    picked,
    published,
    received,
    refunded,
    settled,
    subsidised,
)
from fairwind.alliance import Rating, RatingDraft, reserves_locked
from fairwind.alliance.commands.links import Linking, follow, make_links, open_promotion
from fairwind.alliance.commands.reserves import Keeping, keep_stock
from fairwind.alliance.link import Following, LinkDraft, PromotionDraft
from fairwind.inventory import stock_locked
from fairwind.kernel import (
    CampaignId,
    ClickId,
    Database,
    Fen,
    NotFound,
    PersonId,
    Platform,
    RefundId,
    Refused,
    Settings,
    ShiftedClock,
    Transaction,
    accepted,
    uuid7,
)
from fairwind.orders import Order, OrderDraft, Placing, place
from fairwind.orders.commands.after_sales import Asking, Backing, Deciding, ShopOwes, ask_refunds, decide_refunds
from fairwind.orders.commands.delivery import Cancelling, cancel
from fairwind.orders.commands.rating import Saying, rate_lines
from fairwind.orders.order import for_buyer
from fairwind.orders.refund import GivenBack, Refund, RefundDraft, RefundLineDraft
from fairwind.orders.states import RefundAction, RefundState, WrongState
from fairwind.policy import Grant
from fairwind.policy.campaign import FunderId
from fairwind.settlement.commands.payouts import assemble
from fairwind.settlement.commands.settling import claw_back
from fairwind.settlement.netting import Payee
from fairwind.settlement.period import PeriodClosed
from fairwind.settlement.settlement import Settlement
from fairwind.settlement.store.payouts import owed_by
from fairwind.web.contexts import wire_all
from fairwind.web.replays import replay_lines
from market import HOLD_TTL, NOW, WINDOW, Shop, broken, open_shop, order_id, paid, placing
from payables import swept
from plans import publish, rate, terms

OVER = LATER + WINDOW
"""When the after-sales window of what was received at LATER has passed."""
LENT = Backing(claw_back, owed_by, 10)
"""The platform lends a shop ten fen."""
BUYER, MERCHANT = PersonId(7), PersonId(2)


async def terms_of(database: Database, order: Order) -> dict[str, object]:
    """The frozen terms of the order's first line."""
    async with database.transaction() as tx:
        row = await tx.row(
            "SELECT fee_ppm, attribution, earner_id, plan_version, creator_ppm, alliance_ppm, subsidy_fen, subsidies,"
            " evidence FROM orders.line WHERE shop_id = %s AND order_id = %s AND line_no = 1",
            (order.shop_id, order.id),
        )
    assert row is not None
    return dict(row._asdict())


def giving(order: Order, amount_fen: int) -> Asking:
    """The shop gives so much of the order's first line."""
    lines = (RefundLineDraft(1, Fen(amount_fen)),)
    return Asking(order.id, RefundDraft(uuid7(OVER), "refund_only", "补偿", lines), MERCHANT, None)


async def asked(database: Database, shop: Shop, item: Asking, now: datetime = OVER) -> Refund | Refused:
    [outcome] = await database.run(lambda tx: ask_refunds(tx, shop.id, [item], now, WINDOW, LENT))
    return outcome


async def decided(
    database: Database, shop: Shop, refund: Refund, action: RefundAction, *, by_operator: bool = False
) -> Refund | Refused:
    deciding = Deciding(refund.id, action, "", None, by_operator)
    [outcome] = await database.run(lambda tx: decide_refunds(tx, shop.id, [deciding], OVER, WINDOW, LENT))
    return outcome


async def sound(database: Database, shop: Shop) -> None:
    async with database.transaction() as tx:
        assert await broken(tx, [shop.id]) == []


class TestFrozen:
    async def test_a_line_freezes_fee_commission_and_the_evidence_of_who_earns(self, database: Database) -> None:
        shop, host = await open_shop(database, 9), await creator(database)
        await published(database, shop, 200_000)
        await picked(database, shop, host)
        order = await ordered(database, shop, by=host)
        terms = await terms_of(database, order)
        assert terms["attribution"] == "placement"
        assert (terms["earner_id"], terms["creator_ppm"], terms["plan_version"]) == (host, 200_000, 1)
        assert terms["alliance_ppm"] == 100_000
        assert terms["fee_ppm"] == 10_000  # a new own shop
        evidence = terms["evidence"]
        assert isinstance(evidence, dict)
        assert evidence["placement"]["creator_id"] == host

    async def test_who_showed_it_without_a_pick_earns_nothing_and_the_line_says_why(self, database: Database) -> None:
        shop, host = await open_shop(database, 9), await creator(database)
        await published(database, shop, 200_000)
        terms = await terms_of(database, await ordered(database, shop, by=host))
        assert (terms["attribution"], terms["earner_id"], terms["creator_ppm"]) == ("not_picked", None, None)

    async def test_without_a_plan_nobody_earns(self, database: Database) -> None:
        shop, host = await open_shop(database, 9), await creator(database)
        terms = await terms_of(database, await ordered(database, shop, by=host))
        assert (terms["attribution"], terms["earner_id"]) == ("no_plan", None)

    async def test_a_plan_that_changes_never_touches_a_placed_order(self, database: Database) -> None:
        shop, host = await open_shop(database, 9), await creator(database)
        await published(database, shop, 200_000)
        await picked(database, shop, host)
        before = await ordered(database, shop, by=host)
        await published(database, shop, 300_000, now=LATER)
        after = await ordered(database, shop, by=host, now=LATER + timedelta(seconds=1))
        cut = LATER + timedelta(hours=2)
        await published(database, shop, 50_000, now=cut)
        same_day = await ordered(database, shop, by=host, now=cut + timedelta(seconds=1))
        next_day = await ordered(database, shop, by=host, now=cut + timedelta(days=1))
        rates = [(await terms_of(database, each))["creator_ppm"] for each in (before, after, same_day, next_day)]
        assert rates == [200_000, 300_000, 300_000, 50_000]

    async def test_a_subsidy_is_paid_half_and_half_and_the_buyer_pays_the_rest(self, database: Database) -> None:
        shop = await open_shop(database, 9)
        await subsidised(database, shop, 1001)
        order = await ordered(database, shop, 2)
        assert (order.goods_fen, order.subsidy_fen, order.total_fen) == (19_800, 2002, 17_798)
        assert [(grant.funder_id, grant.amount_fen) for grant in order.subsidies] == [(0, 1001), (shop.id, 1001)]
        await paid(database, order, LATER)
        assert await book(database, shop.id) == {
            ("provider", 0): -17_798,
            ("subsidy", 0): -1001,
            ("subsidy", shop.id): -1001,
            ("escrow", 0): 19_800,
        }
        await sound(database, shop)

    async def test_a_cancelled_order_gives_its_subsidy_back_and_late_money_takes_it_again(
        self, database: Database
    ) -> None:
        shop = await open_shop(database, 9)
        await subsidised(database, shop, 1000, budget_fen=500)
        first = await ordered(database, shop)
        assert first.subsidy_fen == 1000
        assert (await ordered(database, shop)).subsidy_fen == 0
        await database.run(lambda tx: cancel(tx, shop.id, [Cancelling(first.id, None)], LATER))
        await paid(database, first, LATER)
        await sound(database, shop)
        assert (await book(database, shop.id))["subsidy", 0] == -500

    async def test_late_money_whose_subsidy_went_to_another_goes_back_in_full(self, database: Database) -> None:
        shop = await open_shop(database, 9)
        await subsidised(database, shop, 1000, budget_fen=500)
        first = await ordered(database, shop)
        await database.run(lambda tx: cancel(tx, shop.id, [Cancelling(first.id, None)], LATER))
        second = await ordered(database, shop)
        assert second.subsidy_fen == 1000
        await paid(database, first, LATER)
        async with database.transaction() as tx:
            stray = await tx.row("SELECT reason FROM orders.stray_payment WHERE order_id = %s", (first.id,))
        assert stray is not None
        assert stray.reason == "subsidy_over"
        await sound(database, shop)


class TestSettling:
    async def test_a_line_settles_once_its_window_is_over_and_everybody_gets_their_share(
        self, database: Database
    ) -> None:
        shop, host = await open_shop(database, 9), await creator(database)
        await published(database, shop, 200_000)
        await picked(database, shop, host)
        await subsidised(database, shop, 900)
        order = await received(database, await ordered(database, shop, by=host))
        assert await settled(database, shop.id, OVER - timedelta(seconds=1)) == 0
        assert await settled(database, shop.id, OVER) == 1
        # 9,000 paid and 900 given: 1 % fee 99, 20 % commission 1,980 of which 10 % is the alliance's.
        assert await book(database, shop.id) == {
            ("provider", 0): -9000,
            ("subsidy", 0): -450,
            ("subsidy", shop.id): -450,
            ("service_fee", 0): 99,
            ("creator", host): 1782,
            ("alliance_fee", 0): 198,
            ("shop", 0): 7821,
        }
        assert await settled(database, shop.id, OVER) == 1
        await sound(database, shop)
        assert order.received_at is not None

    async def test_what_was_refunded_before_settles_to_nobody(self, database: Database) -> None:
        shop, host = await open_shop(database, 9), await creator(database)
        await published(database, shop, 200_000)
        await picked(database, shop, host)
        order = await received(database, await ordered(database, shop, by=host))
        await refunded(database, order, (1, 9900), now=LATER)
        assert await settled(database, shop.id, OVER) == 0
        assert await book(database, shop.id) == {("provider", 0): -9900, ("buyer_refund", 0): 9900}
        await sound(database, shop)

    async def test_a_line_waits_while_a_refund_is_open(self, database: Database) -> None:
        shop = await open_shop(database, 9)
        order = await received(database, await ordered(database, shop))
        draft = RefundDraft(uuid7(LATER), "return", "不合适")  # type: ignore[arg-type]
        asking = Asking(order.id, draft, BUYER, BUYER)
        await database.run(lambda tx: ask_refunds(tx, shop.id, [asking], LATER, WINDOW))
        assert await settled(database, shop.id, OVER) == 0
        await sound(database, shop)
        assert await settled(database, shop.id, OVER + timedelta(minutes=59)) == 0
        async with database.transaction() as tx:
            row = await tx.row("SELECT due_at FROM settlement.due WHERE order_id = %s", (order.id,))
        assert row is not None
        assert row.due_at == OVER + timedelta(hours=1)

    async def test_freight_settles_to_the_shop_alone(self, database: Database) -> None:
        shop = await open_shop(database, 9)
        await database.run(
            lambda tx: tx.execute("INSERT INTO orders.freight_rule VALUES (%s, 800, NULL, '{}')", (shop.id,))
        )
        await received(database, await ordered(database, shop))
        assert await settled(database, shop.id, OVER) == 2
        assert await book(database, shop.id) == {("provider", 0): -10_700, ("service_fee", 0): 99, ("shop", 0): 10_601}
        await sound(database, shop)

    @pytest.mark.parametrize("own_days", [None, 30])
    async def test_freight_waits_for_the_longest_window_also_beside_the_platform_s_own(
        self, database: Database, own_days: int | None
    ) -> None:
        shop = await open_shop(database, 9, 9)
        await database.run(
            lambda tx: tx.execute("INSERT INTO orders.freight_rule VALUES (%s, 800, NULL, '{}')", (shop.id,))
        )
        items = [placing((shop.sku_ids[0], 1), (shop.sku_ids[1], 1))]
        [order] = await database.run(lambda tx: place(tx, shop.id, items, LATER, HOLD_TTL))
        await database.run(
            lambda tx: tx.execute(
                "UPDATE orders.line SET window_s = %s::integer * 86400 WHERE shop_id = %s AND line_no = 1",
                (own_days, shop.id),
            )
        )
        await received(database, accepted(order))
        long = max(WINDOW, timedelta(days=own_days or 0))
        assert await settled(database, shop.id, LATER + long - timedelta(seconds=1)) == (1 if own_days else 0)
        assert await settled(database, shop.id, LATER + long) == 3
        await sound(database, shop)

    async def test_noting_what_is_due_twice_changes_nothing(self, database: Database) -> None:
        shop = await open_shop(database, 9)
        order = await received(database, await ordered(database, shop))
        await due(database, order)
        assert await settled(database, shop.id, OVER) == 1


class TestTakingBack:
    @pytest.mark.parametrize("parts", [[9000], [1, 8999], [4500, 4500], [3333, 3333, 2334]])
    async def test_a_full_refund_after_settlement_leaves_every_account_as_before(
        self, database: Database, parts: list[int]
    ) -> None:
        shop, host = await open_shop(database, 9), await creator(database)
        await published(database, shop, 333_333)
        await picked(database, shop, host)
        await subsidised(database, shop, 900)
        order = await received(database, await ordered(database, shop, by=host))
        await settled(database, shop.id, OVER)
        for number, amount_fen in enumerate(parts):
            await refunded(database, order, (1, amount_fen), now=OVER + timedelta(days=number))
            await sound(database, shop)
        assert await book(database, shop.id) == {("provider", 0): -9000, ("buyer_refund", 0): 9000}

    async def test_each_party_gives_back_in_its_own_share_and_may_come_to_owe(self, database: Database) -> None:
        shop, host = await open_shop(database, 9), await creator(database)
        await published(database, shop, 200_000)
        await picked(database, shop, host)
        order = await received(database, await ordered(database, shop, by=host))
        await settled(database, shop.id, OVER)
        await refunded(database, order, (1, 3333), now=OVER)
        # 9,900: fee 99, creator 1,782, alliance 198; of each floor(share × 3,333 / 9,900), the rest from the shop.
        assert await book(database, shop.id) == {
            ("provider", 0): -9900,
            ("buyer_refund", 0): 3333,
            ("service_fee", 0): 99 - 33,
            ("creator", host): 1782 - 599,
            ("alliance_fee", 0): 198 - 66,
            ("shop", 0): 7821 - 2635,
        }
        await sound(database, shop)

    async def test_a_refund_of_settled_and_unsettled_lines_takes_each_from_where_it_is(
        self, database: Database
    ) -> None:
        shop, host = await open_shop(database, 9), await creator(database)
        await database.run(
            lambda tx: tx.execute("INSERT INTO orders.freight_rule VALUES (%s, 800, NULL, '{}')", (shop.id,))
        )
        await published(database, shop, 200_000)
        await picked(database, shop, host)
        order = await received(database, await ordered(database, shop, by=host))
        await database.run(
            lambda tx: tx.execute(
                "UPDATE settlement.due SET due_at = due_at + interval '1 day' WHERE shop_id = %s AND line_no = 0",
                (shop.id,),
            )
        )
        assert await settled(database, shop.id, OVER) == 1
        await refunded(database, order, now=OVER)
        assert await book(database, shop.id) == {("provider", 0): -10_700, ("buyer_refund", 0): 10_700}
        await sound(database, shop)

    async def test_a_shop_that_was_paid_out_gives_back_no_more_than_it_may_owe(self, database: Database) -> None:
        shop = await open_shop(database, 9)
        order = await received(database, await ordered(database, shop))
        await settled(database, shop.id, OVER)
        refusal = await asked(database, shop, giving(order, 9_812))
        assert isinstance(refusal, ShopOwes)
        assert refusal.more == {"left_fen": 9_811}
        assert isinstance(await asked(database, shop, giving(order, 9_811)), Refund)
        all_left = RefundDraft(uuid7(OVER), "refund_only", "补偿")
        assert isinstance(
            await asked(database, shop, Asking(order.id, all_left, MERCHANT, None, by_operator=True)), Refund
        )
        await sound(database, shop)

    async def test_a_debt_that_a_sweep_took_out_of_the_book_still_counts(self, database: Database) -> None:
        shop = await open_shop(database, 9)
        first, second = [await received(database, await ordered(database, shop)) for _ in range(2)]
        await settled(database, shop.id, OVER)
        await swept(database, shop.id, 100)
        await database.run(lambda tx: assemble(tx, Payee("shop", shop.id), Fen(1), "sandbox", OVER))
        assert isinstance(await asked(database, shop, giving(first, 10)), Refund)
        await swept(database, shop.id, 101)
        assert ("shop", 0) not in await book(database, shop.id)
        refusal = await asked(database, shop, giving(second, 1))
        assert isinstance(refusal, ShopOwes)
        assert refusal.more == {"left_fen": 0}
        # 9,801 more stand for the debt of ten, and ten are lent again.
        await received(database, await ordered(database, shop))
        await settled(database, shop.id, OVER)
        assert isinstance(await asked(database, shop, giving(second, 9_802)), ShopOwes)
        assert isinstance(await asked(database, shop, giving(second, 9_801)), Refund)
        await sound(database, shop)

    async def test_what_goes_back_to_funders_counts_with_what_goes_back_to_the_buyer(self, database: Database) -> None:
        shop = await open_shop(database, 9)
        await subsidised(database, shop, 9_000)
        order = await received(database, await ordered(database, shop))
        await settled(database, shop.id, OVER)
        # 900 paid and 9,000 given, less 99 of fee: 9,801 in the book and ten to be lent.
        await swept(database, shop.id, 100)
        refusal = await asked(database, shop, giving(order, 2))
        assert isinstance(refusal, ShopOwes)
        assert "takes 22 fen with the subsidies that go back" in str(refusal)
        assert isinstance(await asked(database, shop, giving(order, 1)), ShopOwes)  # 11 with the subsidies

    async def test_goods_a_shop_called_back_are_looked_at_again_when_they_are_there(self, database: Database) -> None:
        shop = await open_shop(database, 9)
        order = await received(database, await ordered(database, shop))
        await settled(database, shop.id, OVER)
        recalled = await asked(
            database, shop, Asking(order.id, RefundDraft(uuid7(OVER), "return", "召回"), MERCHANT, None)
        )
        assert isinstance(recalled, ShopOwes)
        some = RefundDraft(uuid7(OVER), "return", "召回", (RefundLineDraft(1, 9_811),))
        recalled = await asked(database, shop, Asking(order.id, some, MERCHANT, None))
        assert isinstance(recalled, Refund)
        await swept(database, shop.id, 100)

        assert isinstance(await decided(database, shop, recalled, RefundAction.AGREE), Refund)
        assert isinstance(await decided(database, shop, recalled, RefundAction.TAKE_BACK), ShopOwes)
        assert (await book(database, shop.id)).get(("shop", 0)) is None
        back = await decided(database, shop, recalled, RefundAction.TAKE_BACK, by_operator=True)
        assert isinstance(back, Refund)
        assert back.state == RefundState.REFUNDING
        assert (await book(database, shop.id))["shop", 0] == -(9_811 - 98)

    async def test_what_a_buyer_asked_for_in_time_is_never_refused_for_the_shop_s_debts(
        self, database: Database
    ) -> None:
        shop = await open_shop(database, 9)
        order = await received(database, await ordered(database, shop))
        wanted = RefundDraft(uuid7(LATER), "return", "不合适")
        back = await asked(database, shop, Asking(order.id, wanted, BUYER, BUYER), LATER)
        assert isinstance(back, Refund)
        for action in (RefundAction.AGREE, RefundAction.TAKE_BACK):
            assert isinstance(await decided(database, shop, back, action), Refund)
        await sound(database, shop)

    async def test_into_a_closed_month_neither_money_nor_a_subsidy_goes_back(self, database: Database) -> None:
        shop = await open_shop(database, 9)
        order = await ordered(database, shop)
        grant = Grant(CampaignId(1), FunderId(shop.id), Fen(1), in_base=True)
        given = GivenBack(RefundId(uuid7(OVER)), order.id, 1, Fen(2))

        class UndoneError(Exception):
            pass

        async def work(tx: Transaction) -> None:
            await tx.execute(
                "INSERT INTO settlement.closed_period VALUES ('2020-06', %s, %s, %s, 0)", (NOW, OVER, OVER)
            )
            # Of what has not settled, escrow gives the money: that is on no statement. A subsidy is on its funder's.
            assert len(await claw_back(tx, shop.id, [given], NOW)) == 1
            with pytest.raises(PeriodClosed):
                await claw_back(tx, shop.id, [replace(given, grants=(grant,))], NOW)
            raise UndoneError

        with pytest.raises(UndoneError):
            await database.run(work)

    async def test_what_the_shop_offers_by_itself_puts_nothing_off(self, database: Database) -> None:
        shop = await open_shop(database, 9)
        order = await received(database, await ordered(database, shop))
        draft = RefundDraft(uuid7(LATER), "return", "召回")
        asking = Asking(order.id, draft, MERCHANT, None)
        await database.run(lambda tx: ask_refunds(tx, shop.id, [asking], LATER, WINDOW))
        assert await settled(database, shop.id, OVER) == 1

    async def test_the_shop_may_still_give_when_the_order_is_completed(self, database: Database) -> None:
        shop = await open_shop(database, 9)
        order = await received(database, await ordered(database, shop))
        await settled(database, shop.id, OVER)
        await refunded(database, order, (1, 100), now=OVER + timedelta(days=100))
        assert (await book(database, shop.id))["buyer_refund", 0] == Fen(100)
        await sound(database, shop)


class TestRating:
    async def test_a_buyer_rates_what_was_received_and_nobody_else_does(self, database: Database) -> None:
        shop = await open_shop(database, 9)
        order = await ordered(database, shop)

        async def said(buyer_id: PersonId, line_no: int = 1) -> object:
            saying = Saying(order.id, line_no, buyer_id, RatingDraft(5, "很好"))
            [outcome] = await database.run(lambda tx: rate_lines(tx, shop.id, [saying], LATER))
            return outcome

        assert isinstance(await said(BUYER), WrongState)
        await received(database, order)
        assert isinstance(await said(PersonId(8)), NotFound)
        assert isinstance(await said(BUYER, 2), NotFound)
        assert isinstance(await said(BUYER), Rating)
        await sound(database, shop)


async def test_a_click_on_an_outside_link_earns_its_creator_the_sale_within_its_window(database: Database) -> None:
    shop, host, other = await open_shop(database, 9), await creator(database), await creator(database)
    await published(database, shop, 200_000)
    await picked(database, shop, host)
    first = await clicked(database, shop, host, LATER)
    item = placing((shop.sku_id, 1))
    draft = replace(item.draft, lines=(replace(item.draft.lines[0], clicks=(first,)),))
    for late, expected in ((timedelta(days=6), ("last_click", host)), (timedelta(days=7), ("click_too_old", None))):
        order = await again(database, shop, replace(draft, id=order_id()), LATER + late)
        terms = await terms_of(database, order)
        assert (terms["attribution"], terms["earner_id"]) == expected
    unpicked = await clicked(database, shop, other, LATER + timedelta(minutes=1))
    lines = (replace(item.draft.lines[0], clicks=(first, unpicked)),)
    terms = await terms_of(
        database, await again(database, shop, replace(draft, id=order_id(), lines=lines), LATER + timedelta(hours=1))
    )
    assert (terms["attribution"], terms["earner_id"]) == ("not_picked", None)
    await sound(database, shop)


async def clicked(
    database: Database, shop: Shop, creator_id: PersonId, now: datetime, person_id: PersonId | None = None
) -> ClickId:
    """Somebody follows the creator's new link to the shop's first product; a click counts for seven days."""

    async def work(tx: Transaction) -> ClickId:
        promotion = await open_promotion(tx, creator_id, PromotionDraft("公众号", "wechat"), now)
        draft = LinkDraft(promotion.id, shop.id, shop.product_ids[0], window_days=7)
        [link] = await make_links(tx, [Linking(creator_id, draft)], now)
        [followed] = await follow(tx, shop.id, [Following(accepted(link), person_id)], now)
        return followed.id

    return await database.run(work)


async def again(database: Database, shop: Shop, draft: OrderDraft, now: datetime, buyer_id: PersonId = BUYER) -> Order:
    item = Placing(buyer_id, draft, (None,))
    [outcome] = await database.run(lambda tx: place(tx, shop.id, [item], now, HOLD_TTL))
    return accepted(outcome)


async def test_a_click_of_somebody_who_was_signed_in_serves_no_other_buyer(database: Database) -> None:
    shop, host = await open_shop(database, 9), await creator(database)
    await published(database, shop, 200_000)
    await picked(database, shop, host)
    of = PersonId(8)
    click = await clicked(database, shop, host, LATER, of)
    item = placing((shop.sku_id, 1))
    draft = replace(item.draft, lines=(replace(item.draft.lines[0], clicks=(click,)),))
    for buyer_id, expected in ((BUYER, ("click_of_another", None)), (of, ("last_click", host))):
        order = await again(database, shop, replace(draft, id=order_id()), LATER, buyer_id)
        terms = await terms_of(database, order)
        assert (terms["attribution"], terms["earner_id"]) == expected
        await paid(database, order, LATER)
    assert await replay_lines(database, shop.id, lambda _: None) == (2, 0)
    await relayed(database)
    async with database.transaction() as tx:
        rows = await tx.rows(
            "SELECT creator_id, earns, reason FROM settlement.earning WHERE shop_id = %s ORDER BY earns", (shop.id,)
        )
    assert [(row.creator_id, row.earns, row.reason) for row in rows] == [
        (host, False, "click_of_another"),
        (host, True, "last_click"),
    ]
    await sound(database, shop)


async def test_a_creator_earns_nothing_of_their_own_purchase(database: Database) -> None:
    shop, host = await open_shop(database, 9), await creator(database)
    await published(database, shop, 200_000)
    await picked(database, shop, host)
    shown_to_self = await ordered(database, shop, by=host, buyer_id=host)
    item = placing((shop.sku_id, 1))
    click = await clicked(database, shop, host, LATER, host)
    draft = replace(item.draft, lines=(replace(item.draft.lines[0], clicks=(click,)),))
    for order in (shown_to_self, await again(database, shop, draft, LATER, host)):
        terms = await terms_of(database, order)
        assert (terms["attribution"], terms["earner_id"], terms["creator_ppm"]) == ("own_purchase", None, None)
        await paid(database, order, LATER)
    assert await replay_lines(database, shop.id, lambda _: None) == (2, 0)
    await relayed(database)
    async with database.transaction() as tx:
        rows = await tx.rows("SELECT creator_id, earns, reason FROM settlement.earning WHERE shop_id = %s", (shop.id,))
        sales = await tx.rows("SELECT 1 FROM alliance.progress WHERE shop_id = %s", (shop.id,))
    assert [(row.creator_id, row.earns, row.reason) for row in rows] == [(host, False, "own_purchase")] * 2
    assert sales == []
    await sound(database, shop)


async def test_a_sale_that_is_undone_reaches_no_step(database: Database) -> None:
    shop, host = await open_shop(database, 99), await creator(database)
    await publish(database, shop, terms(10, (10, 50)))
    await picked(database, shop, host)
    whole = await ordered(database, shop, 10, by=host)
    await paid(database, whole, LATER)
    await relayed(database)
    assert await rate(database, shop, host, LATER) == 50
    asking = Asking(whole.id, RefundDraft(uuid7(LATER), "refund_only", "不想要了"), BUYER, BUYER)  # type: ignore[arg-type]
    [refund] = await database.run(lambda tx: ask_refunds(tx, shop.id, [asking], LATER, WINDOW))
    assert accepted(refund).amount_fen == whole.total_fen
    await relayed(database)
    assert await rate(database, shop, host, LATER) == 10
    # Money that went back in parts, goods or none, counts for its part.
    other = await received(database, await ordered(database, shop, 10, by=host))
    await relayed(database)
    assert await rate(database, shop, host, LATER) == 50
    await refunded(database, other, (1, 3333), now=LATER)
    await refunded(database, other, (1, 6566), now=LATER)
    await relayed(database)
    assert await rate(database, shop, host, LATER) == 50
    await refunded(database, other, (1, 1), now=LATER)
    await relayed(database)
    async with database.transaction() as tx:
        row = await tx.row("SELECT quantity, gmv_fen FROM alliance.progress WHERE shop_id = %s", (shop.id,))
    assert row == (9, 89_100)
    assert await rate(database, shop, host, LATER) == 10
    await sound(database, shop)


async def relayed(database: Database) -> None:
    """Every event that is told has reached its consumers."""
    platform = Platform(database, ShiftedClock(), Settings())
    wire_all(platform)
    while await platform.relay.drain():
        pass


class TestKept:
    """Stock that is kept for smaller rooms, and goods that come back."""

    async def left(self, database: Database, shop: Shop) -> tuple[int, int]:
        """How many of the SKU are kept, and how many are there in all."""
        async with database.transaction() as tx:
            stock, reserves = await tx.together(
                stock_locked(shop.id, [shop.sku_id]), reserves_locked(shop.id, [shop.sku_id])
            )
        return reserves.left(shop.sku_id), stock[shop.sku_id].available

    async def back(self, database: Database, order: Order, quantity: int) -> None:
        """The buyer of a paid order wants fewer pieces."""
        line = RefundLineDraft(1, Fen(9900 * quantity), quantity)
        draft = RefundDraft(uuid7(LATER), "refund_only", "不想要了", (line,))  # type: ignore[arg-type]
        asking = Asking(order.id, draft, MERCHANT, None)
        [refund] = await database.run(lambda tx: ask_refunds(tx, order.shop_id, [asking], LATER, WINDOW))
        accepted(refund)

    async def test_goods_that_come_back_are_kept_again_once_what_was_not_kept_is_back(self, database: Database) -> None:
        shop, host = await open_shop(database, 10), await creator(database)
        await published(database, shop, 200_000)
        await picked(database, shop, host)
        [kept] = await database.run(lambda tx: keep_stock(tx, shop.id, [Keeping(shop.sku_id, 4)], LATER))
        accepted(kept)
        order = await ordered(database, shop, 6, by=host)
        assert order.lines[0].reserved_quantity == 4
        await paid(database, order, LATER)
        assert await self.left(database, shop) == (0, 4)
        for quantity, expected in ((1, (0, 5)), (2, (1, 7)), (3, (4, 10))):
            await self.back(database, order, quantity)
            assert await self.left(database, shop) == expected
            await sound(database, shop)

    async def test_what_a_late_payment_did_not_get_of_the_kept_stock_does_not_come_back_to_it(
        self, database: Database
    ) -> None:
        shop, host = await open_shop(database, 10), await creator(database)
        await published(database, shop, 200_000)
        await picked(database, shop, host)
        await database.run(lambda tx: keep_stock(tx, shop.id, [Keeping(shop.sku_id, 4)], LATER))
        late = await ordered(database, shop, 4, by=host)
        await database.run(lambda tx: cancel(tx, shop.id, [Cancelling(late.id, None)], LATER))
        quicker = await ordered(database, shop, 3, by=host)
        await paid(database, quicker, LATER)
        await paid(database, late, LATER)
        assert await self.left(database, shop) == (0, 3)
        await self.back(database, late, 4)
        assert await self.left(database, shop) == (1, 7)
        await self.back(database, quicker, 3)
        assert await self.left(database, shop) == (4, 10)
        await sound(database, shop)


async def test_a_late_payment_leaves_what_is_kept_for_smaller_rooms(database: Database) -> None:
    shop = await open_shop(database, 10)
    first = await ordered(database, shop, 5)
    await database.run(lambda tx: cancel(tx, shop.id, [Cancelling(first.id, None)], LATER))
    await database.run(
        lambda tx: tx.execute(
            "INSERT INTO alliance.reserve (shop_id, sku_id, product_id, kept_quantity, sold_quantity)"
            " VALUES (%s, %s, %s, 5, 0)",
            (shop.id, shop.sku_id, shop.product_ids[0]),
        )
    )
    await ordered(database, shop, 5)
    await paid(database, first, LATER)
    async with database.transaction() as tx:
        stray = await tx.row("SELECT reason FROM orders.stray_payment WHERE order_id = %s", (first.id,))
    assert stray is not None
    assert stray.reason == "sold_out"


async def test_a_buyer_is_not_told_who_earns(database: Database) -> None:
    shop, host = await open_shop(database, 9), await creator(database)
    await published(database, shop, 200_000)
    await picked(database, shop, host)
    order = await ordered(database, shop, by=host)
    assert order.lines[0].earner_id == host
    seen = for_buyer(order).lines[0]
    assert (seen.earner_id, seen.plan_id, seen.reserved_quantity) == (None, None, 0)
    assert replace(seen, earner_id=order.lines[0].earner_id, plan_id=order.lines[0].plan_id) == order.lines[0]


async def test_a_line_that_cannot_settle_holds_up_no_other_line_and_no_other_shop(database: Database) -> None:
    shop, other = await open_shop(database, 9), await open_shop(database, 9)
    bad, good = [await received(database, await ordered(database, shop)) for _ in range(2)]
    elsewhere = await received(database, await ordered(database, other))
    await database.run(
        lambda tx: tx.execute(
            "INSERT INTO settlement.settled_line SELECT %s, %s, 1, %s, 1, 1, 1, 0, 0, 0, 0, 0, 1, 'shop'",
            (shop.id, bad.id, OVER),
        )
    )
    clock = ShiftedClock()
    clock.now = lambda: OVER  # type: ignore[method-assign]

    await Settlement(Platform(database, clock, Settings())).settle_due()

    async with database.transaction() as tx:
        rows = await tx.rows(
            "SELECT order_id FROM settlement.settled_line WHERE shop_id IN (%s, %s) AND paid_fen > 1",
            (shop.id, other.id),
        )
    assert {row.order_id for row in rows} == {good.id, elsewhere.id}


async def test_the_audit_reckons_with_the_largest_amounts_that_can_be_sold(database: Database) -> None:
    """A rate or a part of a refund times such an amount leaves a bigint."""
    shop = await open_shop(database, 9999, price_fen=10_000_000_000)
    await subsidised(database, shop, 5_000_000_000, budget_fen=10**15)
    order = await received(database, await ordered(database, shop, 9000))
    await refunded(database, order, (1, order.total_fen // 2), now=LATER)
    await settled(database, shop.id, OVER)
    await refunded(database, order, (1, order.total_fen // 4), now=OVER)
    await sound(database, shop)
