"""What the allocator is compared with: rankers of the literature, written from their papers.

Each is built for the publishers and requests to come, and asked request by request. Where the paper leaves a number
open, the default is that of the FairDiverse toolkit (Xu et al., "FairDiverse: a comprehensive toolkit for fairness- and
diversity-aware information retrieval", SIGIR 2025), whose protocol this benchmark follows.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fairwind.bench.traffic.published import Owners, Scores
from fairwind.traffic import Duals, descended

Positions = NDArray[np.intp]
Floats = NDArray[np.float64]

_CERTAIN = 1e-2
"""Scores up to this say nothing of how sure the prediction is: ManifoldRank leaves them out."""


class PureUtility:
    """The K best scores: what fairness is bought from."""

    name = "pure utility"

    def rank(self, scores: Scores, owners: Owners, k: int) -> Positions:  # noqa: ARG002  whose they are does not matter
        return best(scores, k)


class Random:
    """Any K candidates, all equally likely."""

    name = "random"

    def __init__(self, seed: int = 0) -> None:
        self._random = np.random.default_rng(seed)

    def rank(self, scores: Scores, owners: Owners, k: int) -> Positions:  # noqa: ARG002  nor here
        return self._random.permutation(len(scores))[:k]


class CPFair:
    """A bonus for the share of all impressions that a publisher does not have.

    Naghiaei et al., "CPFair: personalized consumer and producer fairness re-ranking for recommender systems", SIGIR
    2022, its producer side for several groups. weight: λ, in score for a whole share.
    """

    name = "CPFair"

    def __init__(self, publishers: int, *, weight: float = 1.0) -> None:
        self._weight = weight
        self._count: Floats = np.zeros(publishers)
        self._total = 0

    def rank(self, scores: Scores, owners: Owners, k: int) -> Positions:
        share = self._count[owners] / (self._total + 1e-5)
        chosen = best(scores + self._weight * (1 - share), k)
        np.add.at(self._count, owners[chosen], 1)
        self._total += len(chosen)
        return chosen


class MinRegulariser:
    """A malus for what a publisher had more than the one with least: the regulariser that P-MMF is compared with.

    Xu et al., "P-MMF", WWW 2023, section 5.1. weight: λ. requests: how many are to come, which sets the scale.
    """

    name = "min-regulariser"

    def __init__(self, publishers: int, requests: int, *, weight: float = 0.5) -> None:
        self._scale = weight * publishers / max(1, requests)
        self._count: Floats = np.zeros(publishers)

    def rank(self, scores: Scores, owners: Owners, k: int) -> Positions:
        chosen = best(scores - self._scale * (self._count[owners] - self._count.min()), k)
        np.add.at(self._count, owners[chosen], 1)
        return chosen


class ElasticRank:
    """A tax that bends the curve of utilities towards that of an anchor publisher.

    Xu et al., "Understanding accuracy-fairness trade-offs in re-ranking through elasticity in economics", SIGIR 2025:
    with v the publisher's share of summed scores and f(v) = v^(1 − t), the bonus is λ · (f(anchor) − f(v)) · f′(v).
    elasticity: t. anchor: the quantile of publishers, 0 to 1, that others are drawn to. weight: λ.
    """

    name = "ElasticRank"

    def __init__(
        self, publishers: int, *, elasticity: float = 1.15, anchor: float = 0.15, weight: float = 0.05
    ) -> None:
        self._power = 1 - elasticity
        self._anchor = min(int(publishers * anchor), publishers - 1)
        self._weight = weight
        self._utility: Floats = np.ones(publishers)

    def rank(self, scores: Scores, owners: Owners, k: int) -> Positions:
        share = self._utility / self._utility.sum()
        anchor = np.partition(share, self._anchor)[self._anchor]
        distance = (anchor**self._power - share**self._power) * self._power * share ** (self._power - 1)
        chosen = best(scores + self._weight * distance[owners], k)
        np.add.at(self._utility, owners[chosen], scores[chosen])
        return chosen


class ManifoldRank:
    """A step along the gradient of a welfare of two parameters, as long as the request's scores are undecided.

    As published with the FairDiverse toolkit in 2026. The welfare is sign(αβ) (Σ vᵝ)^α, whose gradient, made to sum to
    one, is a malus. Its weight is a_e · (E − b) − a_s · S within 0.08 and 10, with E the entropy, to base 1.2, of the
    softmax of the request's scores, and S their skewness. scale: multiplies that weight, 1 as published.
    """

    name = "ManifoldRank"

    def __init__(
        self,
        publishers: int,
        *,
        alpha: float = -3.0,
        beta: float = -1.5,
        entropy_weight: float = 0.7,
        entropy_base: float = 21.0,
        skew_weight: float = 0.5,
        scale: float = 1.0,
    ) -> None:
        assert alpha * beta != 0
        self._alpha, self._beta, self._scale = alpha, beta, scale
        self._entropy_weight, self._entropy_base, self._skew_weight = entropy_weight, entropy_base, skew_weight
        self._utility: Floats = np.ones(publishers)

    def rank(self, scores: Scores, owners: Owners, k: int) -> Positions:
        step = self._scale * self._step(scores[scores > _CERTAIN].astype(np.float64))
        malus = math.copysign(step, self._alpha * self._beta) * self._gradient()
        chosen = best(scores - malus[owners], k)
        np.add.at(self._utility, owners[chosen], scores[chosen])
        return chosen

    def _gradient(self) -> Floats:
        alpha, beta, utility = self._alpha, self._beta, self._utility
        powers = utility**beta
        total = powers.sum()
        # The leading power of the total is the same for all and leaves with the scale.
        direction = beta * powers * (1 / utility + (alpha - 1) * utility ** (beta - 1) / total)
        curvature = alpha * beta * ((alpha - 1) * beta * powers + (beta - 1) * total)
        whole = direction.sum()
        # With as many publishers as 1 − α it begins at a point where all of it is 0.
        gradient: Floats = np.sign(curvature) * direction / (whole if whole != 0 else 1.0)
        return gradient

    def _step(self, scores: Floats) -> float:
        if not len(scores):
            return 0.08
        odds = np.exp(scores - scores.max())
        chances = odds / odds.sum()
        entropy = -float(chances @ np.log(np.maximum(chances, 1e-300))) / math.log(1.2)
        deviation = scores - scores.mean()
        spread = float(np.sqrt(np.mean(deviation**2)))
        skew = float(np.mean(deviation**3)) / spread**3 if spread > 0 else 0.0
        step = self._entropy_weight * (entropy - self._entropy_base) - self._skew_weight * skew
        return min(max(step, 0.08), 10.0)


class PMMF:
    """Max-min fairness by mirror descent on dual prices, each step solved exactly.

    Xu et al., "P-MMF: Provider max-min fairness re-ranking in recommender system", WWW 2023, algorithm 1. requests: how
    many are to come. items: how many there are; the step is η/√items. capacity: the most a publisher may get, in equal
    shares; as a part of all slots it is ρ of the paper. With 3.4 it comes out with the nDCG published for it.
    """

    name = "P-MMF"

    def __init__(
        self,
        publishers: int,
        requests: int,
        items: int,
        *,
        capacity: float = 3.4,
        weight: float = 0.5,
        step: float = 0.01,
        momentum: float = 0.2,
    ) -> None:
        self._rho = np.full(publishers, capacity / publishers)
        self._requests = requests
        self._weight, self._step, self._momentum = weight, step / math.sqrt(items), momentum
        self._duals = Duals(np.zeros(publishers), np.zeros(publishers))
        self._count: Floats = np.zeros(publishers)

    def rank(self, scores: Scores, owners: Owners, k: int) -> Positions:
        spent = self._count >= self._requests * k * self._rho
        bids = scores - self._duals.dual[owners] - 1e4 * spent[owners]
        chosen = best(bids, k)
        chosen = chosen[np.argsort(-scores[chosen], kind="stable")]
        np.add.at(self._count, owners[chosen], 1)
        got = np.bincount(owners[chosen], minlength=len(self._rho)) / max(1, len(chosen))
        self._duals = descended(self._duals, self._rho - got, self._rho, self._weight, self._step, self._momentum)
        return chosen


def best(amounts: NDArray[np.floating], k: int) -> Positions:
    """Where the k largest are, the largest first; of equal ones the earlier."""
    if k >= len(amounts):
        return np.argsort(-amounts, kind="stable")
    least = -np.partition(-amounts, k - 1)[k - 1] if k else math.inf
    found = np.flatnonzero(amounts >= least)
    return found[np.argsort(-amounts[found], kind="stable")][:k]
