"""Replays: exact where lists decide, right on average where clicks do, and silent where nobody can know."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwind.traffic.clicks import Clicks, Slots
from fairwind.traffic.measures import bottom_share, gini, top_share
from fairwind.traffic.replay import Figure, Log, Outlook, Request, log_of, outlook, replayed

HOSTS, SLOTS = 40, 3
EXAMINED = np.array([1.0, 0.6, 0.4])


def pure(scores: Any, hosts: Any, k: int) -> Any:
    return np.argsort(-scores, kind="stable")[:k]


def worst(scores: Any, hosts: Any, k: int) -> Any:
    return np.argsort(scores, kind="stable")[:k]


class World(NamedTuple):
    """A log, and how relevant each candidate really was."""

    requests: list[Request]
    relevance: list[np.ndarray]

    @property
    def log(self) -> Log:
        return log_of(self.requests, SLOTS)

    def truth(self, rank: Any) -> float:
        """Clicks for a request, were rank's lists shown."""
        lists = (rank(each.utilities, each.hosts, SLOTS) for each in self.requests)
        return float(np.mean([EXAMINED @ of[chosen] for of, chosen in zip(self.relevance, lists, strict=True)]))

    def exposure(self, rank: Any) -> np.ndarray:
        shown = [each.hosts[rank(each.utilities, each.hosts, SLOTS)] for each in self.requests]
        return np.bincount(np.concatenate(shown), minlength=HOSTS).astype(np.float64)


POPULAR = np.random.default_rng(0).beta(1, 4, HOSTS)


def world(seed: int, requests: int, logging: str, candidates: int = 10) -> World:
    """Viewers who examine slots by place and click by relevance; utility is a guess of it, and too low.

    Logging shows at random (propensities known), or nearly the best, without chance that the log knows of.
    """
    random = np.random.default_rng(seed)
    kept, relevance = [], []
    for _ in range(requests):
        hosts = random.integers(0, HOSTS, candidates).astype(np.int32)
        relevant = np.clip(POPULAR[hosts] * random.uniform(0.5, 1.5, candidates), 0, 1)
        utilities = (0.7 * relevant * random.uniform(0.7, 1.3, candidates)).astype(np.float32)
        if logging == "random":
            positions, propensities = random.permutation(candidates)[:SLOTS], np.full(SLOTS, SLOTS / candidates)
        else:
            positions, propensities = pure(utilities * random.uniform(0.7, 1.3, candidates), hosts, SLOTS), None
        clicked = random.random(SLOTS) < EXAMINED * relevant[positions]
        kept.append(Request(hosts, utilities, positions, clicked, propensities))
        relevance.append(relevant)
    return World(kept, relevance)


def looked(log: Log, rank: Any, replicates: int = 100, **more: Any) -> Outlook:
    return outlook(log, rank, np.ones(HOSTS, np.bool_), np.random.default_rng(9), replicates=replicates, **more)


def again(log: Log) -> Any:
    """A ranker that shows what was shown, request by request."""
    lists = iter(log.shown)
    return lambda scores, hosts, k: (shown := next(lists))[shown >= 0]


def inside(figure: Figure, value: float) -> bool:
    return figure.low <= value <= figure.high


def test_a_replay_is_as_a_reader_reckons_by_hand():
    """Two requests, two slots, three hosts; the second request has one candidate, and host 2 is not active."""
    log = log_of(
        [
            Request(
                np.array([0, 1, 2], np.int32),
                np.array([0.5, 0.3, 0.2], np.float32),
                np.array([1, 2]),
                np.zeros(2, bool),
            ),
            Request(np.array([1], np.int32), np.array([0.4], np.float32), np.array([0]), np.ones(1, bool)),
        ],
        slots=2,
    )
    assert log.shown.tolist() == [[1, 2], [0, -1]]
    assert replayed(log, pure).tolist() == [[0, 1], [0, -1]]

    seen = outlook(log, pure, [True, True, False], np.random.default_rng(1), replicates=4000)

    # Two equal requests of a sample are drawn (0, 2), (1, 1), (1, 1), (2, 0): means over these are the bootstrap's.
    was, would = seen.utility_kept.logged, seen.utility_kept.replayed
    drawn = [(0.5 * a + 0.4 * b) / (0.8 * a + 0.4 * b) for a, b in ((0, 2), (1, 1), (1, 1), (2, 0))]
    assert was.value == pytest.approx(2 * 0.9 / 1.2 - np.mean(drawn), abs=0.01)
    assert would == Figure(1, 1, 1)
    drawn_gini = [gini(np.array([a, a + b], float)) for a, b in ((0, 2), (1, 1), (1, 1), (2, 0))]
    assert seen.gini.replayed.value == pytest.approx(2 * gini([1.0, 2.0]) - np.mean(drawn_gini), abs=0.01)
    assert seen.overlap.value == pytest.approx(2 * 2 / 3 - np.mean([2 / 2, 2 / 3, 2 / 3, 2 / 4]), abs=0.02)
    assert seen.requests == 2
    assert seen.impressions_per_host == 1


