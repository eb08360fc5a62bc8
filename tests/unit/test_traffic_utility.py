"""The prediction of utility: what holds whatever was counted, and numbers reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwind.kernel import Invalid
from fairwind.traffic.utility import (
    DEFAULTS,
    SETTINGS,
    STRENGTH_MAX,
    Affinity,
    Outcomes,
    Predictor,
    Prior,
    Rate,
    UtilitySettings,
    fitted,
    outcomes,
    shrunk,
    strength,
)

rates = st.floats(0, 1)
strengths = st.floats(1, 1e5)
any_number = st.floats(allow_nan=True, allow_infinity=True)


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


@st.composite
def counted(draw: st.DrawFn, size: int) -> list[list[int]]:
    """Sound counts of so many things: impressions, clicks, orders and watch time."""
    columns: list[list[int]] = [[], [], [], []]
    for _ in range(size):
        shown = draw(st.integers(0, 5000))
        clicked = draw(st.integers(0, shown))
        for column, value in zip(columns, (shown, clicked, draw(st.integers(0, clicked)), shown * 900), strict=True):
            column.append(value)
    return columns


priors = st.builds(
    Prior, st.builds(Rate, rates, strengths, strengths), st.builds(Rate, rates, strengths, strengths), st.floats(0, 1e5)
)


def one_item(prior: Prior, host: list[list[int]], item: list[list[int]]) -> float:
    return float(Predictor(prior, outcomes(*host), outcomes(*item), ints(0), ints(-1)).scores[0])


def test_a_score_is_as_a_reader_reckons_by_hand():
    """A host at 20 of 100 clicks with its prior, an item at 12 of 40, an order for each second of its 13 clicks."""
    prior = Prior(Rate(0.1, 10, 20), Rate(0.5, 4, 8), watch_ms=6000)
    host = outcomes([90], [19], [9], [90 * 6000])
    item = outcomes([20], [8], [4], [20 * 18_000])

    scores = Predictor(prior, host, item, ints(0), ints(0)).scores

    click = (8 + 20 * 0.2) / 40
    host_order = (9 + 4 * 0.5) / (19 + 4)
    order = (4 + 8 * host_order) / (8 + 8)
    watched = (20 * 18_000 + 20 * 6000) / 40 / 60_000
    assert click == 0.3
    assert watched == 0.2
    assert scores[0] == pytest.approx((click + 10 * click * order + watched) / 12)


def test_the_strength_is_as_a_reader_reckons_by_hand():
    """40 and 60 clicks of 100 each: S = 2, by chance 0.25, so γ = 1.75/24.75, and α + β = 1/γ − 1."""
    assert strength(np.array([40.0, 60]), np.array([100.0, 100]), ints(0, 0)) == pytest.approx(24.75 / 1.75 - 1)


def test_equal_rates_have_the_largest_strength_and_too_few_have_none():
    hundred = np.full(2, 100.0)
    assert strength(np.full(2, 50.0), hundred, ints(0, 0)) == pytest.approx(STRENGTH_MAX)
    assert strength(np.full(2, 50.0), hundred, ints(0, 1)) is None
    assert strength(np.zeros(2), hundred, ints(0, 0)) is None
    assert strength(np.zeros(0), np.zeros(0), ints()) is None
    assert strength(np.array([1.0, 0]), np.ones(2), ints(0, 0)) is None, "single trials tell rates, not how they differ"


@pytest.mark.parametrize("planted", [20.0, 200.0])
def test_a_planted_prior_is_found_again_for_hosts_and_for_items(planted):
    random = np.random.default_rng(3)
    of_host = random.beta(0.06 * planted, 0.94 * planted, 400)
    item_hosts = np.repeat(np.arange(400), 5).astype(np.int32)
    of_item = random.beta(of_host[item_hosts] * 300, (1 - of_host[item_hosts]) * 300)
    shown = random.integers(500, 3000, 2000)
    items = outcomes(shown, random.binomial(shown, of_item), np.zeros(2000))
    hosts = outcomes(*(np.bincount(item_hosts, column) for column in items))

    prior = fitted(hosts, items, item_hosts, np.ones(400, np.bool_), DEFAULTS)

    assert prior.click.mean == pytest.approx(0.06, rel=0.1)
    assert prior.click.host_strength == pytest.approx(planted, rel=0.35)
    assert prior.click.item_strength == pytest.approx(300, rel=0.35)


def test_shrunk_rates_are_nearer_the_truth_than_own_rates_and_than_the_mean():
    random = np.random.default_rng(4)
    truth = random.beta(2, 38, 1000)
    shown = random.integers(5, 400, 1000)
    counts = outcomes(shown, random.binomial(shown, truth), np.zeros(1000))
    prior = fitted(counts, counts, np.arange(1000, dtype=np.int32), np.ones(1000, np.bool_), DEFAULTS)

    predicted = shrunk(counts.clicks, counts.impressions, prior.click.mean, prior.click.host_strength)

    def error(rate: np.ndarray) -> float:
        return float(np.mean((rate - truth) ** 2))

    assert error(predicted) < 0.8 * min(error(counts.clicks / counts.impressions), error(np.full(1000, truth.mean())))


def test_hosts_that_are_not_mature_and_their_items_do_not_make_the_prior():
    hosts = outcomes([1000, 1000, 1000], [50, 60, 900], [5, 6, 900])
    alone = outcomes([1000, 1000], [50, 60], [5, 6])
    whole = fitted(hosts, hosts, ints(0, 1, 2), np.array([True, True, False]), DEFAULTS)

    assert whole == fitted(alone, alone, ints(0, 1), np.ones(2, np.bool_), DEFAULTS)
    assert whole == fitted(hosts, hosts, ints(0, 1, -1), np.array([True, True, False]), DEFAULTS)


def test_the_mean_is_that_of_hosts_and_not_of_impressions():
    """99 hosts click at 2 to 6 %, and one that has half of all impressions at 20 %."""
    rate = np.append(np.linspace(0.02, 0.06, 99), 0.2)
    shown = np.append(np.full(99, 10_000), 990_000)
    hosts = outcomes(shown, np.rint(rate * shown), np.zeros(100))
    prior = fitted(hosts, hosts, np.arange(100, dtype=np.int32), np.ones(100, np.bool_), DEFAULTS)
    assert prior.click.mean == pytest.approx(rate.mean(), rel=0.01)


def test_without_any_data_all_is_as_the_settings_say():
    nothing, none = outcomes([], [], []), np.empty(0, np.int32)
    prior = fitted(nothing, nothing, none, np.empty(0, np.bool_), DEFAULTS)
    predictor = Predictor(prior, nothing, nothing, none, none)

    assert prior == Prior(Rate(0.05, 50, 50), Rate(0.02, 50, 50), 5000)
    by_hand = (0.05 + 10 * 0.05 * 0.02 + 5 / 60) / 12
    assert predictor.predict(ints(-1, 0, 7)) == pytest.approx([by_hand] * 3)
    assert predictor.predict(none, np.ones(3, np.float32)).shape == (0,)


def test_what_was_never_shown_is_worth_as_much_as_its_host_and_a_new_host_as_the_mean():
    prior = Prior(Rate(0.1, 10, 20), Rate(0.2, 10, 20), 3000)
    hosts = outcomes([190, 0], [99, 0], [0, 0])
    items = outcomes([0, 0, 0], [0, 0, 0], [0, 0, 0])
    predictor = Predictor(prior, hosts, items, ints(0, 1, -1), ints(0, -1, 5))

    known, new, nobody = predictor.scores.tolist()

    order = 10 * 0.2 / (99 + 10)
    assert known == pytest.approx((0.5 + 10 * 0.5 * order + 20 * 3 / 210 / 60) / 12, rel=1e-5)
    assert new == nobody == predictor.predict(ints(99))[0]


@given(counted(1), st.floats(0.001, 0.999), strengths)
def test_a_shrunk_rate_lies_between_its_own_and_the_mean(counts, mean, of):
    shown, clicked, *_ = outcomes(*counts)
    rate = float(shrunk(clicked, shown, mean, of)[0])
    own = float(clicked[0] / shown[0]) if shown[0] else mean
    assert min(own, mean) - 1e-12 <= rate <= max(own, mean) + 1e-12


@given(priors, counted(1), counted(1), st.integers(1, 1000))
def test_more_clicks_never_lower_a_score(prior, host, item, more):
    item[0][0] += more
    lifted = [item[0], [item[1][0] + more], item[2], item[3]]
    assert one_item(prior, host, lifted) >= one_item(prior, host, item) * (1 - 1e-6)


@given(priors, counted(1), st.integers(1, 1000))
def test_more_clicks_never_lower_a_score_either_when_they_count_for_the_host_too(prior, item, more):
    """As long as a click is worth more than the orders that the host gets of it."""
    dear = UtilitySettings(click_weight=10, order_weight=10)
    item[0][0] += more

    def score(clicks: int) -> float:
        counts = outcomes(item[0], [clicks], item[2], item[3])
        return float(Predictor(prior, counts, counts, ints(0), ints(-1), dear).scores[0])

    assert score(item[1][0] + more) >= score(item[1][0]) * (1 - 1e-6)


@given(priors, counted(1), counted(1), st.integers(0, 50), st.integers(0, 10**6))
def test_more_orders_or_watch_time_never_lower_a_score(prior, host, item, orders, watch_ms):
    more = [item[0], item[1], [item[2][0] + orders], [item[3][0] + watch_ms]]
    assert one_item(prior, host, more) >= one_item(prior, host, item) * (1 - 1e-6)


@given(st.lists(st.tuples(any_number, any_number, any_number, any_number), min_size=1, max_size=5))
def test_whatever_is_counted_a_score_is_a_number_from_0_to_1(rows):
    counts = outcomes(*np.array(rows, np.float64).T)
    owners = np.arange(len(rows), dtype=np.int32)
    prior = fitted(counts, counts, owners, np.ones(len(rows), np.bool_), DEFAULTS)

    scores = Predictor(prior, counts, counts, owners, owners).predict(owners, np.full(3, 3, np.float32))

    assert np.all(counts.clicks <= counts.impressions)
    assert np.all(counts.orders <= counts.clicks)
    assert scores.dtype == np.float32
    assert np.all((scores >= 0) & (scores <= 1))


def test_more_clicks_than_impressions_count_as_impressions():
    assert outcomes([3, 0], [9, 4], [5, 4], [100, 100])[:3] == pytest.approx(np.array([[3, 0], [3, 0], [3, 0]]))
    assert outcomes([0], [0], [0], [100]).watch_ms == 0


def test_taste_multiplies_the_score_of_its_category_and_an_unknown_one_stays():
    prior = Prior(Rate(0.1, 10, 20), Rate(0.2, 10, 20), 3000)
    counts = outcomes([0] * 4, [0] * 4, [0] * 4)
    predictor = Predictor(prior, counts, counts, ints(0, 1, 2, 3), ints(0, 1, -1, 2))

    scores = predictor.predict(ints(3, 2, 1, 0, 9), np.array([2, 0.5], np.float32))

    assert scores / predictor.scores[0] == pytest.approx([1, 1, 0.5, 2, 1])
    assert predictor.predict(ints(0), np.array([1e9], np.float32)) == [1]
    assert predictor.scores[0] == pytest.approx((0.1 + 10 * 0.02 + 0.05) / 12), "a request changes nothing"


def viewer(*rows: tuple[int, int, int]) -> Outcomes:
    return outcomes(*np.array(rows).T)


EVERYONE = viewer((10**9, 10**8, 0), (10**9, 10**8, 0), (10**9, 10**8, 0))


def test_taste_is_as_a_reader_reckons_by_hand():
    """All click one in ten. 20 clicks of 100 here and 10 of 200 there are as many as expected of this viewer."""
    factors = Affinity(EVERYONE).of(viewer((100, 20, 0), (200, 10, 0), (0, 0, 0)))
    assert factors == pytest.approx([(20 + 5) / (10 + 5), (10 + 5) / (20 + 5), 1])
    assert factors.dtype == np.float32


def test_an_order_tells_as_much_of_taste_as_five_clicks():
    affinity = Affinity(EVERYONE)
    by_order = affinity.of(viewer((100, 5, 3), (100, 5, 0), (0, 0, 0)))
    assert by_order == pytest.approx(affinity.of(viewer((100, 20, 0), (100, 5, 0), (0, 0, 0))))


def test_who_clicks_twice_as_much_everywhere_has_no_taste():
    assert Affinity(EVERYONE).of(viewer(*[(1000, 200, 0)] * 3)) == pytest.approx([1] * 3, rel=0.02)
    assert Affinity(EVERYONE).of(viewer(*[(0, 0, 0)] * 3)).tolist() == [1, 1, 1]
    assert Affinity(viewer((0, 0, 0))).of(viewer((0, 0, 0))).tolist() == [1]


@given(counted(3), counted(3), st.integers(0, 2), st.integers(1, 500))
def test_taste_is_bounded_and_rises_with_clicks(everyone, counts, category, more):
    affinity = Affinity(outcomes(*everyone))
    counts[0][category] += more
    before = affinity.of(outcomes(*counts))
    counts[1][category] += more
    after = affinity.of(outcomes(*counts))

    assert np.all((before >= np.float32(1 / 3)) & (before <= 3))
    assert after[category] >= before[category] * (1 - 1e-6)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"order_weight": -1.0}, "order_weight must be from 0 to 1000 (points), not -1.0"),
        ({"watch_full_s": 0.0}, "watch_full_s must be above 0 to 86400 (seconds), not 0.0"),
        ({"affinity_max": float("nan")}, "affinity_max must be from 1 to 100 (factor), not nan"),
        (
            {"click_weight": 0.0, "watch_weight": 0.0, "order_weight": 0.0},
            "one of click_weight, watch_weight and order_weight must be above 0 (points)",
        ),
    ],
)
def test_a_wrong_setting_is_refused_by_name_range_and_unit(values, told):
    with pytest.raises(Invalid) as refused:
        UtilitySettings(**values)
    assert refused.value.detail == told


def test_every_setting_has_a_description_and_a_unit():
    assert [setting.name for setting in SETTINGS] == list(UtilitySettings.__struct_fields__)
    assert all(setting.description and setting.unit and setting.range for setting in SETTINGS)
