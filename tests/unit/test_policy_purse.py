"""The purse that a batch works on: budgets and caps to the fen, whatever comes in whatever order."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwind.kernel import CampaignId, CategoryId, Fen, PersonId, Ppm, ProductId, ShopId, SkuId
from fairwind.policy.campaign import Rule, Scope, Terms
from fairwind.policy.purse import Grant, Pot, Purse, Ware, tranche_fen
from market import NOW

SHOP = ShopId(5)
BUYERS = [PersonId(7), PersonId(8)]
FUNDERS = (0, 11)


def terms(
    rule: Rule | None = None, order_max_fen: int | None = None, buyer_max_fen: int | None = None, **rest: Any
) -> Terms:
    values: dict[str, Any] = {"scope": Scope(), "guard_days": 0, **rest}
    rule = rule or Rule(piece_fen=Fen(10))
    return Terms(rule=rule, order_max_fen=order_max_fen, buyer_max_fen=buyer_max_fen, **values)  # type: ignore[arg-type]


def ware(price_fen: int = 100, quantity: int = 1, sku_id: int = 1) -> Ware:
    return Ware(SkuId(sku_id), ProductId(sku_id), CategoryId(3), CategoryId(2), Fen(price_fen), quantity)


def purse(*campaigns: tuple[Terms, int], rest: int = 0, caps: dict[Any, int] | None = None) -> Purse:
    """A purse of campaigns with one funder, each with what is left; ids from 1."""
    return Purse(
        SHOP,
        {CampaignId(number): each for number, (each, _) in enumerate(campaigns, 1)},
        {(CampaignId(n), 0): Pot(left, rest, share_ppm=1_000_000) for n, (_, left) in enumerate(campaigns, 1)},
        caps,
    )


def amounts(found: list[tuple[Grant, ...]]) -> list[int]:
    return [sum(grant.amount_fen for grant in grants) for grants in found]


RULES = st.one_of(
    st.builds(Rule, rate_ppm=st.integers(1, 1_000_000), piece_max_fen=st.none() | st.integers(1, 200)),
    st.builds(Rule, piece_fen=st.integers(1, 200), piece_max_fen=st.none() | st.integers(1, 200)),
)
CAPS = st.none() | st.integers(1, 300)
TERMS = st.builds(terms, RULES, CAPS, CAPS)
LINES = st.lists(st.builds(ware, st.integers(1, 200), st.integers(1, 3), st.integers(1, 4)), min_size=1, max_size=3)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["order", "order", "give back", "part back", "again", "draw"]),
        st.sampled_from(BUYERS),
        LINES,
        st.integers(0, 99),
    ),
    max_size=25,
)


@given(RULES, st.integers(1, 10**6), st.integers(1, 99))
def test_a_rule_leaves_the_buyer_at_least_a_fen_and_keeps_its_most_per_piece(rule: Rule, price: int, many: int) -> None:
    amount = rule.amount_fen(Fen(price), many)

    assert 0 <= amount < price * many
    assert amount <= (rule.piece_max_fen or amount) * many
    for_each = rule.piece_fen if rule.rate_ppm is None else price * rule.rate_ppm // 1_000_000
    assert for_each is not None
    assert amount == min(min(for_each, rule.piece_max_fen or for_each) * many, price * many - 1)


@given(
    st.lists(TERMS, min_size=1, max_size=3),
    st.integers(1, 999_999),
    st.lists(st.integers(0, 800), min_size=6, max_size=6),
    STEPS,
)
def test_any_interleaving_keeps_every_pot_and_cap_and_the_parts_sum_to_the_whole(
    campaigns: list[Terms], share: int, budgets: list[int], steps: list[tuple[str, PersonId, list[Ware], int]]
) -> None:
    by_id = {CampaignId(number): each for number, each in enumerate(campaigns, 1)}
    shares = dict(zip(FUNDERS, (share, 1_000_000 - share), strict=True))
    keys = [(campaign_id, funder) for campaign_id in by_id for funder in FUNDERS]
    budget = dict(zip(keys, budgets, strict=False))
    pots = {key: Pot(0, budget[key], share_ppm=shares[key[1]], in_base=key[1] == 0) for key in keys}
    caps = {(id, buyer): t.buyer_max_fen for id, t in by_id.items() for buyer in BUYERS if t.buyer_max_fen}  # noqa: A001
    opened = Purse(SHOP, by_id, pots, dict(caps))
    spent: Counter[Any] = Counter()
    got: Counter[Any] = Counter()
    had: list[tuple[PersonId, list[Grant]]] = []
    gone: list[tuple[PersonId, list[Grant]]] = []

    def count(buyer: PersonId, grants: list[Grant], sign: int) -> None:
        for grant in grants:
            spent[grant.campaign_id, grant.funder_id] += sign * grant.amount_fen
            got[grant.campaign_id, buyer] += sign * grant.amount_fen

    for what, buyer, lines, which in steps:
        if what == "draw":
            needs = opened.needs([(buyer, lines)])
            short = opened.short(needs)
            opened.reach({key: pots[key].rest_fen for key in keys if key[0] in short})
            opened.draw_ahead(needs)
        elif what == "order":
            found = opened.grants(buyer, lines)
            _check_order(by_id, shares, lines, found)
            grants = [grant for each in found for grant in each]
            assert opened.take(buyer, grants), "what is granted can be taken"
            count(buyer, grants, +1)
            had.append((buyer, grants))
        elif what == "again" and gone:
            whose, grants = gone.pop(which % len(gone))
            if opened.take(whose, grants):
                count(whose, grants, +1)
                had.append((whose, grants))
        elif what in ("give back", "part back") and had:
            whose, grants = had.pop(which % len(had))
            if what == "part back":
                part = [Grant(g.campaign_id, g.funder_id, Fen(g.amount_fen // 2), g.in_base) for g in grants]
                rest = [
                    Grant(g.campaign_id, g.funder_id, Fen(g.amount_fen - p.amount_fen), g.in_base)
                    for g, p in zip(grants, part, strict=True)
                ]
                had.append((whose, rest))
                grants = part
            opened.give_back(whose, grants)
            count(whose, grants, -1)
            gone.append((whose, grants))

        for key, pot in pots.items():
            drawn = budget[key] - pot.rest_fen
            assert pot.spent_fen - pot.given_back_fen == spent[key]
            assert 0 <= spent[key] <= drawn <= budget[key]
            assert (pot.left_fen, pot.drawn_fen) == (drawn - spent[key], drawn)
        for key, cap in caps.items():
            assert 0 <= got[key] <= cap
            assert opened.caps[key] == cap - got[key]
            assert opened.received[key] == got[key]


def _check_order(
    by_id: dict[CampaignId, Terms], shares: dict[int, int], lines: list[Ware], found: list[tuple[Grant, ...]]
) -> None:
    by_campaign: dict[CampaignId, int] = defaultdict(int)
    for line, grants in zip(lines, found, strict=True):
        if not grants:
            continue
        [campaign_id] = {grant.campaign_id for grant in grants}
        amount = sum(grant.amount_fen for grant in grants)
        by_campaign[campaign_id] += amount
        assert (
            0 < amount <= by_id[campaign_id].amount_fen(line.price_fen, line.quantity) < line.price_fen * line.quantity
        )
        assert [grant.funder_id for grant in grants] == sorted({grant.funder_id for grant in grants})
        for grant in grants:
            assert abs(grant.amount_fen * 1_000_000 - amount * shares[grant.funder_id]) < 1_000_000
    for campaign_id, amount in by_campaign.items():
        assert amount <= (by_id[campaign_id].order_max_fen or amount)


@given(st.integers(0, 10**9), st.integers(1, 10**6), st.integers(0, 10**9))
def test_a_tranche_covers_what_is_lacking_with_a_small_part_of_the_rest_or_is_nothing(
    lacking: int, need: int, rest: int
) -> None:
    lacking = 1 + lacking % need
    drawn = tranche_fen(lacking, need, rest)

    assert drawn == 0 or lacking <= drawn <= min(64 * need, rest // 64)
    assert drawn > 0 or rest // 64 < lacking


def test_what_is_spent_beyond_what_the_shop_has_is_drawn_of_a_rest_that_is_at_hand_and_no_more() -> None:
    opened = purse((terms(), 15), rest=40)
    pot = opened.pots[CampaignId(1), 0]
    assert amounts(opened.grants(BUYERS[0], [ware()] * 3)) == [10, 0, 0], "the rest is not locked"

    opened.reach({(CampaignId(1), 0): 30})
    opened.draw_ahead({(CampaignId(1), 0): 9_999})
    assert pot.drawn_fen == 0, "nothing for orders that may be refused"
    found = opened.grants(BUYERS[0], [ware()] * 5)
    assert amounts(found) == [10, 10, 10, 10, 0]
    assert opened.take(BUYERS[0], [grant for grants in found for grant in grants])
    assert (pot.drawn_fen, pot.left_fen, pot.rest_fen) == (25, 0, 5)


def test_nothing_is_taken_from_a_campaign_whose_period_is_over_and_what_was_given_comes_back() -> None:
    ended, runs = (Pot(99, 0, share_ppm=1_000_000, ends_at=NOW + timedelta(seconds=after)) for after in (0, 1))
    opened = Purse(SHOP, {}, {(CampaignId(1), 0): ended, (CampaignId(2), 0): runs})
    opened.close(NOW)
    first, second = (Grant(CampaignId(number), 0, Fen(5), True) for number in (1, 2))

    assert not opened.take(BUYERS[0], [first])
    assert not opened.take(BUYERS[0], [second, first]), "all or nothing"
    assert opened.take(BUYERS[0], [second])
    opened.give_back(BUYERS[0], [first])
    assert (ended.spent_fen, ended.given_back_fen, runs.spent_fen) == (0, 5, 5)


def test_the_campaign_that_gives_most_pays_and_of_equal_ones_the_lower_id() -> None:
    small, large = terms(Rule(piece_fen=Fen(10))), terms(Rule(piece_fen=Fen(30)))

    assert purse((small, 99), (large, 99)).grants(BUYERS[0], [ware()])[0][0].campaign_id == 2
    assert purse((large, 99), (large, 99)).grants(BUYERS[0], [ware()])[0][0].campaign_id == 1
    assert purse((small, 99), (large, 29)).grants(BUYERS[0], [ware()])[0][0].campaign_id == 1


def test_a_cap_that_is_nearly_reached_makes_another_campaign_give_more() -> None:
    capped, plain = terms(Rule(piece_fen=Fen(30)), buyer_max_fen=30), terms(Rule(piece_fen=Fen(10)))
    opened = purse((capped, 99), (plain, 99), caps={(CampaignId(1), BUYERS[0]): 5, (CampaignId(1), BUYERS[1]): 15})

    assert amounts(opened.grants(BUYERS[0], [ware()])) == [10]
    assert amounts(opened.grants(BUYERS[1], [ware()])) == [15]


def test_lines_of_an_order_share_its_caps_and_the_pot() -> None:
    assert amounts(purse((terms(order_max_fen=25), 99)).grants(BUYERS[0], [ware()] * 4)) == [10, 10, 5, 0]
    assert amounts(purse((terms(), 25)).grants(BUYERS[0], [ware()] * 4)) == [10, 10, 0, 0]


def test_granting_changes_nothing_until_it_is_taken() -> None:
    opened = purse((terms(), 10))

    first, second = opened.grants(BUYERS[0], [ware()]), opened.grants(BUYERS[1], [ware()])
    assert first == second
    assert opened.take(BUYERS[0], first[0])
    assert not opened.take(BUYERS[1], second[0])
    assert opened.grants(BUYERS[1], [ware()]) == [()]
    opened.give_back(BUYERS[0], first[0])
    assert opened.take(BUYERS[1], second[0])


def test_the_part_of_a_funder_who_has_stopped_stays_with_the_buyer() -> None:
    pots = {
        (CampaignId(1), 0): Pot(99, 0, share_ppm=500_000),
        (CampaignId(1), 11): Pot(99, 0, share_ppm=500_000, stopped=True),
    }
    opened = Purse(SHOP, {CampaignId(1): terms()}, pots)

    assert opened.grants(BUYERS[0], [ware()]) == [(Grant(CampaignId(1), 0, Fen(5), True),)]
    assert not opened.take(BUYERS[0], [Grant(CampaignId(1), 11, Fen(5), True)])
    opened.give_back(BUYERS[0], [Grant(CampaignId(1), 11, Fen(5), True)])
    assert pots[CampaignId(1), 11].given_back_fen == 5


@pytest.mark.parametrize(("lowest", "expected"), [(100, [10]), (99, [0]), (None, [0])])
def test_a_price_above_the_lowest_gets_nothing_and_neither_does_a_new_one(
    lowest: int | None, expected: list[int]
) -> None:
    opened = purse((terms(guard_days=30), 99))
    assert opened.guarded([ware()]) == {30: {1}}
    if lowest is not None:
        opened.told(30, {SkuId(1): Fen(lowest)})

    assert amounts(opened.grants(BUYERS[0], [ware()])) == expected
    assert opened.price_known(CampaignId(1), ware()) is (lowest is not None)


def test_a_pot_without_a_rest_is_not_asked_for_more() -> None:
    opened = purse((terms(), 5))
    needs = opened.needs([(BUYERS[0], [ware()])])

    assert needs == {(1, 0): 10}
    assert opened.short(needs) == set()
    assert purse((terms(), 5), rest=1).short(needs) == {1}


def test_an_empty_purse_is_false() -> None:
    assert not purse()
    assert purse((terms(), 0))


def test_a_budget_counts_the_share_of_each_funder() -> None:
    pots = {(CampaignId(1), f): Pot(99, 0, share_ppm=s) for f, s in ((0, Ppm(333_333)), (11, Ppm(666_667)))}
    [grants] = Purse(SHOP, {CampaignId(1): terms()}, pots).grants(BUYERS[0], [ware()])

    assert [(grant.funder_id, grant.amount_fen) for grant in grants] == [(0, 3), (11, 7)]
