"""Which rule decides what the platform asks of a sale, and the words for it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwind.catalog import Channel
from fairwind.kernel import CategoryId, Fen, Ppm
from fairwind.kernel.rates import FEE_PPM_MAX
from fairwind.policy import NO_FEE, Fee, FeeRule, ShopTerms, reason_of
from fairwind.policy.comparison import compare
from fairwind.policy.fees import base_rule
from fairwind.policy.programme import CategorySupport, Conditions, GrowthTier, NewMerchant, Programme, Support, supports
from fairwind.policy.quote import NO_PLACE, Place, quote

NOW = datetime(2020, 6, 18, 12, tzinfo=UTC)
BEGUN = datetime(2020, 5, 31, 16, tzinfo=UTC)
CATEGORIES = st.sampled_from([CategoryId(number) for number in range(1, 6)])
MAYBE = st.none() | CATEGORIES
PPM = st.integers(0, FEE_PPM_MAX).map(Ppm)
AGES = st.integers(0, 400)
OPEN = CategorySupport()
GROWTH = GrowthTier(Fen(10_000_000), 30, 30)


def rule(
    id: int,  # noqa: A002
    rate_ppm: int,
    category_id: int | None = None,
    ages: tuple[int, int | None] = (0, None),
    channel: Channel = Channel.OWN,
) -> FeeRule:
    return FeeRule(id, 1, channel, None if category_id is None else CategoryId(category_id), *ages, Ppm(rate_ppm))


def programme(
    id: int,  # noqa: A002
    rate_ppm: int,
    conditions: Conditions = OPEN,
    *,
    categories: tuple[int, ...] = (),
    channels: tuple[Channel, ...] = (Channel.OWN,),
    ends_at: datetime | None = None,
) -> Programme:
    ids = tuple(map(CategoryId, categories))
    return Programme(
        id, f"p{id}", 1, f"support {id}", f"扶持 {id}", Ppm(rate_ppm), channels, ids, conditions, BEGUN, ends_at, BEGUN
    )


@st.composite
def schedules(draw: st.DrawFn) -> list[FeeRule]:
    """The rules of one channel: for each category some, and for any category all, apart in age."""
    rules: list[FeeRule] = []
    for category_id in [None, *draw(st.lists(CATEGORIES, unique=True))]:
        bounds = [0, *sorted(draw(st.sets(st.integers(1, 300), max_size=3)))]
        bands = list(zip(bounds, [*bounds[1:], None], strict=True))
        if category_id is not None:
            bands = draw(st.lists(st.sampled_from(bands), unique=True))
        rules += [rule(len(rules) + number, draw(PPM), category_id, band) for number, band in enumerate(bands, 1)]
    return draw(st.permutations(rules))


@given(schedules(), MAYBE, MAYBE, AGES, st.randoms(use_true_random=False))
def test_one_rule_decides_whatever_order_the_rules_come_in(
    rules: list[FeeRule], category_id: CategoryId | None, parent_id: CategoryId | None, age: int, random: object
) -> None:
    shuffled = list(rules)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    found = base_rule(rules, category_id, parent_id, age)

    assert found is not None
    assert found.fits_age(age)
    assert base_rule(shuffled, category_id, parent_id, age) == found


@given(schedules(), MAYBE, MAYBE, AGES)
def test_the_category_goes_before_its_parent_and_that_before_none(
    rules: list[FeeRule], category_id: CategoryId | None, parent_id: CategoryId | None, age: int
) -> None:
    found = base_rule(rules, category_id, parent_id, age)

    fitting = [each.category_id for each in rules if each.fits_age(age)]
    [first, *_] = [each for each in (category_id, parent_id, None) if each in fitting]
    assert found is not None
    assert found.category_id == first


@given(schedules(), st.lists(PPM, max_size=4), AGES)
def test_a_support_decides_only_when_it_asks_for_less_and_the_lowest_one_then(
    rules: list[FeeRule], rates: list[Ppm], age: int
) -> None:
    rights = [Support(programme(1000 + number, rate), None) for number, rate in enumerate(rates)]
    base = base_rule(rules, None, None, age)
    assert base is not None

    fee = ShopTerms(Channel.OWN, age, rules, rights, {}).fee(None, None)

    assert fee.rate_ppm == min([base.rate_ppm, *rates])
    assert (fee.rule_id == base.id) == (base.rate_ppm <= min(rates, default=base.rate_ppm))
    if fee.rule_id >= 1000:
        assert fee.rule_id == 1000 + rates.index(fee.rate_ppm), "of equal rates the programme made first"


def test_a_support_reaches_the_goods_of_its_categories_and_of_their_children() -> None:
    rights = [Support(programme(11, 5_000, categories=(7,)), None)]
    terms = ShopTerms(Channel.OWN, 200, [rule(1, 20_000)], rights, {})

    assert terms.fee(CategoryId(7), None) == Fee(Ppm(5_000), 11)
    assert terms.fee(CategoryId(8), CategoryId(7)) == Fee(Ppm(5_000), 11)
    assert terms.fee(CategoryId(8), CategoryId(9)) == Fee(Ppm(20_000), 1)
    assert terms.fee(None, None) == Fee(Ppm(20_000), 1)


def test_before_the_first_schedule_nothing_is_asked() -> None:
    rights = [Support(programme(11, 5_000), None)]

    assert ShopTerms(Channel.OWN, 3, [], rights, {}).fee(None, None) == NO_FEE
    assert quote(ShopTerms(Channel.OWN, 3, [], [], {}), Fen(100), NO_PLACE, NOW).fee_fen == 0


@pytest.mark.parametrize(("channel", "seller"), [(Channel.SUPPLIER, "supplier"), (Channel.YOUZAN, "shop")])
def test_who_sells_follows_from_the_channel(channel: Channel, seller: str) -> None:
    assert ShopTerms(channel, 0, [], [], {}).seller == seller


def test_a_window_of_the_category_goes_before_that_of_its_parent() -> None:
    child, parent, other = CategoryId(2), CategoryId(1), CategoryId(3)
    terms = ShopTerms(Channel.OWN, 0, [], [], {child: 0, parent: 7 * 86_400, other: None})

    assert terms.window_s(child, parent) == 0
    assert terms.window_s(other, parent) == 7 * 86_400
    assert terms.window_s(parent, None) == 7 * 86_400
    assert terms.window_s(other, None) is None
    assert terms.window_s(None, None) is None


# Rights to support programmes.


@pytest.mark.parametrize(
    ("now", "has"),
    [
        (datetime(2020, 6, 30, 15, 59, 59, tzinfo=UTC), True),
        (datetime(2020, 6, 30, 16, tzinfo=UTC), False),
    ],
)
def test_a_new_merchant_is_new_until_midnight_in_china_after_its_first_days(now: datetime, has: bool) -> None:
    found = supports([programme(11, 10_000, NewMerchant(90))], Channel.OWN, date(2020, 4, 2), {}, now)

    assert bool(found) == has
    assert [support.until for support in found] == [datetime(2020, 6, 30, 16, tzinfo=UTC)] * has


def test_a_support_that_has_to_be_earned_is_for_those_who_did_and_ends_with_the_programme() -> None:
    tier = programme(13, 15_000, GROWTH, ends_at=NOW + timedelta(days=3))

    def until(enrolled_until: dict[int, datetime]) -> list[datetime | None]:
        return [each.until for each in supports([tier], Channel.OWN, date(2020, 1, 1), enrolled_until, NOW)]

    assert until({}) == []
    assert until({13: NOW + timedelta(days=2)}) == [NOW + timedelta(days=2)]
    assert until({13: NOW + timedelta(days=9)}) == [NOW + timedelta(days=3)]
    assert until({13: NOW}) == []


def test_a_support_is_for_its_channels_and_its_time() -> None:
    ended = programme(1, 0, ends_at=NOW)
    to_come = programme(2, 0)
    elsewhere = programme(3, 0, channels=(Channel.YOUZAN,))

    assert supports([ended, elsewhere], Channel.OWN, date(2020, 1, 1), {}, NOW) == []
    assert supports([to_come], Channel.OWN, date(2020, 1, 1), {}, BEGUN - timedelta(seconds=1)) == []


# Quotes.


@given(schedules(), PPM, AGES, st.integers(0, 10**15))
def test_a_quote_rounds_the_fee_down(rules: list[FeeRule], rate: Ppm, age: int, amount_fen: int) -> None:
    terms = ShopTerms(Channel.OWN, age, rules, [Support(programme(99, rate), None)], {})

    answer = quote(terms, Fen(amount_fen), NO_PLACE, NOW)

    assert answer.rate_ppm == terms.fee(None, None).rate_ppm
    assert 0 <= amount_fen * answer.rate_ppm - answer.fee_fen * 1_000_000 < 1_000_000


def test_a_quote_says_why_in_both_languages() -> None:
    new = Programme(
        11, "new-merchant", 1, "new-merchant support", "新商家扶持", Ppm(10_000), (Channel.OWN,), (), NewMerchant(90),
        BEGUN, None, BEGUN,
    )  # fmt: skip
    rights = supports([new], Channel.OWN, date(2020, 4, 2), {}, NOW)

    answer = quote(ShopTerms(Channel.OWN, 77, [rule(1, 20_000)], rights, {}), Fen(9_999), NO_PLACE, NOW)

    assert (answer.fee_fen, answer.rate_ppm, answer.rule_id) == (99, 10_000, 11)
    assert answer.reason_en == "new-merchant support, until 2020-07-01"
    assert answer.reason_zh == "新商家扶持，至 2020-07-01"


def test_the_words_of_a_base_rule_name_all_that_it_depends_on() -> None:
    place = Place(CategoryId(8), "被枕", CategoryId(7), "居家")
    terms = ShopTerms(Channel.YOUZAN, 40, [rule(1, 80_000, 7, (30, 90), Channel.YOUZAN)], [], {})

    answer = quote(terms, Fen(100), place, NOW)

    assert answer.reason_en == (
        "service fee of Youzan shops, category 居家, from 30 days of age, below 90 days of age, schedule 1"
    )
    assert answer.reason_zh == "有赞店铺技术服务费，居家类目，开店满 30 天，开店不满 90 天，费率表第 1 版"
    assert answer.until is None


def test_the_words_of_a_programme_without_an_end_name_no_day() -> None:
    assert reason_of(programme(5, 1)).en == "support 5"
    assert reason_of(programme(5, 1), NOW).zh == "扶持 5，至 2020-06-18"


# The comparison of channels.

ARTICLE = [
    rule(1, 20_000),
    rule(2, 80_000, channel=Channel.YOUZAN),
    rule(3, 80_000, channel=Channel.MOKUAI),
    rule(4, 20_000, channel=Channel.SUPPLIER),
]


def test_the_same_good_nets_most_through_a_new_shop_of_the_platforms_own() -> None:
    found = compare(
        Fen(10_000), Ppm(100_000), NO_PLACE, ARTICLE, [programme(11, 10_000, NewMerchant(90))], NOW
    )  # fmt: skip

    assert [(row.channel.value, row.new, row.fee_fen, row.commission_fen, row.net_fen) for row in found.rows] == [
        ("own", True, 100, 1_000, 8_900),
        ("own", False, 200, 1_000, 8_800),
        ("supplier", False, 200, 1_000, 8_800),
        ("youzan", False, 800, 1_000, 8_200),
        ("mokuai", False, 800, 1_000, 8_200),
    ]


@given(st.integers(1, 10**15), st.integers(0, 900_000), st.lists(PPM, min_size=4, max_size=4), PPM)
def test_what_a_channel_nets_is_the_price_less_what_is_taken_and_never_below_zero(
    price_fen: int, commission_ppm: int, rates: list[Ppm], rate: Ppm
) -> None:
    rules = [
        rule(number, ppm, channel=channel) for number, (channel, ppm) in enumerate(zip(Channel, rates, strict=True))
    ]

    found = compare(
        Fen(price_fen), Ppm(commission_ppm), NO_PLACE, rules, [programme(99, rate, NewMerchant(9))], NOW
    ).rows

    assert all(row.net_fen + row.fee_fen + row.commission_fen == price_fen for row in found)
    assert all(row.net_fen >= 0 for row in found)
    assert [row.net_fen for row in found] == sorted((row.net_fen for row in found), reverse=True)
    assert {row.channel for row in found if not row.new} == set(Channel)
