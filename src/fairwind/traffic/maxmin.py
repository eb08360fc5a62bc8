"""Max-min fairness: raise whoever has least, by mirror descent on dual prices. Pure.

P-MMF (Xu et al., "P-MMF: Provider max-min fairness re-ranking in recommender system", WWW 2023, algorithm 1). The paper
solves a quadratic programme for every request; its solution is a soft threshold.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Duals(NamedTuple):
    """What descent holds. dual: float64[G], what an impression of a host costs. gradient: float64[G], averaged."""

    dual: Floats
    gradient: Floats


def descended(duals: Duals, gradient: Floats, rho: Floats, bound: float, step: float, momentum: float) -> Duals:
    """One step (equations 9 to 11): μ ← argmin over D of ⟨g, μ⟩ + ‖ρ(μ − μₜ)‖²/2η, with g averaged over time.

    gradient: float64[G], what each host is to get of a request less what it got. rho: float64[G], above 0, the hosts'
    shares of all capacity. bound: λ, the weight of the least share. step: η. momentum: α, the part of the new gradient.
    """
    averaged = momentum * gradient + (1 - momentum) * duals.gradient
    return Duals(projected(duals.dual - step * averaged / rho**2, rho, bound), averaged)


def projected(dual: Floats, rho: Floats, bound: float) -> Floats:
    """The nearest μ, by ‖ρ(μ − dual)‖, of which no set of hosts has a sum of ρμ below −bound: float64[G].

    The worst set is that of all negative entries, so only their sum is bounded: the projection of the negative part of
    ρ·dual on an L1 ball, which lowers all by the same and stops at 0 (Duchi et al., ICML 2008, figure 1).
    """
    scaled = rho * dual
    return np.where(scaled < 0, -_on_ball(np.maximum(-scaled, 0), bound), scaled) / rho


def _on_ball(amounts: Floats, bound: float) -> Floats:
    """The nearest amounts whose sum is at most bound. amounts: float64[n], not negative."""
    if amounts.sum() <= bound:
        return amounts
    descending = np.sort(amounts)[::-1]
    excess = (np.cumsum(descending) - bound) / np.arange(1, len(amounts) + 1)
    threshold = excess[np.flatnonzero(descending > excess)[-1]] if bound > 0 else descending[0]
    within: Floats = np.maximum(amounts - threshold, 0)
    return within
