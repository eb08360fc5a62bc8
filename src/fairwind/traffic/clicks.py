"""How many clicks other lists would have had, from the clicks on those that were shown. Pure.

The estimate is self-normalised doubly robust: what a model of clicks says of all new slots, put right by how far it was
wrong where the new slots show what was shown, weighted by new examination by propensity (Dudík et al., "Doubly robust
policy evaluation and learning", ICML 2011, equation 2; weights divided by their sum as in Swaminathan & Joachims, "The
self-normalized estimator for counterfactual learning", NIPS 2015, equation 9). It assumes:

- A click is an examined slot and a relevant item, and examination depends on the slot alone (position-based model;
  Joachims et al., "Unbiased learning-to-rank with biased feedback", WSDM 2017, section 4). Examination and model are
  fitted to the log together (in the way of Wang et al., "Position bias estimation for unbiased learning to rank in
  personal search", WSDM 2018, section 4, with a factor on predicted utility for each range of it).
- Where chance had a say in the lists, all that is shown newly could have been shown, with known propensities: then the
  estimate is right in the long run even if the model is not. Where it had none, what was not shown is taken to be as
  far from the model, on average, as what was.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Indices = NDArray[np.intp]

OVERLAP_MIN = 0.3
"""Clicks are estimated when this part of the new slots, by examination, shows what was or could have been shown."""
IMPRESSIONS_MIN, CLICKS_MIN = 100, 20
"""And when these are worth so many impressions, and had so many clicks."""
_RANGES, _ROUNDS, _EXAMINED_MIN = 5, 20, 0.01
_CLICKS_PRIOR = 0.5
"""How many clicks, of as many expected, the examination of a slot and the factor of a range begin with."""


class Slots(NamedTuple):
    """Slots of lists that something was in, of all requests, one after another.

    requests: intp[m], rising. slots: intp[m], from 0. utilities: float64[m], predicted, not negative.
    """

    requests: Indices
    slots: Indices
    utilities: Floats


class ClickModel(NamedTuple):
    """examination: float64[k], by the first slot's. factors: float64[ranges], clicks in the first slot by utility."""

    examination: Floats
    factors: Floats

    def chances(self, utilities: Floats, ranges: Indices) -> Floats:
        """How likely each is to be clicked in the first slot: float64[m], at most 1."""
        return np.minimum(utilities * self.factors[ranges], 1.0)


class Clicks:
    """The clicks of two sets of lists for the same R requests: those that were shown, and new ones."""

    def __init__(
        self, shown: Slots, clicked: Flags, propensity: Floats, new: Slots, source: Indices, requests: int, slots: int
    ) -> None:
        """clicked: bool[m]. propensity: float64[m], above 0, of being shown at all. source: intp[n], for each new slot
        which of shown has the same item of the same request; −1 for none.
        """
        self._shown, self._clicked, self._new = shown, clicked.astype(np.float64), new
        self._requests, self._slots = requests, slots
        edges = np.quantile(shown.utilities, np.linspace(0, 1, _RANGES + 1)[1:-1]) if len(clicked) else np.empty(0)
        self._shown_ranges = np.searchsorted(edges, shown.utilities)
        self._new_ranges = np.searchsorted(edges, new.utilities)
        self._both = np.flatnonzero(source >= 0)
        self._source = source[self._both]
        self._odds = 1 / propensity[self._source]

    def logged(self, weights: Floats) -> float:
        """Clicks on what was shown, for a request. weights: float64[R], how often each request counts."""
        return float(weights[self._shown.requests] @ self._clicked / weights.sum())

    def estimated(self, weights: Floats) -> float:
        """Clicks on the new lists, for a request. NaN when none of what they show was shown. weights: as above."""
        model = self.model(weights)
        chances = model.chances(self._new.utilities, self._new_ranges)
        examined, times = model.examination[self._new.slots], weights[self._new.requests]
        worth = (times * examined)[self._both] * self._odds
        if not worth.sum() > 0:
            return float("nan")
        relevance = self._clicked[self._source] / model.examination[self._shown.slots[self._source]]
        wrong = float(worth @ (relevance - chances[self._both]) / worth.sum())
        return float((times * examined) @ (chances + wrong) / weights.sum())

    def model(self, weights: Floats) -> ClickModel:
        """Examination e and factors a for which slot j and range b have e[j] · a[b] · U[j, b] clicks, in the log.

        U: the sum of utilities. The likeliest, were clicks Poisson: rows and columns are fitted in turn.
        """
        times, cells = weights[self._shown.requests], self._shown.slots * _RANGES + self._shown_ranges
        shape, size = (self._slots, _RANGES), self._slots * _RANGES
        clicks = np.bincount(cells, times * self._clicked, size).reshape(shape)
        utility = np.bincount(cells, times * self._shown.utilities, size).reshape(shape)
        mean = clicks.sum() / max(utility.sum(), 1e-300)
        examination, factors = np.ones(self._slots), np.full(_RANGES, mean)
        for _ in range(_ROUNDS):
            examination = (clicks.sum(axis=1) + _CLICKS_PRIOR) / (utility @ factors + _CLICKS_PRIOR)
            examination = np.maximum(examination / examination[0], _EXAMINED_MIN)
            fair = mean * (examination @ utility)
            level = (clicks.sum() + _CLICKS_PRIOR) / (fair.sum() + _CLICKS_PRIOR)
            factors = mean * (clicks.sum(axis=0) + _CLICKS_PRIOR * level) / (fair + _CLICKS_PRIOR)
        return ClickModel(examination, factors)

    def effective_impressions(self) -> float:
        """How many impressions with the same weight tell as much as those that count (Kish, 1965): (Σw)²/Σw²."""
        worth = self._examined()[self._both] * self._odds
        return float(worth.sum() ** 2 / (worth @ worth)) if len(worth) else 0.0

    def unknown(self) -> str | None:
        """Why clicks cannot be estimated; None when they can."""
        examined = self._examined()
        # Weighted by odds this is all of it when chance gave everything a way into the lists.
        part = min(1.0, float(examined[self._both] @ self._odds / max(examined.sum(), 1e-300)))
        effective, clicks = self.effective_impressions(), int(self._clicked[self._source].sum())
        if part < OVERLAP_MIN:
            return f"{part:.0%} of what would have been shown was or could have been; it takes {OVERLAP_MIN:.0%}"
        if effective < IMPRESSIONS_MIN:
            return f"what was shown of it is worth {effective:.0f} impressions; it takes {IMPRESSIONS_MIN}"
        if clicks < CLICKS_MIN:
            return f"what was shown of it had {clicks} clicks; it takes {CLICKS_MIN}"
        return None

    def _examined(self) -> Floats:
        """What each new slot is worth: float64[n]."""
        return self.model(np.ones(self._requests)).examination[self._new.slots]
