"""What showing an item is worth to a viewer, learnt from what came of showing it before. Pure.

Empirical Bayes: rates of items are shrunk to their host, those of hosts to the mean host, as strongly as mature hosts
and their items are found to be alike. A viewer's taste for categories is a bounded factor on top.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import ArrayLike, NDArray

from fairwind.kernel import Invalid
from fairwind.traffic.settings import check, settings_of

Floats = NDArray[np.float64]
Scores = NDArray[np.float32]
Indices = NDArray[np.int32]
Flags = NDArray[np.bool_]

STRENGTH_MIN, STRENGTH_MAX = 1.0, 1e5
"""Between these is every fitted strength: a prior is never less than one trial, and never beyond being moved."""
COUNT_MAX = 1e15
"""Larger counts would overflow when they are squared and summed."""


class UtilitySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What counts how much. Invalid, when made with a value out of its range, names the setting, range and unit."""

    click_weight: Annotated[
        float, Meta(ge=0, le=1000, description="What a click is worth", extra={"unit": "points"})
    ] = 1.0
    watch_weight: Annotated[
        float, Meta(ge=0, le=1000, description="What watching in full is worth", extra={"unit": "points"})
    ] = 1.0
    order_weight: Annotated[
        float, Meta(ge=0, le=1000, description="What an order is worth", extra={"unit": "points"})
    ] = 10.0
    watch_full_s: Annotated[
        float, Meta(gt=0, le=86_400, description="Which time for an impression is in full", extra={"unit": "seconds"})
    ] = 60.0
    watch_strength: Annotated[
        float,
        Meta(gt=0, le=1e5, description="How much own watch time counts half", extra={"unit": "impressions"}),
    ] = 20.0
    click_rate_prior: Annotated[
        float,
        Meta(ge=0, le=1, description="Click rate before anything is known", extra={"unit": "clicks per impression"}),
    ] = 0.05
    order_rate_prior: Annotated[
        float, Meta(ge=0, le=1, description="Order rate before anything is known", extra={"unit": "orders per click"})
    ] = 0.02
    watch_prior_s: Annotated[
        float,
        Meta(
            ge=0,
            le=86_400,
            description="Watch time before anything is known",
            extra={"unit": "seconds per impression"},
        ),
    ] = 5.0
    strength_prior: Annotated[
        float,
        Meta(
            ge=STRENGTH_MIN,
            le=STRENGTH_MAX,
            description="How much counts half while too few hosts are mature to tell",
            extra={"unit": "impressions or clicks"},
        ),
    ] = 50.0
    affinity_strength: Annotated[
        float,
        Meta(gt=0, le=1e5, description="How much of a viewer counts half", extra={"unit": "expected clicks"}),
    ] = 5.0
    affinity_order_clicks: Annotated[
        float, Meta(ge=0, le=1000, description="What an order tells of taste", extra={"unit": "clicks"})
    ] = 5.0
    affinity_max: Annotated[
        float,
        Meta(ge=1, le=100, description="Highest factor of taste; the lowest is one by this", extra={"unit": "factor"}),
    ] = 3.0

    def __post_init__(self) -> None:
        check(self, SETTINGS)
        if self.weight <= 0:
            raise Invalid("one of click_weight, watch_weight and order_weight must be above 0 (points)")

    @property
    def weight(self) -> float:
        """What is worth most: a click, a full watch and an order. Scores are parts of this."""
        return self.click_weight + self.watch_weight + self.order_weight


SETTINGS = settings_of(UtilitySettings)
"""Every setting of the prediction, in its order."""
DEFAULTS = UtilitySettings()


class Outcomes(NamedTuple):
    """What came of showing hosts, items or categories: float64[n] each, not negative, orders ≤ clicks ≤ impressions."""

    impressions: Floats
    clicks: Floats
    orders: Floats
    watch_ms: Floats


def outcomes(impressions: ArrayLike, clicks: ArrayLike, orders: ArrayLike, watch_ms: ArrayLike = 0) -> Outcomes:
    """Counts as they come in, whole or decayed, any number[n], made sound.

    What is no finite number or below 0 counts as 0, what is above COUNT_MAX as that. Clicks above impressions count as
    impressions, for one impression may be clicked twice, or clicked before it is counted; and orders above clicks as
    clicks.
    """
    shown = _sound(impressions)
    clicked = np.minimum(_sound(clicks), shown)
    watched = np.where(shown > 0, _sound(watch_ms), 0.0)
    return Outcomes(shown, clicked, np.minimum(_sound(orders), clicked), watched)


class Rate(msgspec.Struct, frozen=True):
    """A prior over rates. mean: of the mean host. Strengths: how many trials it counts for, for a host and an item."""

    mean: float
    host_strength: float
    item_strength: float


