"""The allocator and its prices: what holds whatever the numbers, and the answers to bad input."""

from __future__ import annotations

import threading
from functools import reduce
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fairwind.kernel import Invalid
from fairwind.traffic import (
    NOTHING,
    SETTINGS,
    Allocator,
    Count,
    Delta,
    Exposure,
    Leader,
    Limit,
    PriceSnapshot,
    TrafficPolicy,
    Why,
    delta,
    explain_period,
    explain_request,
    merged,
    policy_of,
    shown,
    unpriced,
)
from fairwind.traffic.counts import IMPRESSIONS
from fairwind.traffic.maxmin import projected
from fairwind.traffic.measures import dcg_weights
from fairwind.traffic.prices import gini_gradient
from fairwind.traffic.projection import decreasing_fit, project
from fairwind.traffic.stages import TRANSITIONS, Action, Reason, Stage, decide, rate_low

F = np.float32
FREE = TrafficPolicy(utility_loss_max=1.0)
POLICIES = st.sampled_from(
    [
        TrafficPolicy(utility_loss_max=loss, slot_values=values, retries_max=retries, exposure_unit=unit)
        for loss in (0.0, 0.05, 0.3, 1.0)
        for values in ("equal", "dcg")
        for retries in (0, 3)
        for unit in ("impressions", "utility")
    ]
)


def prices(values: NDArray[np.floating] | list[float], *, per_utility: bool = False, version: int = 1) -> PriceSnapshot:
    """Prices all of whose parts are welfare."""
    price = np.append(np.asarray(values, F), F(0))
    zero = np.zeros_like(price)
    return PriceSnapshot(price, price, zero, zero, zero, version, 0.0, per_utility)


def scores(*values: float) -> NDArray[np.float32]:
    return np.array(values, F)


def owners(*values: int) -> NDArray[np.int32]:
    return np.array(values, np.int32)


@st.composite
def requests(draw: st.DrawFn, hosts: int = 8) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    n = draw(st.integers(1, 30))
    utilities = draw(st.lists(st.integers(0, 64), min_size=n, max_size=n))
    of = draw(st.lists(st.integers(0, hosts - 1), min_size=n, max_size=n))
    return np.array(utilities, F) / 64, np.array(of, np.int32)


PRICES = st.lists(st.integers(-64, 64), min_size=8, max_size=8).map(lambda values: np.array(values, F) / 64)
BAD_SCORES = st.lists(
    st.sampled_from([0.0, -1.0, 0.5, 1.0, 1e-45, 1e-38, 3e38, np.nan, np.inf, -np.inf]), min_size=0, max_size=12
)


# The guard.


@given(request=requests(), price=PRICES, policy=POLICIES, k=st.integers(1, 12))
def test_no_request_loses_more_of_its_utility_than_the_policy_allows(request, price, policy, k):
    utilities, hosts = request
    snapshot = prices(price, per_utility=policy.exposure_unit == "utility")
    ranking = Allocator(policy, snapshot).rank(utilities, hosts, k)
    got = np.sort(utilities[ranking.positions].astype(float))[::-1]
    best = np.sort(utilities.astype(float))[::-1][:k]
    worth = dcg_weights(len(best)) if policy.slot_values == "dcg" else np.ones(len(best))

    assert len(got) == min(k, len(utilities)) == len(set(ranking.positions.tolist()))
    assert got @ worth >= (1 - policy.utility_loss_max) * (best @ worth) - 1e-9
    assert got.tolist() == utilities[ranking.positions].tolist(), "the list is in the order of utility"
    assert ranking.utility == pytest.approx(got @ worth)
    assert ranking.utility_max == pytest.approx(best @ worth)


