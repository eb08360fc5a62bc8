"""Measures of how evenly something is shared, by examples that are reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairwind.traffic import bottom_share, dcg_weights, gini, lorenz, min_share, top_share

amounts = st.lists(st.integers(0, 1000), min_size=1, max_size=30)


def test_the_gini_coefficient_of_known_shares():
    assert gini([5, 5, 5]) == 0
    assert gini([0, 0, 0, 8]) == pytest.approx(3 / 4)
    # Pairs of 1, 2, 3 differ by 1, 2 and 1: 2 · 4 / (2 · 9 · 2).
    assert gini([3, 1, 2]) == pytest.approx(2 / 9)


@given(amounts)
def test_the_gini_coefficient_is_half_the_mean_difference(values):
    array = np.array(values, float)
    differences = abs(array[:, None] - array).mean()

    assert gini(values) == pytest.approx(differences / 2 / array.mean() if array.sum() else 0)


def test_the_lorenz_curve_and_shares_of_known_amounts():
    assert lorenz([6, 1, 3]) == pytest.approx([0, 0.1, 0.4, 1])
    assert bottom_share([6, 1, 3], 0.5) == pytest.approx(0.1), "half of three hosts are one"
    assert top_share([6, 1, 3], 0.5) == pytest.approx(0.9), "and at the top two"
    assert top_share(np.arange(100), 0.07) == pytest.approx(sum(range(93, 100)) / 4950), "not eight for rounding"
    assert min_share([6, 1, 3]) == pytest.approx(0.3)


@given(amounts, st.floats(0, 1))
def test_shares_are_parts_of_the_whole(values, part):
    assert 0 <= bottom_share(values, part) <= top_share(values, part) + 1e-12
    assert (np.diff(lorenz(values)) >= -1e-12).all()


@pytest.mark.parametrize("nothing", [[], [0, 0, 0]])
def test_nothing_is_shared_evenly(nothing):
    assert (gini(nothing), min_share(nothing)) == (0, 1)
    assert (lorenz(nothing)[0], lorenz(nothing)[-1]) == (0, 1)
    assert bottom_share([0, 0], 0.5) == top_share([0, 0], 0.5) == 0.5


def test_slots_are_worth_less_and_less():
    assert dcg_weights(3) == pytest.approx([1, 1 / np.log2(3), 0.5])
    assert dcg_weights(0).tolist() == []
