"""The published protocol: files as they come, what is measured of a ranker, and the targets when the data is there."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fairwind.bench.traffic.published import (
    POLICIES,
    TARGETS,
    DualPrices,
    Published,
    Request,
    Score,
    file_order,
    measure,
    rank_with,
    read,
    shuffled,
)
from fairwind.traffic import TrafficPolicy

DATA = Path(__file__).parents[3] / "shared/data/traffic"
F = np.float32


class Best:
    """Pure utility, or with the last candidates when told so."""

    def __init__(self, *, worst: bool = False) -> None:
        self.name = "worst" if worst else "best"
        self._sign = 1 if worst else -1

    def rank(self, scores: NDArray[np.float32], owners: NDArray[np.int32], k: int) -> NDArray[np.intp]:
        return np.argsort(self._sign * scores, kind="stable")[:k]


def two_users() -> Published:
    first = Request(np.array([4, 2, 1], F), np.array([0, 0, 1], np.int32))
    second = Request(np.array([1, 3], F), np.array([1, 2], np.int32))
    return Published([first, second, Request(np.empty(0, F), np.empty(0, np.int32))], 3)


def test_a_pass_measures_what_each_publisher_got():
    score = measure(Best(), two_users(), 1, file_order(two_users()))

    # Publisher 0 got 4, publisher 2 got 3, publisher 1 nothing.
    assert (score.ndcg, score.worst, score.u_mmf50) == (1, 0, 0)
    assert score.u_gini == pytest.approx((0 * -2 + 3 * 0 + 4 * 2) / (3 * 7))
    assert score.e_gini == pytest.approx((0 * -2 + 1 * 0 + 1 * 2) / (3 * 2))


def test_the_loss_is_the_mean_over_users_and_not_that_of_their_sum():
    assert measure(Best(worst=True), two_users(), 1, file_order(two_users())).ndcg == pytest.approx((1 / 4 + 1 / 3) / 2)


@pytest.mark.parametrize("layout", ["coo", "csr", "csc"])
def test_each_sparse_layout_is_read_and_entries_given_twice_are_summed(layout, tmp_path):
    dense = np.array([[0, 0.5, 0.25], [1, 0, 0]])
    entries = [(0, 1, 0.3), (0, 1, 0.2), (0, 2, 0.25), (1, 0, 1.0)]
    arrays = {"shape": np.array(dense.shape), "format": np.array(layout.encode())}
    if layout == "coo":
        rows, columns, values = zip(*entries, strict=True)
        arrays |= {"row": np.array(rows), "col": np.array(columns), "data": np.array(values)}
    else:
        by = 0 if layout == "csr" else 1
        entries.sort(key=lambda entry: entry[by])
        counts = np.bincount([entry[by] for entry in entries], minlength=dense.shape[by])
        arrays |= {
            "indptr": np.concatenate(([0], np.cumsum(counts))),
            "indices": np.array([entry[1 - by] for entry in entries]),
            "data": np.array([entry[2] for entry in entries]),
        }
    np.savez(tmp_path / "scores.npz", **arrays)
    (tmp_path / "owners.json").write_text(json.dumps({"1": "7", "2": 3, "99": 5}))

    published = read(tmp_path / "scores.npz", tmp_path / "owners.json")

    assert [request.scores.tolist() for request in published.requests] == [[0.5, 0.25], [1.0]]
    assert [request.owners.tolist() for request in published.requests] == [[2, 1], [0]], "0, 3 and 7 in their order"
    assert published.publishers == 3


def made_up(users: int = 300, items: int = 60, publishers: int = 8) -> Published:
    random = np.random.default_rng(7)
    owners = random.integers(0, publishers, items).astype(np.int32)
    merit = random.lognormal(0, 0.1, publishers)[owners]
    return Published(
        [Request((merit * random.uniform(0, 1, items)).astype(F), owners) for _ in range(users)], publishers
    )


def test_the_core_gives_up_little_utility_for_much_evenness():
    published = made_up()
    pure = measure(Best(), published, 5, shuffled(published, 1))
    fair = measure(
        DualPrices("dual prices", POLICIES["K = 10"].policy, published.publishers), published, 5, shuffled(published, 1)
    )

    assert fair.ndcg > 0.97
    assert fair.u_gini < 0.8 * pure.u_gini
    assert fair.u_mmf50 > pure.u_mmf50


def test_without_weight_the_core_is_pure_utility():
    published = made_up(50)
    policy = TrafficPolicy(welfare_weight=0.0, floor_share=0.0, head_share_max=1.0)
    score = measure(DualPrices("none", policy, published.publishers), published, 5, file_order(published))

    assert score.u_gini == pytest.approx(measure(Best(), published, 5, file_order(published)).u_gini)
    assert score.ndcg == pytest.approx(1)


@cache
def steam() -> Published:
    return read(DATA / "steam_scores.npz", DATA / "steam_item_publisher.json")


@pytest.mark.skipif(not DATA.is_dir(), reason="the published scores do not lie beside the checkout")
def test_pure_utility_is_as_published():
    score = measure(Best(), steam(), 10, file_order(steam()))

    assert (score.ndcg, round(score.u_mmf50, 4), round(score.u_gini, 4)) == (1, 0.2037, 0.4751)


@pytest.mark.skipif(not DATA.is_dir(), reason="the published scores do not lie beside the checkout")
@pytest.mark.parametrize("target", [name for name in TARGETS if POLICIES[name].passes == 0])
def test_the_targets_are_met_in_file_order(target):
    score: Score = rank_with(target, steam(), file_order(steam()))

    assert [missed for goal in TARGETS[target] if (missed := goal.missed(score))] == []