class Prior(msgspec.Struct, frozen=True):
    """What is believed of a host and an item of which nothing is known. watch_ms: for an impression."""

    click: Rate
    order: Rate
    watch_ms: float


def fitted(hosts: Outcomes, items: Outcomes, item_hosts: Indices, mature: Flags, settings: UtilitySettings) -> Prior:
    """The prior that mature hosts and their items show.

    hosts: of G hosts. items: of n items. item_hosts: int32[n], whose they are; those outside 0 … G − 1 are left out.
    mature: bool[G]. Without mature hosts that were shown it is what the settings say.
    """
    of_mature = np.append(mature, np.False_)[np.clip(item_hosts, -1, len(mature))]
    kept = Outcomes(*(each[mature] for each in hosts))
    parts = Outcomes(*(each[of_mature] for each in items))
    groups = item_hosts[of_mature]
    watch_ms = _mixed(
        kept.watch_ms.sum(), kept.impressions.sum(), 1000 * settings.watch_prior_s, settings.strength_prior
    )
    return Prior(
        _rate(
            kept.clicks,
            kept.impressions,
            (parts.clicks, parts.impressions, groups),
            settings.click_rate_prior,
            settings,
        ),
        _rate(kept.orders, kept.clicks, (parts.orders, parts.clicks, groups), settings.order_rate_prior, settings),
        float(watch_ms),
    )


def strength(successes: Floats, trials: Floats, groups: Indices) -> float | None:
    """How alike rates within groups are: α + β of a Beta around each group's rate. None when nothing tells.

    successes, trials: float64[n], successes ≤ trials. groups: int[n], from 0. The method of moments with weights as
    trials: S = Σ n(p − p̂)² has mean p̂q̂[(k − 1)(1 − γ) + γ(N − Σn²/N)] in each group, and γ = 1/(α + β + 1)
    (Kleinman, "Proportions with extraneous variance", JASA 1973, section 2). Differences smaller than chance would make
    give the largest strength.
    """
    tried = trials > 0
    won, of, group = successes[tried], trials[tried], groups[tried]
    total, members = np.bincount(group, of), np.bincount(group)
    used = np.maximum(total, 1e-300)
    rate = np.bincount(group, won) / used
    spread, between = rate * (1 - rate), np.maximum(members - 1, 0)
    observed = float(of @ (won / of - rate[group]) ** 2)
    room = float(spread @ (total - np.bincount(group, of * of) / used - between))
    if room <= 1e-12:
        return None
    alike = (observed - float(spread @ between)) / room
    return float(np.clip(1 / max(alike, 1 / (STRENGTH_MAX + 1)) - 1, STRENGTH_MIN, STRENGTH_MAX))


def shrunk(successes: Floats, trials: Floats, mean: Floats | float, strength: Floats | float) -> Floats:
    """Rates between their own and the mean, which counts as strength trials: means of Beta posteriors, float64[n]."""
    return np.asarray((successes + strength * mean) / (trials + strength))


class Predictor:
    """What showing each item is worth, made from counts every few seconds. Any thread may predict; nothing changes.

    The score of an item is (click_weight · P(click) + watch_weight · watch time in watch_full_s, at most 1 +
    order_weight · P(click) · P(order | click)) / the sum of the weights: 0 to 1, where 1 is a viewer who surely clicks,
    watches in full and orders. At an equal prior and host, more clicks never make it less: for this the prior of orders
    counts for no fewer clicks than the prior of clicks brings in.
    """

    def __init__(
        self,
        prior: Prior,
        hosts: Outcomes,
        items: Outcomes,
        item_hosts: Indices,
        item_categories: Indices,
        settings: UtilitySettings = DEFAULTS,
    ) -> None:
        """hosts: of G hosts. items: of n items. item_hosts: int32[n]; one outside 0 … G − 1 is a mean host.

        item_categories: int32[n]; −1 for unknown.
        """
        assert len(items.impressions) == len(item_hosts) == len(item_categories)
        least = prior.click.host_strength * prior.click.mean
        click = np.append(
            shrunk(hosts.clicks, hosts.impressions, prior.click.mean, prior.click.host_strength), prior.click.mean
        )
        order = np.append(
            shrunk(hosts.orders, hosts.clicks, prior.order.mean, max(prior.order.host_strength, least)),
            prior.order.mean,
        )
        watch_ms = np.append(
            shrunk(hosts.watch_ms, hosts.impressions, prior.watch_ms, settings.watch_strength), prior.watch_ms
        )
        # As unsigned numbers what is below 0 lies above all as well, and is clipped to the last, which is unknown.
        owner = np.append(item_hosts, -1).astype(np.int32).view(np.uint32)
        host_click, host_order, host_watch_ms = (each.take(owner, mode="clip") for each in (click, order, watch_ms))
        every = Outcomes(*(np.append(each, 0.0) for each in items))
        item_least = prior.click.item_strength * host_click
        self._scores: Scores = _value(
            shrunk(every.clicks, every.impressions, host_click, prior.click.item_strength),
            shrunk(every.orders, every.clicks, host_order, np.maximum(prior.order.item_strength, item_least)),
            shrunk(every.watch_ms, every.impressions, host_watch_ms, settings.watch_strength),
            settings,
        )
        self._categories = np.append(item_categories, -1).astype(np.int32).view(np.uint32)

    @property
    def scores(self) -> Scores:
        """Of every item for a viewer without known taste: float32[n], 0 to 1, read-only."""
        return self._scores[:-1]

    def predict(self, items: NDArray[np.integer], affinity: Scores | None = None) -> Scores:
        """What showing each candidate to a viewer is worth: float32[m], 0 to 1.

        items: int[m], candidates; one outside 0 … n − 1 is worth as much as a new item of a new host. affinity:
        float32[C], the viewer's factor for each category; None for a viewer who is not known. A category that is
        unknown, or beyond C, has factor 1.
        """
        rows = np.asarray(items, np.int32).view(np.uint32)
        scores: Scores = self._scores.take(rows, mode="clip")
        if affinity is not None:
            factors = np.append(affinity, np.float32(1)).astype(np.float32, copy=False)
            scores *= factors.take(self._categories.take(rows, mode="clip"), mode="clip")
            np.minimum(scores, np.float32(1), out=scores)
        return scores