def test_prices_are_halved_until_the_loss_is_allowed_and_left_out_when_that_does_not_help():
    utilities, hosts = scores(1, 0.8, 0.4), owners(0, 1, 2)
    lifts = prices([0.0, 0.0, 0.95])

    assert Allocator(TrafficPolicy(utility_loss_max=0.3), lifts).rank(utilities, hosts, 1).factor == 0.5
    assert Allocator(TrafficPolicy(utility_loss_max=0.7), lifts).rank(utilities, hosts, 1).positions.tolist() == [2]
    strict = Allocator(TrafficPolicy(utility_loss_max=0.1), prices([0.0, 9.0, 9.0])).rank(utilities, hosts, 1)
    assert (strict.positions.tolist(), strict.factor) == ([0], 0.0)


# Monotony and names.


@given(request=requests(), price=PRICES, policy=POLICIES, k=st.integers(1, 8), data=st.data())
@settings(max_examples=300)
def test_more_utility_never_lowers_a_candidates_rank_at_equal_prices(request, price, policy, k, data):
    utilities, hosts = request
    allocator = Allocator(policy, prices(price, per_utility=policy.exposure_unit == "utility"))
    raised = data.draw(st.integers(0, len(utilities) - 1))
    more = utilities.copy()
    more[raised] += F(data.draw(st.integers(1, 64)) / 64)

    def rank(of: NDArray[np.float32]) -> int:
        positions = allocator.rank(of, hosts, k).positions.tolist()
        return positions.index(raised) if raised in positions else len(of)

    assert rank(more) <= rank(utilities)


@given(
    exposure=st.lists(st.integers(0, 1000), min_size=2, max_size=40),
    names=st.randoms(use_true_random=False),
    mode=st.sampled_from(["welfare", "maxmin"]),
)
def test_prices_do_not_depend_on_what_hosts_are_called(exposure, names, mode):
    policy, n = TrafficPolicy(mode=mode, head_part=0.5, head_share_max=0.1), len(exposure)
    order = list(range(n))
    names.shuffle(order)
    # Distinct exposures: of hosts that are equal, one may be in the head and another not.
    exposure = np.array(exposure) * n + np.arange(n)

    def price(amounts: NDArray[np.int64]) -> NDArray[np.float32]:
        leader = Leader(policy, n)
        hosts = np.arange(n, dtype=np.int32)
        for second in range(1, 4):
            leader.add(delta(hosts, np.full(n, Count.UTILITY), amounts), second)
            leader.refresh(second)
        return leader.snapshot.price[:-1]

    assert price(exposure[order]) == pytest.approx(price(exposure)[order], abs=1e-5)


def test_the_parts_of_a_price_sum_to_it_and_nobody_can_change_it():
    leader = Leader(TrafficPolicy(head_part=0.2, head_share_max=0.2), 10)
    leader.join(np.array([3]), 0.0)
    leader.add(delta(np.arange(9, dtype=np.int32), np.zeros(9, int), np.arange(9) ** 2), 1.0)
    snapshot, _ = leader.refresh(40_000.0)

    assert snapshot.welfare + snapshot.floor + snapshot.stage + snapshot.cap == pytest.approx(snapshot.price, abs=1e-6)
    assert (snapshot.stage[3] > 0, snapshot.cap[8] < 0, snapshot.floor[9] > 0) == (True, True, True)
    with pytest.raises(ValueError, match="read-only"):
        snapshot.price[0] = 1


def test_a_host_that_is_not_active_has_no_price_and_is_owed_nothing():
    leader = Leader(TrafficPolicy(), 3)
    leader.active[2] = False
    leader.add(delta(owners(0), np.zeros(1, int), 50), 1.0)

    assert leader.refresh(1.0)[0].price[2] == 0
    assert leader.floor_of(2) == (0, 0)
    assert leader.floor_of(1)[0] > 0


# Bad input.


@pytest.mark.parametrize("bad", [np.nan, -np.inf, np.inf, -5.0])
def test_a_score_that_is_no_utility_counts_as_none(bad):
    ranking = Allocator(FREE, unpriced(3)).rank(scores(bad, 0.1, 0.2), owners(0, 1, 2), 2)

    assert ranking.positions.tolist() == [2, 1]
    assert Allocator(FREE, unpriced(3)).rank(scores(bad), owners(0), 2).positions.tolist() == [0]


