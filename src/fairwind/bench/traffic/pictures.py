"""Pictures of what was measured: the frontier, Lorenz curves, and how new hosts came to their exposure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fairwind.bench.traffic.compared import Compared
from fairwind.bench.traffic.report import Report
from fairwind.bench.traffic.simulator import NEW_IMPRESSIONS
from fairwind.bench.traffic.watched import Watched
from fairwind.traffic import lorenz

_COLOURS = ("#7a869a", "#e08e45", "#2a9d8f", "#1d4e89")
_POINTS = 200
"""Of a Lorenz curve: more than the eye can tell apart."""


def draw(report: Report, folder: Path) -> list[Path]:
    """Draw what the report has, each as PNG and SVG, into folder, which is made. Returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    # Without a fixed salt and with a date the same picture would be another file each time.
    with mpl.rc_context(
        {"svg.hashsalt": "fairwind", "font.size": 10, "axes.spines.top": False, "axes.spines.right": False}
    ):
        return [path for name, drawn in _pictures(report) for path in _saved(drawn, folder, name)]


def _pictures(report: Report) -> Iterator[tuple[str, Callable[[Axes], None]]]:
    compared, days = report.compared, report.days
    if compared:
        yield "frontier", lambda axes: _frontier(axes, compared, report.k)
    if days:
        yield "lorenz", lambda axes: _lorenz(axes, days)
        yield "new-hosts", lambda axes: _new_hosts(axes, days)


def _saved(drawn: Callable[[Axes], None], folder: Path, name: str) -> Iterator[Path]:
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.subplots()
    drawn(axes)
    axes.grid(alpha=0.25)
    axes.legend(frameon=False)
    for kind, metadata in (("png", {}), ("svg", {"Date": None})):
        path = folder / f"{name}.{kind}"
        figure.savefig(path, dpi=150, metadata=metadata)
        yield path


def _frontier(axes: Axes, compared: Compared, k: int) -> None:
    for colour, name in zip(_COLOURS, dict.fromkeys(point.name for point in compared.frontier), strict=False):
        points = [point for point in compared.frontier if point.name == name]
        axes.plot([p.ndcg for p in points], [p.u_gini for p in points], "o-", color=colour, label=name, markersize=4)
    axes.invert_xaxis()
    axes.set(title=f"Evenness against usefulness, K = {k}", xlabel="nDCG", ylabel="Gini of utility among publishers")


def _lorenz(axes: Axes, days: list[Watched]) -> None:
    for colour, day in zip(_COLOURS, days, strict=False):
        curve = lorenz(day.exposure)
        hosts = np.linspace(0, 1, len(curve))
        shown = np.linspace(0, 1, _POINTS)
        label = f"{day.outcome.name}, Gini {day.outcome.gini:.3f}"
        axes.plot(shown, np.interp(shown, hosts, curve), color=colour, label=label)
    axes.plot((0, 1), (0, 1), ":", color="black", label="all the same")
    axes.set(
        title="Exposure of hosts in a simulated day", xlabel="share of hosts, least first", ylabel="share of exposure"
    )


def _new_hosts(axes: Axes, days: list[Watched]) -> None:
    for colour, day in zip(_COLOURS, days, strict=False):
        part, low, middle = np.array(day.new).T
        axes.plot(24 * part, middle, color=colour, label=day.outcome.name)
        axes.plot(24 * part, low, "--", color=colour)
    axes.axhline(NEW_IMPRESSIONS, color="black", linestyle=":", label="promised by the end of the first stage")
    axes.set(
        title="Exposure of new hosts: half have more, dashed: nine of ten have more",
        xlabel="hours of the simulated day",
        ylabel="impressions of a new host",
    )