class Affinity:
    """Viewers' taste for categories, against what all viewers do there. Made from counts every few seconds."""

    def __init__(self, everyone: Outcomes, settings: UtilitySettings = DEFAULTS) -> None:
        """everyone: of C categories, of all viewers."""
        self._settings = settings
        signals, shown = self._signals(everyone.clicks, everyone.orders), everyone.impressions
        mean = _mixed(signals.sum(), shown.sum(), settings.click_rate_prior, settings.strength_prior)
        self._rate = shrunk(signals, shown, mean, settings.strength_prior)

    def of(self, viewer: Outcomes) -> Scores:
        """A viewer's factor for each category: float32[C], from 1/affinity_max to affinity_max, 1 without impressions.

        viewer: of C categories. What the viewer clicked, by what was to be expected of one who is as active in all
        categories, both with affinity_strength clicks added: the gamma-Poisson shrinkage of a ratio (Clayton & Kaldor,
        "Empirical Bayes estimates of age-standardized relative risks", Biometrics 1987, equation 3).
        """
        assert viewer.impressions.shape == self._rate.shape
        strength, most = self._settings.affinity_strength, self._settings.affinity_max
        had = self._signals(viewer.clicks, viewer.orders)
        expected = viewer.impressions * self._rate
        activity = (had.sum() + strength) / (expected.sum() + strength)
        factors = (had + strength) / (activity * expected + strength)
        bounded: Scores = np.clip(factors, 1 / most, most).astype(np.float32)
        return bounded

    def _signals(self, clicks: Floats, orders: Floats) -> Floats:
        return clicks + self._settings.affinity_order_clicks * orders


def _value(click: Floats, order: Floats, watch_ms: Floats, settings: UtilitySettings) -> Scores:
    watched = np.minimum(watch_ms / (1000 * settings.watch_full_s), 1)
    points = click * (settings.click_weight + settings.order_weight * order) + settings.watch_weight * watched
    scores: Scores = np.clip(points / settings.weight, 0, 1).astype(np.float32)
    scores.flags.writeable = False
    return scores


def _rate(
    successes: Floats, trials: Floats, parts: tuple[Floats, Floats, Indices], mean: float, settings: UtilitySettings
) -> Rate:
    """The prior that hosts and their parts show. mean: what the rate is taken for as long as nothing is known."""
    one = np.zeros(len(trials), np.int32)
    host_strength = strength(successes, trials, one) or settings.strength_prior
    # Each host counts by how well its rate is known, not by its traffic: the mean is that of hosts, not of impressions.
    known = trials / (trials + host_strength)
    found = float(known @ (successes / np.maximum(trials, 1e-300)) / max(float(known.sum()), 1e-300))
    return Rate(
        float(_mixed(found * trials.sum(), trials.sum(), mean, settings.strength_prior)),
        host_strength,
        strength(*parts) or settings.strength_prior,
    )


def _mixed(total: float, trials: float, mean: float, strength: float) -> float:
    return (total + strength * mean) / (trials + strength)


def _sound(counts: ArrayLike) -> Floats:
    return np.clip(np.nan_to_num(np.asarray(counts, np.float64), posinf=0.0), 0.0, COUNT_MAX)