def test_examination_and_relevance_are_told_apart():
    """Slots show the same utilities: that the second has fewer clicks is its place. Utility is half of relevance."""
    places = np.tile([0, 1], 50_000)
    requests = np.repeat(np.arange(50_000), 2)
    random = np.random.default_rng(2)
    utilities = random.uniform(0.05, 0.45, 100_000)
    clicked = random.random(100_000) < 2 * utilities * np.array([1.0, 0.5])[places]
    slots = Slots(requests, places, utilities)

    model = Clicks(slots, clicked, np.ones(100_000), slots, np.arange(100_000), 50_000, 2).model(np.ones(50_000))

    assert model.examination == pytest.approx([1, 0.5], abs=0.02)
    assert model.factors == pytest.approx([2] * 5, rel=0.06)


def test_effective_impressions_are_as_a_reader_reckons_by_hand():
    """Four impressions, shown with chances 1, 1, 1/2 and 1/2: weights 1, 1, 2, 2, so 6²/10. A fifth was not shown."""
    one = np.zeros(5, np.int64)
    shown = Slots(np.arange(4), one[:4], np.full(4, 0.5))
    new = Slots(np.arange(5), one, np.full(5, 0.5))
    clicks = Clicks(shown, np.ones(4, bool), np.array([1, 1, 0.5, 0.5]), new, np.array([0, 1, 2, 3, -1]), 5, 1)
    assert clicks.effective_impressions() == pytest.approx(3.6)


def test_a_click_in_a_worse_slot_tells_of_more_relevance():
    """The same items in turned order: those that were clicked in the last slot come first."""
    there = world(3, 1500, "random")

    def swapped(scores: Any, hosts: Any, k: int) -> Any:
        return next(lists)[::-1]

    lists = iter(there.log.shown)
    seen = looked(there.log, swapped)
    truth = np.mean(
        [EXAMINED[::-1] @ of[each.positions] for of, each in zip(there.relevance, there.requests, strict=True)]
    )
    assert inside(seen.clicks.replayed, truth)


@pytest.mark.parametrize("logging", ["random", "best"])
def test_replaying_what_was_shown_is_what_happened(logging):
    log = world(4, 600, logging).log
    if logging == "random":
        log = log._replace(propensity=np.ones_like(log.propensity))
    seen = looked(log, again(log))

    for name in ("gini", "head_share", "bottom_share", "utility_kept"):
        assert getattr(seen, name).change == Figure(0, 0, 0)
    assert seen.overlap == Figure(1, 1, 1)
    assert seen.clicks.change.value == pytest.approx(0, abs=1e-9)
    assert inside(seen.clicks.replayed, log.clicked.sum() / log.requests)


def test_a_better_policy_is_estimated_better_and_a_worse_one_worse():
    log = world(5, 800, "random").log
    better, worse = looked(log, pure).clicks, looked(log, worst).clicks
    assert better.change.low > 0
    assert worse.change.high < 0
    assert better.replayed.low > worse.replayed.high


def test_a_policy_that_shares_more_evenly_is_seen_to_and_to_cost_utility():
    log = world(6, 800, "best").log
    shown = np.zeros(HOSTS)

    def even(scores: Any, hosts: Any, k: int) -> Any:
        chosen = np.argsort(shown[hosts], kind="stable")[:k]
        np.add.at(shown, hosts[chosen], 1)
        return chosen

    seen = looked(log, even)

    assert seen.gini.change.high < 0
    assert seen.head_share.change.high < 0
    assert seen.bottom_share.change.low > 0
    assert seen.floors_met.change.low > 0
    assert seen.floors_met.replayed.value == 1
    assert seen.utility_kept.change.high < 0


def day(requests: int = 200_000, candidates: int = 10) -> tuple[float, np.ndarray]:
    """Clicks for a request, and exposure, on a whole day of such a world under pure: what its logs are samples of."""
    random = np.random.default_rng(1)
    hosts = random.integers(0, HOSTS, (requests, candidates))
    relevant = np.clip(POPULAR[hosts] * random.uniform(0.5, 1.5, hosts.shape), 0, 1)
    best = np.argsort(-relevant * random.uniform(0.7, 1.3, hosts.shape), axis=1)[:, :SLOTS]
    clicks = np.take_along_axis(relevant, best, axis=1) @ EXAMINED
    return float(clicks.mean()), np.bincount(np.take_along_axis(hosts, best, axis=1).ravel(), minlength=HOSTS)


