"""How evenly something is shared: of a list of amounts, one for each host. Pure.

Every measure takes float64[n], amounts that are not negative, in any order, and is defined for no hosts and for
nothing to share: then all have the same, which is nothing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def gini(amounts: ArrayLike) -> float:
    """The Gini coefficient: 0 when all have the same, (n − 1)/n when one has all.

    Σᵢ (2i − n − 1) xᵢ / (n Σ x) with x ascending (Dixon et al., "Bootstrapping the Gini coefficient", 1987).
    """
    ascending = np.sort(np.asarray(amounts, np.float64))
    total = ascending.sum()
    if total <= 0:
        return 0.0
    n = len(ascending)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ascending / (n * total))


def lorenz(amounts: ArrayLike) -> Floats:
    """The Lorenz curve: float64[n + 1], at i the share of the i hosts that have least; 0 first, 1 last."""
    ascending = np.sort(np.asarray(amounts, np.float64))
    n, total = len(ascending), ascending.sum()
    if total <= 0:
        return np.linspace(0.0, 1.0, max(n, 1) + 1)
    curve = np.concatenate(([0.0], np.cumsum(ascending) / total))
    curve[-1] = 1.0
    return curve


def bottom_share(amounts: ArrayLike, part: float) -> float:
    """The share of the ⌊part · n⌋ hosts that have least. part: 0 to 1."""
    curve = lorenz(amounts)
    return float(curve[math.floor(_hosts(part, curve))])


def top_share(amounts: ArrayLike, part: float) -> float:
    """The share of the ⌈part · n⌉ hosts that have most. part: 0 to 1."""
    curve = lorenz(amounts)
    return float(1 - curve[len(curve) - 1 - math.ceil(_hosts(part, curve))])


def min_share(amounts: ArrayLike) -> float:
    """What the host with least has, in equal shares: min · n / Σ. 1 when all have the same."""
    array = np.asarray(amounts, np.float64)
    total = array.sum()
    return float(array.min() * len(array) / total) if total > 0 else 1.0


def dcg_weights(k: int) -> Floats:
    """What the slots are worth, float64[k]: 1/log₂(slot + 1) (Järvelin & Kekäläinen, 2002)."""
    return 1 / np.log2(np.arange(2, k + 2))


def _hosts(part: float, curve: Floats) -> float:
    """How many hosts are a part of them. Rounded, so that 7 % of 100 hosts are 7 and not a little more."""
    assert 0 <= part <= 1
    return round(part * (len(curve) - 1), 9)
