"""Projection on the permutahedron: what turns exposure into the gradient of a smoothed welfare. Pure.

The permutahedron of w is the convex hull of all orders of w. Projecting on it is one sort and one isotonic regression
(Lim & Wright, "Efficient Bregman projections onto the permutahedron and related polytopes", AISTATS 2016, section 4;
Blondel et al., "Fast differentiable sorting and ranking", ICML 2020, proposition 3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

_RARE = 32
"""When fewer than one block in so many grew, each that did grows to its end by a search: the others are at rest."""


def project(theta: Floats, weights: Floats) -> Floats:
    """The point of the permutahedron of weights that is nearest to theta.

    theta: float64[n], finite. weights: float64[n], descending. Returns float64[n], in the order of theta.
    """
    assert theta.shape == weights.shape
    order = np.argsort(-theta)
    descending = theta[order]
    nearest = np.empty_like(theta)
    nearest[order] = descending - decreasing_fit(descending - weights)
    return nearest


def decreasing_fit(values: Floats) -> Floats:
    """The non-increasing sequence that is nearest to values in the sum of squares: float64[n] to float64[n].

    Pools adjacent violators (Barlow et al., "Statistical inference under order restrictions", 1972), many at a time:
    a rising run of means always ends in one pool. Runs alone may grow by one block in a pass, so that pools, once they
    are few, are grown to their end by a binary search; to the left only, and the sequence is turned around for
    the right.
    """
    sums, sizes, turned = values, np.ones(len(values)), False
    while True:
        means = sums / sizes
        falls = means[1:] < means[:-1]
        if falls.all():
            break
        starts = np.flatnonzero(np.concatenate(([True], falls)))
        pools = np.flatnonzero(np.diff(starts, append=len(sums)) > 1)
        sums, sizes = np.add.reduceat(sums, starts), np.add.reduceat(sizes, starts)
        if len(pools) * _RARE < len(starts):
            starts = _grown_left(sums, sizes, pools)
            sums, sizes = -np.add.reduceat(sums, starts)[::-1], np.add.reduceat(sizes, starts)[::-1]
            turned = not turned
    if turned:
        means, sizes = -means[::-1], sizes[::-1]
    return np.repeat(means, sizes.astype(np.intp))


def _grown_left(sums: Floats, sizes: Floats, pools: Indices) -> Indices:
    """Where blocks start once each of pools has taken in the blocks to its left that it outweighs.

    Between pools the means fall. So going left they rise while that of the pool sinks with each block it takes in:
    there is one place where it stops, and prefix sums tell for any block whether it lies before or behind it.
    """
    means = sums / sizes
    total, size = np.cumsum(sums), np.cumsum(sizes)
    stop, first = np.concatenate(([0], pools[:-1] + 1)), pools.copy()
    while (unsure := stop < first).any():
        block = (stop + first) // 2
        taken = means[block] * (size[pools] - size[block]) <= total[pools] - total[block]
        first = np.where(unsure & taken, block, first)
        stop = np.where(unsure & ~taken, block + 1, stop)
    opens = np.zeros(len(sums) + 1, np.intp)
    np.add.at(opens, first + 1, 1)
    np.add.at(opens, pools + 1, -1)
    return np.flatnonzero(np.cumsum(opens[:-1]) == 0)