@pytest.mark.parametrize("logging", ["random", "best"])
def test_intervals_cover_the_truth_in_about_95_of_100_logs(logging):
    """Binomially, of 80 logs 76 ± 2 would; fewer than 70 is no chance."""
    clicks, exposure = day()
    truths = {
        "gini": gini(exposure),
        "head_share": top_share(exposure, 0.1),
        "bottom_share": bottom_share(exposure, 0.5),
    }
    covered = dict.fromkeys(("clicks", *truths), 0)
    for seed in range(80):
        seen = looked(world(seed, 400, logging).log, pure, 80, head_part=0.1)
        covered["clicks"] += inside(seen.clicks.replayed, clicks)
        for name, truth in truths.items():
            covered[name] += inside(getattr(seen, name).replayed, truth)
    assert min(covered.values()) >= 70, covered


def test_the_unevenness_of_a_small_sample_is_not_taken_for_that_of_the_day():
    truth = gini(day()[1])
    plain, seen = [], []
    for seed in range(30):
        there = world(seed, 60, "best")
        plain.append(gini(there.exposure(pure)))
        seen.append(looked(there.log, pure).gini.replayed.value)
    assert abs(np.mean(seen) - truth) < 0.5 * abs(np.mean(plain) - truth)


def test_too_little_overlap_gives_a_reason_and_no_number():
    seen = looked(world(7, 800, "best", candidates=40).log, worst)
    assert seen.clicks is None
    assert seen.missing["clicks"] == "0% of what would have been shown was or could have been; it takes 30%"
    assert seen.gini is not None


@pytest.mark.parametrize(
    ("requests", "clicks", "told"),
    [
        (20, True, "what was shown of it is worth "),
        (400, False, "what was shown of it had 0 clicks; it takes 20"),
    ],
)
def test_too_few_impressions_or_clicks_give_a_reason_and_no_number(requests, clicks, told):
    log = world(8, requests, "best").log
    seen = looked(log._replace(clicked=log.clicked & clicks), pure)
    assert seen.clicks is None
    assert seen.missing["clicks"].startswith(told)


def test_floors_that_chance_alone_would_miss_are_not_judged():
    seen = looked(world(9, 100, "best").log, pure)
    assert seen.floors_met is None
    assert seen.missing["floors_met"] == "a floor is 0.75 impressions of the sample; it takes 5"


def test_chance_in_the_log_makes_up_for_a_model_that_is_wrong():
    """Utility is turned upside down, so that the model is wrong of all: propensities put the estimate right."""
    there = world(10, 3000, "random")
    upside = [each._replace(utilities=(1 - each.utilities).astype(np.float32)) for each in there.requests]
    turned = World(upside, there.relevance)
    seen = looked(turned.log, pure)
    assert inside(seen.clicks.replayed, turned.truth(pure))
    assert seen.effective_impressions == pytest.approx(3000 * SLOTS * 0.3, rel=0.15)


def test_the_same_seed_gives_the_same_answer_and_it_survives_json():
    log = world(11, 300, "best").log
    seen = looked(log, pure)
    assert seen == looked(log, pure)
    assert msgspec.json.decode(msgspec.json.encode(seen), type=Outlook) == seen


@st.composite
def rough_logs(draw: st.DrawFn) -> Log:
    """Requests with no, few or equal candidates, bad utilities, hosts nobody knows."""
    requests = []
    for _ in range(draw(st.integers(1, 5))):
        hosts = draw(st.lists(st.integers(-1, 5), max_size=5))
        utilities = draw(st.lists(st.floats(width=32), min_size=len(hosts), max_size=len(hosts)))
        positions = draw(st.permutations(range(len(hosts))))[:SLOTS]
        clicked = draw(st.lists(st.booleans(), min_size=len(positions), max_size=len(positions)))
        requests.append(
            Request(
                np.array(hosts, np.int32),
                np.array(utilities, np.float32),
                np.array(positions, np.int64),
                np.array(clicked, np.bool_),
            )
        )
    return log_of(requests, SLOTS)


def figures(seen: Outlook) -> Sequence[Figure]:
    compared = (seen.gini, seen.head_share, seen.bottom_share, seen.floors_met, seen.utility_kept, seen.clicks)
    parts = [part for each in compared if each for part in (each.logged, each.replayed, each.change)]
    return [*parts, seen.overlap]


@given(rough_logs(), st.lists(st.booleans(), max_size=6))
def test_whatever_the_log_figures_are_numbers_in_order(log, active):
    seen = outlook(log, pure, np.array(active, np.bool_), np.random.default_rng(1), replicates=10)
    assert all(np.isfinite(msgspec.structs.astuple(each)).all() for each in figures(seen))
    assert all(each.low <= each.value <= each.high for each in figures(seen))