def test_an_unknown_host_has_no_price():
    allocator = Allocator(FREE, prices([-0.9, -0.9]))

    ranking = allocator.rank(scores(0.5, 0.5, 0.4, 0.3, 0.2), owners(0, 1, 2, -1, 2**31 - 1), 3)
    assert ranking.positions.tolist() == [2, 3, 4]
    assert set(ranking.why.tolist()) <= {Why.UTILITY, Why.WELFARE}


def test_an_empty_list_no_slots_and_a_short_list_have_answers():
    allocator = Allocator(TrafficPolicy(), unpriced(2))

    assert allocator.rank(scores(), owners(), 5).positions.tolist() == []
    assert allocator.rank(scores(1), owners(0), 0).positions.tolist() == []
    assert allocator.rank(scores(1, 2), owners(0, 1), 5).positions.tolist() == [1, 0]


def test_equal_candidates_keep_their_order_and_a_host_may_have_several():
    allocator = Allocator(TrafficPolicy(), unpriced(2))

    assert allocator.rank(scores(0, 0, 0, 0), owners(0, 0, 1, 1), 2).positions.tolist() == [0, 1]
    assert allocator.rank(np.full(50_000, 0.5, F), np.zeros(50_000, np.int32), 3).positions.tolist() == [0, 1, 2]


@given(bad=BAD_SCORES, price=PRICES, policy=POLICIES, k=st.integers(-1, 5), data=st.data())
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_any_request_is_answered(bad, price, policy, k, data):
    n = len(bad)
    of = data.draw(st.lists(st.integers(-(2**31), 2**31 - 1), min_size=n, max_size=n))
    ranking = Allocator(policy, prices(price, per_utility=policy.exposure_unit == "utility")).rank(
        np.array(bad, F), np.array(of, np.int32), k
    )

    assert len(ranking.positions) == len(ranking.why) == max(0, min(k, n)) == len(set(ranking.positions.tolist()))


@given(data=st.data(), price=PRICES, policy=POLICIES)
def test_a_batch_is_answered_as_its_requests_are(data, price, policy):
    batch = data.draw(st.lists(requests(), min_size=1, max_size=4))
    allocator = Allocator(policy, prices(price))
    offsets = np.cumsum([0, *(len(utilities) for utilities, _ in batch)]).tolist()

    together = allocator.rank_batch(
        np.concatenate([u for u, _ in batch]), np.concatenate([h for _, h in batch]), offsets, 3
    )

    alone = [allocator.rank(utilities, hosts, 3).positions.tolist() for utilities, hosts in batch]
    assert [ranking.positions.tolist() for ranking in together] == alone


@pytest.mark.parametrize("n", [2_049, 10_007, 60_000])
@pytest.mark.parametrize("values", ["equal", "dcg"])
def test_many_candidates_are_ranked_as_if_all_had_been_sorted(n, values):
    random = np.random.default_rng(n)
    utilities, hosts = random.integers(0, 500, n).astype(F) / 500, random.integers(0, 50, n).astype(np.int32)
    price = random.normal(0, 0.2, 50).astype(F)
    policy = TrafficPolicy(utility_loss_max=1.0, slot_values=values)
    ranking = Allocator(policy, prices(price)).rank(utilities, hosts, 10)

    best = np.sort(utilities)[::-1][:10].astype(float)
    weights = dcg_weights(10) if values == "dcg" else np.ones(10)
    scale = best @ weights / weights.sum()
    # A piecewise linear worth, whose slope between the slots' scores is the value of the slot above.
    knots = np.concatenate((best[::-1], [2.0]))
    levels = np.concatenate(([0.0], np.cumsum(np.diff(best[::-1]) * weights[:-1][::-1])))
    levels = np.append(levels, levels[-1] + (2.0 - best[0]) * weights[0])
    worth = np.where(utilities <= best[-1], weights[-1] * (utilities - best[-1]), np.interp(utilities, knots, levels))
    bids = worth / scale + price[hosts]
    assert bids[ranking.positions].min() >= np.sort(bids)[-10] - 1e-4


