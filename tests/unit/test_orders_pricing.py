"""What an order costs: goods, freight, and what is refused before it costs anything."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwind.alliance import Click, Commission, Commissions, Reserves
from fairwind.catalog import Channel, Offer
from fairwind.content import Placement
from fairwind.inventory import OutOfStock, OverBuyerLimit, Shelf, Stock
from fairwind.kernel import (
    ClickId,
    Fen,
    Invalid,
    LiveSessionId,
    NotFound,
    PersonId,
    PlanId,
    Ppm,
    ProductId,
    Refused,
    ShopId,
    SkuId,
    uuid7,
)
from fairwind.orders import LineDraft, OrderDraft, Placing
from fairwind.orders.order import LineTerms
from fairwind.orders.pricing import (
    FREE_FREIGHT,
    FreightRule,
    Market,
    OffShelf,
    PlacementMismatch,
    Priced,
    TotalChanged,
    price,
)
from fairwind.policy import ShopTerms, purse_of
from market import ADDRESS, order_id

NOW = datetime(2020, 6, 18, 12, tzinfo=UTC)
NOBODY = Commissions({(ProductId(product), PersonId(3)): "no_plan" for product in (101, 999)})
REGIONS = st.from_regex(r"[1-9][0-9]{5}", fullmatch=True)
RULES = st.builds(
    FreightRule,
    st.integers(0, 1_000_000),
    st.none() | st.integers(0, 10**6),
    st.dictionaries(st.from_regex(r"[1-9][0-9]{1,5}", fullmatch=True), st.integers(0, 1_000_000), max_size=8),
)


def offer(sku_id: int = 1, price_fen: int = 990, *, on_shelf: bool = True) -> Offer:
    return Offer(SkuId(sku_id), ProductId(100 + sku_id), "伞", "蓝", Fen(price_fen), Fen(price_fen + 1), on_shelf)


def shelf(*, limit: int | None = None, **stock: int) -> Shelf:
    return Shelf({SkuId(int(name[1:])): Stock(SkuId(int(name[1:])), left, 0, 0, limit) for name, left in stock.items()})


def want(
    *wanted: tuple[int, int], total_fen: int | None = None, placements: tuple[Placement | None, ...] | None = None
) -> Placing:
    lines = tuple(LineDraft(SkuId(sku_id), quantity) for sku_id, quantity in wanted)
    draft = OrderDraft(order_id(), lines, ADDRESS, total_fen)
    return Placing(PersonId(7), draft, placements or (None,) * len(wanted))


def placement(product_id: int) -> Placement:
    return Placement(LiveSessionId(uuid7(NOW)), ShopId(1), ProductId(product_id), PersonId(3), NOW)


def refused(outcome: Priced | Refused) -> Refused:
    assert isinstance(outcome, Refused)
    return outcome


def market(offers: Mapping[SkuId, Offer], rule: FreightRule, shelf: Shelf) -> Market:
    """A shop without campaigns, plans or kept stock."""
    terms = ShopTerms(Channel.OWN, 30, [], [], {})
    return Market(offers, rule, shelf, terms, purse_of(ShopId(1), []), 15 * 86_400, NOBODY, Reserves({}))


def priced_by(placing: Placing, offers: Mapping[SkuId, Offer], rule: FreightRule, shelf: Shelf) -> Priced | Refused:
    return price(placing, market(offers, rule, shelf), NOW)


class TestFreight:
    def test_the_longest_prefix_of_the_region_decides(self) -> None:
        rule = FreightRule(600, 9900, {"65": 2500, "6501": 1800, "650102": 0, "54": 3000})
        regions = ["650102", "650103", "652300", "540102", "110105"]
        assert [rule.freight_fen(Fen(100), region) for region in regions] == [0, 1800, 2500, 3000, 600]

    def test_a_region_pays_its_freight_whatever_the_goods_are_worth(self) -> None:
        rule = FreightRule(600, 9900, {"65": 2500})
        assert rule.freight_fen(Fen(10**9), "650102") == 2500

    def test_goods_worth_the_bound_travel_free_and_a_fen_less_pays(self) -> None:
        rule = FreightRule(600, 9900)
        assert rule.freight_fen(Fen(9899), "110105") == 600
        assert rule.freight_fen(Fen(9900), "110105") == 0

    def test_a_bound_of_nothing_is_free_for_all_and_no_bound_for_none(self) -> None:
        assert FreightRule(600, 0).freight_fen(Fen(0), "110105") == 0
        assert FreightRule(600, None).freight_fen(Fen(10**15), "110105") == 600

    def test_a_shop_without_a_rule_delivers_free(self) -> None:
        assert FREE_FREIGHT.freight_fen(Fen(1), "110105") == 0

    @given(RULES, st.integers(0, 2 * 10**6), REGIONS)
    def test_the_freight_is_the_rules_own_number_for_the_region(
        self, rule: FreightRule, goods_fen: int, region: str
    ) -> None:
        asked = rule.freight_fen(Fen(goods_fen), region)
        for length in range(6, 1, -1):
            if region[:length] in rule.regions:
                assert asked == rule.regions[region[:length]]
                return
        free = rule.free_from_fen is not None and goods_fen >= rule.free_from_fen
        assert asked == (0 if free else rule.flat_fen)

    @pytest.mark.parametrize(
        "body",
        [
            b'{"flat_fen": -1}',
            b'{"flat_fen": 1.5}',
            b'{"free_from_fen": -1}',
            b'{"regions": {"1": 5}}',
            b'{"regions": {"0110": 5}}',
            b'{"regions": {"1101055": 5}}',
            b'{"regions": {"11": -5}}',
            b'{"flat": 5}',
        ],
    )
    def test_a_rule_that_makes_no_sense_is_not_read(self, body: bytes) -> None:
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(body, type=FreightRule)


class TestPrice:
    def test_lines_keep_what_was_offered_and_the_total_is_goods_plus_freight(self) -> None:
        offers = {SkuId(1): offer(1, 990), SkuId(2): offer(2, 50)}
        priced = priced_by(want((2, 3), (1, 2)), offers, FreightRule(600), shelf(s1=9, s2=9))
        assert isinstance(priced, Priced)
        assert [(line.line_no, line.sku_id, line.quantity, line.goods_fen) for line in priced.lines] == [
            (1, 2, 3, 150),
            (2, 1, 2, 1980),
        ]
        assert (priced.goods_fen, priced.freight_fen, priced.total_fen) == (2130, 600, 2730)
        assert list(priced.goods.quantities.items()) == [(1, 2), (2, 3)]

    def test_a_sku_on_two_lines_is_looked_for_once(self) -> None:
        offers = {SkuId(1): offer()}
        assert isinstance(priced_by(want((1, 2), (1, 1)), offers, FREE_FREIGHT, shelf(s1=3)), Priced)
        refusal = refused(priced_by(want((1, 2), (1, 2)), offers, FREE_FREIGHT, shelf(s1=3)))
        assert isinstance(refusal, OutOfStock)
        assert refusal.more["available"] == 3

    def test_two_lines_together_meet_the_buyers_limit(self) -> None:
        refusal = priced_by(want((1, 2), (1, 2)), {SkuId(1): offer()}, FREE_FREIGHT, shelf(s1=9, limit=3))
        assert isinstance(refusal, OverBuyerLimit)

    def test_only_lines_of_limited_skus_count_towards_limits(self) -> None:
        stock = {SkuId(1): Stock(SkuId(1), 9, 0, 0, 5), SkuId(2): Stock(SkuId(2), 9, 0, 0, None)}
        offers = {SkuId(1): offer(1), SkuId(2): offer(2)}
        priced = priced_by(want((1, 1), (2, 1)), offers, FREE_FREIGHT, Shelf(stock))
        assert isinstance(priced, Priced)
        assert [line.limited for line in priced.lines] == [True, False]

    def test_what_the_shop_does_not_offer_is_refused(self) -> None:
        assert isinstance(priced_by(want((1, 1)), {}, FREE_FREIGHT, shelf(s1=1)), NotFound)
        off = {SkuId(1): offer(on_shelf=False)}
        assert isinstance(priced_by(want((1, 1)), off, FREE_FREIGHT, shelf(s1=1)), OffShelf)
        assert isinstance(priced_by(want((1, 1)), {SkuId(1): offer()}, FREE_FREIGHT, shelf()), NotFound)

    def test_a_placement_is_kept_on_its_line_and_is_only_good_for_its_product(self) -> None:
        offers = {SkuId(1): offer()}
        shown = placement(101)
        priced = priced_by(want((1, 1), placements=(shown,)), offers, FREE_FREIGHT, shelf(s1=1))
        assert isinstance(priced, Priced)
        assert priced.lines[0].live_session_id == shown.session_id
        assert priced.lines[0].creator_id == shown.creator_id
        refusal = priced_by(want((1, 1), placements=(placement(999),)), offers, FREE_FREIGHT, shelf(s1=1))
        assert isinstance(refusal, PlacementMismatch)

    def test_a_buyer_who_was_shown_another_total_is_told_the_new_one(self) -> None:
        rule, offers = FreightRule(600), {SkuId(1): offer()}
        assert isinstance(priced_by(want((1, 1), total_fen=1590), offers, rule, shelf(s1=1)), Priced)
        refusal = refused(priced_by(want((1, 1), total_fen=990), offers, rule, shelf(s1=1)))
        assert isinstance(refusal, TotalChanged)
        assert refusal.more == {"total_fen": 1590}

    def test_an_order_beyond_all_money_is_refused(self) -> None:
        offers = {SkuId(number): offer(number, 10_000_000_000) for number in range(1, 12)}
        stock = {f"s{number}": 9999 for number in range(1, 12)}
        eleven = want(*((number, 9999) for number in range(1, 12)))
        assert isinstance(priced_by(eleven, offers, FREE_FREIGHT, shelf(**stock)), Invalid)

    @given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 5)), min_size=1, max_size=6), st.integers(0, 12))
    def test_pricing_changes_nothing_on_the_shelf(self, wanted: list[tuple[int, int]], left: int) -> None:
        stock = shelf(**{f"s{number}": left for number in range(1, 5)})
        outcome = priced_by(want(*wanted), {SkuId(n): offer(n) for n in range(1, 5)}, FREE_FREIGHT, stock)
        totals = {sku: sum(q for s, q in wanted if s == sku) for sku, _ in wanted}
        assert isinstance(outcome, Priced) == (max(totals.values()) <= left)
        assert not any(stock.held.values())
        assert not any(stock.sold.values())
        assert not stock.crossed()


class TestWhoEarns:
    """Of one batch, in which the same placement is handed in again and again."""

    HOST = PersonId(3)
    PRODUCT = ProductId(101)

    def batch(self, *clicks: Click) -> Market:
        """A shop whose first product the host has picked."""
        earned = Commission(PlanId(5), 1, Ppm(200_000), None, Ppm(0), Ppm(100_000), None, Ppm(0), head=False)
        there = market({SkuId(1): offer()}, FREE_FREIGHT, shelf(s1=9))
        there.commissions = Commissions({(self.PRODUCT, self.HOST): earned})
        there.clicks = {click.id: click for click in clicks}
        return there

    def sold_on(self, there: Market, buyer_id: int, shown: Placement | None, *clicks: ClickId) -> LineTerms:
        draft = OrderDraft(order_id(), (LineDraft(SkuId(1), 1, None, clicks),), ADDRESS)
        priced = price(Placing(PersonId(buyer_id), draft, (shown,)), there, NOW)
        assert isinstance(priced, Priced)
        [terms] = priced.terms
        assert priced.lines[0].earner_id == terms.earner_id
        return terms

    def click(self, person_id: PersonId | None) -> Click:
        id = ClickId(uuid7(NOW))  # noqa: A001
        return Click(id, "code-0001", self.HOST, self.PRODUCT, NOW, 86_400, "last", person_id)

    def test_who_shows_goods_earns_of_others_who_buy_and_nothing_of_their_own_purchase(self) -> None:
        there, shown = self.batch(), placement(101)
        decided = [self.sold_on(there, buyer, shown) for buyer in (7, 3, 8, 3)]
        assert [(each.attribution, each.earner_id) for each in decided] == [
            ("placement", 3),
            ("own_purchase", None),
            ("placement", 3),
            ("own_purchase", None),
        ]
        assert [each.commission is None for each in decided] == [False, True, False, True]
        first = self.batch()
        assert self.sold_on(first, 3, shown).earner_id is None
        assert self.sold_on(first, 7, shown).earner_id == 3

    def test_who_buys_by_their_own_link_earns_nothing(self) -> None:
        click = self.click(None)
        there = self.batch(click)
        own, others = self.sold_on(there, 3, None, click.id), self.sold_on(there, 7, None, click.id)
        assert (own.attribution, own.earner_id, own.commission) == ("own_purchase", None, None)
        assert (others.attribution, others.earner_id) == ("last_click", 3)

    def test_a_click_of_somebody_else_who_was_signed_in_earns_nothing(self) -> None:
        click = self.click(PersonId(8))
        there = self.batch(click)
        decided = [self.sold_on(there, buyer, None, click.id) for buyer in (7, 8, 7)]
        assert [(each.attribution, each.earner_id) for each in decided] == [
            ("click_of_another", None),
            ("last_click", 3),
            ("click_of_another", None),
        ]
        evidence = decided[0].evidence
        assert evidence is not None
        assert evidence.clicks == (click,)