# Threads.


def test_a_request_sees_the_prices_before_or_after_a_swap_and_never_a_mixture():
    """Odd versions favour the first half of the hosts, even ones the second; the answer has to fit its version."""
    n, k = 400, 20
    utilities, hosts = np.ones(n, F), np.arange(n, dtype=np.int32)
    half = np.where(np.arange(n) < n // 2, F(1), F(-1))
    snapshots = [prices(half if version % 2 else -half, version=version) for version in range(2)]
    allocator = Allocator(FREE, snapshots[0])
    wrong: list[int] = []
    seen: set[int] = set()
    done = threading.Event()

    def serve() -> None:
        while not done.is_set():
            ranking = allocator.rank(utilities, hosts, k)
            seen.add(ranking.version)
            if not ((ranking.positions < n // 2) == bool(ranking.version % 2)).all():
                wrong.append(ranking.version)

    threads = [threading.Thread(target=serve) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(20_000):
        allocator.publish(snapshots[number % 2])
        if number % 101 == 0:
            done.wait(0.001)
    done.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert seen == {0, 1}


# Projection.


def nearest_by_quadratic_programme(theta: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The projection as a quadratic programme, solved by trying every set of tight constraints.

    The face of the permutahedron that the nearest point lies on is an ordered partition of the hosts: the sums of its
    blocks are tight. On it the nearest point is theta moved by a constant in each block.
    """
    n, best, found = len(theta), np.inf, np.zeros(len(theta))
    sums = np.concatenate(([0.0], np.cumsum(weights)))
    for order in permutations(range(n)):
        for cuts in range(2 ** (n - 1)):
            ends = [i + 1 for i in range(n - 1) if cuts >> i & 1] + [n]
            point, start = np.empty(n), 0
            for end in ends:
                block = list(order[start:end])
                point[block] = theta[block] + (sums[end] - sums[start] - theta[block].sum()) / (end - start)
                start = end
            largest = np.cumsum(np.sort(point)[::-1])
            distance = float(((point - theta) ** 2).sum())
            if distance < best and (largest <= sums[1:] + 1e-12).all():
                best, found = distance, point
    return found


@given(theta=st.lists(st.integers(-40, 40), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_the_projection_is_that_of_a_quadratic_programme(theta):
    point = np.array(theta) / 7
    weights = np.arange(2 * len(theta) - 1, 0, -2) / len(theta)

    assert project(point, weights) == pytest.approx(nearest_by_quadratic_programme(point, weights), abs=1e-9)


def pooled_one_by_one(values: NDArray[np.float64]) -> NDArray[np.float64]:
    pools: list[list[float]] = []
    for value in values:
        pools.append([value, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] <= pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += count
    return np.concatenate([np.full(int(count), total / count) for total, count in pools])


SHAPES = {
    "noise": lambda random, n: random.normal(size=n),
    "walk": lambda random, n: np.cumsum(random.normal(size=n)),
    "ties": lambda random, n: random.integers(0, 3, n).astype(float),
    "bend": lambda random, n: -((np.linspace(-1, random.uniform(0, 3), n)) ** 3),
    "bowl": lambda random, n: np.linspace(-1, random.uniform(0, 3), n) ** 2,
    "tail": lambda random, n: np.sort(-random.lognormal(0, 2, n))[::-1] * 10 - np.arange(2 * n - 1, 0, -2) / n,
}


@pytest.mark.parametrize("shape", SHAPES)
def test_pools_found_together_are_those_found_one_by_one(shape):
    for seed in range(60):
        random = np.random.default_rng(seed)
        values = SHAPES[shape](random, int(random.integers(1, 2000)))

        assert decreasing_fit(values) == pytest.approx(pooled_one_by_one(values), abs=1e-9)


def test_the_gradient_favours_who_has_less_and_is_bounded():
    gradient = gini_gradient(np.array([0.0, 1.0, 5.0, 94.0]), 0.1)

    assert (np.diff(gradient) <= 1e-12).all()
    assert gradient.sum() == pytest.approx(0)
    assert abs(gradient).max() < 1
    assert gini_gradient(np.zeros(3), 0.1).tolist() == [0, 0, 0]


@given(
    dual=st.lists(st.integers(-50, 50), min_size=1, max_size=12),
    bound=st.integers(0, 40),
    data=st.data(),
)
def test_the_max_min_projection_is_feasible_and_nothing_feasible_is_nearer(dual, bound, data):
    n = len(dual)
    dual, limit = np.array(dual) / 10, bound / 10
    rho = np.array(data.draw(st.lists(st.integers(1, 9), min_size=n, max_size=n))) / 5
    point = projected(dual, rho, limit)
    other = np.array(data.draw(st.lists(st.integers(-50, 50), min_size=n, max_size=n))) / 10
    negative = np.maximum(-rho * other, 0).sum()
    other = np.where(other < 0, other * min(1, limit / negative), other) if negative else other

    assert np.maximum(-rho * point, 0).sum() <= limit + 1e-9
    # The variational inequality: the way to any feasible point leads away from the dual.
    assert (rho**2 * (dual - point)) @ (other - point) <= 1e-9


# Counts.


@st.composite
def deltas(draw: st.DrawFn) -> Delta:
    n = draw(st.integers(0, 6))
    of = draw(st.lists(st.integers(-1, 7), min_size=n, max_size=n))
    columns = draw(st.lists(st.sampled_from(list(Count)), min_size=n, max_size=n))
    amounts = draw(st.lists(st.integers(0, 10**12), min_size=n, max_size=n))
    return delta(np.array(of, np.int32), np.array(columns, np.int64), np.array(amounts, np.int64))


def same(one: Delta, other: Delta) -> bool:
    return one.hosts.tolist() == other.hosts.tolist() and one.counts.tolist() == other.counts.tolist()


@given(parts=st.lists(deltas(), max_size=6), order=st.randoms(use_true_random=False))
def test_deltas_merged_in_any_order_and_grouping_give_the_same_state(parts, order):
    whole = merged(*parts)
    shuffled = parts.copy()
    order.shuffle(shuffled)
    one_by_one = reduce(merged, shuffled, NOTHING)
    together, apart = Exposure(8, 60.0, 0.0), Exposure(8, 60.0, 0.0)
    together.add(whole, 1.0)
    for part in shuffled:
        apart.add(part, 1.0)

    assert same(whole, merged(*shuffled))
    assert same(whole, one_by_one)
    assert together.counts.tolist() == apart.counts.tolist()
    assert together.impressions.tolist() == apart.impressions.tolist()


@given(asked=st.lists(requests(), min_size=1, max_size=10), price=PRICES)
def test_every_slot_is_counted_once_for_its_host_and_by_its_reason(asked, price):
    allocator, exposure = Allocator(FREE, prices(price)), Exposure(8, 60.0, 0.0)
    slots, utility_micro = np.zeros(8, int), 0
    for utilities, hosts in asked:
        ranking = allocator.rank(utilities, hosts, 5)
        exposure.add(shown(ranking, utilities, hosts), 0.0)
        np.add.at(slots, hosts[ranking.positions], 1)
        utility_micro += int(np.rint(utilities[ranking.positions].astype(float) * 1e6).sum())

    assert exposure.total_impressions().tolist() == slots.tolist()
    assert exposure.counts[:, Count.UTILITY_MICRO].sum() == utility_micro


def test_exposure_counts_half_after_its_half_life_and_counts_stay():
    exposure = Exposure(2, 60.0, 0.0)
    exposure.add(delta(owners(1), np.zeros(1, int), 8), 0.0)
    exposure.decay(60.0)
    exposure.decay(30.0)

    assert exposure.impressions.tolist() == [0, 4]
    assert exposure.total_impressions().tolist() == [0, 8]


# Promises.


def closed_loop(policy: TrafficPolicy, merit: NDArray[np.float64], rounds: int, k: int, seed: int) -> Leader:
    """Rounds of requests in which every host is a candidate; a refresh after each."""
    hosts, random = len(merit), np.random.default_rng(seed)
    leader = Leader(policy, hosts)
    allocator, of = Allocator(policy, leader.snapshot), np.arange(hosts, dtype=np.int32)
    for second in range(1, rounds + 1):
        utilities = (merit * random.uniform(0.5, 1.0, hosts)).astype(F)
        leader.add(shown(allocator.rank(utilities, of, k), utilities, of), second)
        allocator.publish(leader.refresh(second)[0])
    return leader


@given(seed=st.integers(0, 1000), floor=st.sampled_from([0.1, 0.3, 0.5]), spread=st.sampled_from([0.0, 0.5, 2.0]))
@settings(max_examples=12, deadline=None)
def test_floors_are_met_whenever_they_are_feasible(seed, floor, spread):
    """Feasible: every host is a candidate of every request, and the price and the loss allowed are high enough."""
    policy = TrafficPolicy(
        floor_share=floor,
        welfare_weight=0.0,
        head_share_max=1.0,
        floor_price_max=10.0,
        floor_step=0.3,
        utility_loss_max=1.0,
        floor_window_s=1e6,
    )
    merit = np.random.default_rng(seed).lognormal(0, spread, 20)
    had = closed_loop(policy, merit, 600, 3, seed).exposure.total_impressions()

    assert had.min() >= floor * had.sum() / len(had)


def test_without_a_floor_the_least_of_them_would_have_had_nothing():
    policy = TrafficPolicy(floor_share=0.0, welfare_weight=0.0, head_share_max=1.0)
    had = closed_loop(policy, np.linspace(0.1, 5, 20), 300, 3, 1).exposure.total_impressions()

    assert had.min() == 0


def test_who_was_short_in_a_window_is_still_owed_it_in_the_next():
    leader = Leader(TrafficPolicy(floor_share=0.5, floor_margin=0.0, floor_window_s=10.0), 2)
    leader.add(delta(owners(0), np.zeros(1, int), 100), 1.0)
    leader.refresh(10.0)

    assert leader.floor_of(1) == (25, 0)
    assert leader.floor_of(0) == (0, 0)


def test_counts_that_are_too_old_leave_the_floor_prices_as_they_are():
    policy = TrafficPolicy(floor_window_s=100.0, freeze_staleness=0.02, floor_gain=0.0)
    leader = Leader(policy, 2)
    leader.add(delta(owners(0), np.zeros(1, int), 1000), 1.0)

    frozen = leader.refresh(5.0, counted_until_s=2.9)[0].floor.copy()
    moved = leader.refresh(5.0, counted_until_s=3.1)[0].floor

    assert frozen.tolist() == [0, 0, 0]
    assert moved[1] > 0


def test_the_heads_share_is_kept_under_its_cap():
    policy = TrafficPolicy(head_part=0.05, head_share_max=0.2, head_step=0.2, welfare_weight=0.0, floor_share=0.0)
    merit = np.append(np.full(19, 0.5), 5.0)
    free = TrafficPolicy(head_share_max=1.0, welfare_weight=0.0, floor_share=0.0, utility_loss_max=1.0)
    loose = TrafficPolicy(
        head_part=0.05, head_share_max=0.2, head_step=0.2, welfare_weight=0.0, floor_share=0.0, utility_loss_max=1.0
    )

    def head(with_policy: TrafficPolicy) -> float:
        had = closed_loop(with_policy, merit, 1500, 3, 3).exposure.total_impressions()
        return float(had[-1] / had.sum())

    assert head(free) == pytest.approx(1 / 3, abs=0.01)
    assert head(loose) <= 0.2
    assert head(policy) <= 1 / 3


def test_max_min_mode_raises_who_has_least():
    merit = np.linspace(0.2, 1, 10)
    base = {"floor_share": 0.0, "head_share_max": 1.0, "utility_loss_max": 1.0}
    fair = TrafficPolicy(mode="maxmin", welfare_weight=1.0, **base)
    free = TrafficPolicy(welfare_weight=0.0, **base)

    least = [closed_loop(policy, merit, 800, 3, 5).exposure.total_impressions().min() for policy in (free, fair)]
    assert least[0] == 0
    assert least[1] > 0.5 * 800 * 3 / 10


# Stages.


def test_the_lower_bound_of_a_click_rate_is_wilsons():
    assert rate_low(0, 0, 0.9) == 0
    assert rate_low(100, 0, 0.95) == 0
    # By hand with z = 1.6449: (0.1 + 0.013528 − 0.051165) / 1.027055 at 10 of 100.
    assert rate_low(100, 10, 0.95) == pytest.approx(0.0607, abs=5e-4)
    assert rate_low(10, 20, 0.9) <= 1


@pytest.mark.parametrize(
    ("stage", "impressions", "clicks", "after", "reason"),
    [
        (Stage.FIRST, 100, 30, Stage.SECOND, Reason.ABOVE_MEAN),
        (Stage.FIRST, 100, 5, Stage.GRADUATED, Reason.NOT_ABOVE_MEAN),
        (Stage.SECOND, 500, 100, Stage.THIRD, Reason.ABOVE_MEAN),
        (Stage.THIRD, 2000, 1999, Stage.GRADUATED, Reason.ALL_STAGES),
    ],
)
def test_a_full_stage_ends_by_the_click_rate_with_a_reason(stage, impressions, clicks, after, reason):
    decision = decide(TrafficPolicy(), stage, impressions, clicks, 0.05)

    assert decision is not None
    assert (decision.after, decision.reason) == (after, reason)
    assert f"{impressions:,}" in decision.sentence()
    assert decide(TrafficPolicy(), stage, impressions - 1, clicks, 0.05) is None


def test_a_graduate_stays_one_and_every_stage_leads_there():
    assert decide(TrafficPolicy(), Stage.GRADUATED, 10**6, 10**6, 0.0) is None
    assert {stage for stage, action in TRANSITIONS if action is Action.GRADUATE} == set(Stage) - {Stage.GRADUATED}


def test_new_hosts_are_shown_at_their_pace_and_then_leave_their_stage():
    policy = TrafficPolicy(stage_impressions=(20, 50, 80), stage_pace_s=200.0, new_share_max=1.0, utility_loss_max=1.0)
    leader = Leader(policy, 12)
    leader.join(np.array([10, 11]), 0.0)
    allocator, random = Allocator(policy, leader.snapshot), np.random.default_rng(2)
    of, merit, ended = np.arange(12, dtype=np.int32), np.append(np.ones(10), [0.3, 0.3]), []
    for second in range(1, 500):
        utilities = (merit * random.uniform(0.8, 1, 12)).astype(F)
        ranking = allocator.rank(utilities, of, 3)
        seen = of[ranking.positions]
        clicked = seen[(seen == 11) & (random.random(3) < 0.9)]
        clicks = delta(clicked, np.full(len(clicked), Count.CLICKS))
        leader.add(merged(shown(ranking, utilities, of), clicks), second)
        snapshot, now_ended = leader.refresh(second)
        allocator.publish(snapshot)
        ended += now_ended

    assert (10, Stage.GRADUATED) in [(each.host, each.decision.after) for each in ended]
    assert [each.decision.after for each in ended if each.host == 11][:1] == [Stage.SECOND]
    assert leader.stage_of(10) is Stage.GRADUATED


def test_new_hosts_together_are_priced_down_above_their_budget():
    policy = TrafficPolicy(new_share_max=0.1)
    leader = Leader(policy, 4)
    leader.join(np.array([0]), 0.0)
    leader.add(delta(owners(0, 1), np.zeros(2, int), np.array([90, 10])), 1.0)

    snapshot, _ = leader.refresh(1.0)
    assert snapshot.cap[0] < 0 == snapshot.cap[1]


# Explanations.


def test_each_slot_has_its_reason_and_the_parts_that_lifted_it():
    zero = np.zeros(4, F)
    floor, stage = np.array([0, 0.9, 0, 0], F), np.array([0, 0, 0.8, 0], F)
    snapshot = PriceSnapshot(floor + stage, zero, floor, stage, zero, 7, 0.0)
    utilities, hosts = scores(0.9, 0.8, 0.7, 0.2, 0.3), owners(0, 0, 0, 1, 2)
    ranking = Allocator(FREE, snapshot).rank(utilities, hosts, 3)
    reasons = explain_request(ranking, snapshot, utilities, hosts)

    assert [(each.position, each.why) for each in reasons] == [(0, Why.UTILITY), (4, Why.STAGE), (3, Why.FLOOR)]
    assert [each.without_prices for each in reasons] == [True, False, False]
    assert reasons[2].floor == pytest.approx(0.9)


@given(rows=st.lists(st.lists(st.integers(0, 100), min_size=7, max_size=7), min_size=3, max_size=3), data=st.data())
def test_the_parts_of_an_explanation_sum_to_the_exposure(rows, data):
    counts = np.array(rows, np.int64)
    active = np.array(data.draw(st.lists(st.booleans(), min_size=3, max_size=3)))
    period = explain_period(1, counts, active, unpriced(3), new=False)

    assert period.by_utility + period.by_floor + period.by_stage + period.by_welfare == period.impressions
    assert period.impressions == counts[1, IMPRESSIONS].sum()
    assert active[1] or [each.limit for each in period.limits] == [Limit.NOT_ACTIVE]


def test_a_host_is_told_what_kept_it_from_more():
    counts = np.zeros((2, len(Count)), np.int64)
    counts[0, [Count.UTILITY, Count.UTILITY_MICRO, Count.CANDIDACIES]] = 10, 2_000_000, 10
    counts[1, [Count.UTILITY, Count.UTILITY_MICRO, Count.CANDIDACIES]] = 30, 24_000_000, 100
    period = explain_period(0, counts, np.ones(2, bool), prices([-0.1, 0.1]), new=False)

    assert [each.limit for each in period.limits] == [Limit.ABOVE_EQUAL_SHARE, Limit.SELDOM_FOUND, Limit.LOW_UTILITY]
    assert period.equal_shares == 0.5
    assert (period.limits[2].has, period.limits[2].measure) == pytest.approx((0.2, 0.65))


# Settings.


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_every_setting_says_what_it_is_and_takes_its_default(setting):
    setting.check(setting.default)

    assert setting.description
    assert setting.range
    assert setting.unit or "or" in setting.range


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"floor_share": 3.0}, "floor_share must be from 0 to 0.9 (equal shares), not 3.0"),
        ({"mode": "random"}, "mode must be welfare or maxmin, not 'random'"),
        ({"retries_max": 1.5}, "retries_max must be from 0 to 10 (times), not 1.5"),
        ({"stage_impressions": [500, 100, 2000]}, "stage_impressions must rise from above 0 (impressions)"),
        ({"welfare_wieght": 1.0}, "welfare_wieght is not a setting of the traffic policy"),
        ({"welfare_weight": float("nan")}, "welfare_weight must be from 0 to 10 (price), not nan"),
    ],
)
def test_a_wrong_setting_is_refused_by_name_range_and_unit(values, told):
    with pytest.raises(Invalid) as refused:
        policy_of(values)
    assert refused.value.detail == told


def test_before_anything_is_counted_there_are_no_prices():
    assert Leader(TrafficPolicy(), 2).refresh(1.0)[0].price.tolist() == [0, 0, 0]
