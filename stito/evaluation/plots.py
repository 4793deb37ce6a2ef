"""Pictures of evaluations, and the only place that uses matplotlib: PNGs drawn without a display or global state."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stito.errors import MissingDependencyError
from stito.evaluation.encoders.disentanglement import Cloud
from stito.evaluation.statistics import Estimate
from stito.metrics.scikit import tsne, tsne_of_distances

__all__ = [
    "anytime_curves_png",
    "boxes_png",
    "classes_png",
    "cloud_png",
    "distances_png",
    "dots_png",
    "require",
    "shares_png",
]

MARKERS = "osv^<>DdpPXhH8*1234+x|_.,"
"""One for each of 25 segments."""
PANEL_IN = 3.0
COLUMNS = 3
DPI = 110
LEGEND = 25
"""More classes are not named."""


def require() -> Any:
    """matplotlib, or `MissingDependencyError` with the command that installs it."""
    try:
        import matplotlib
        from matplotlib.backends import backend_agg
    except ImportError as error:
        raise MissingDependencyError(
            f"Pictures need matplotlib, which cannot be imported: {error}",
            hint="Install it with: pip install 'stito[eval]'",
        ) from error
    return matplotlib, backend_agg


def cloud_png(clouds: Mapping[str, Cloud], *, seed: int = 0) -> bytes:
    """t-SNE maps of an encoder, one panel for each effect, as a PNG: colour = configuration, marker = segment.

    As Fig. 2 of Koo et al.: where one colour gathers, the embedding separates effects; where one marker gathers,
    it separates the music.
    """
    matplotlib, backend = require()
    from matplotlib.figure import Figure

    columns = min(COLUMNS, len(clouds))
    rows = -(-len(clouds) // columns)
    drawing = Figure(figsize=(PANEL_IN * columns, PANEL_IN * rows), dpi=DPI, layout="constrained")
    backend.FigureCanvasAgg(drawing)
    panels = drawing.subplots(rows, columns, squeeze=False).ravel()
    for panel in panels[len(clouds) :]:
        panel.set_visible(False)
    for panel, (name, cloud) in zip(panels, clouds.items(), strict=False):
        _draw(panel, name, cloud, matplotlib.colormaps["turbo"], seed)
    return _png(drawing)


def classes_png(distances: np.ndarray, labels: Sequence[str], *, seed: int = 0) -> bytes:
    """A t-SNE map of sounds by their distances (n, n), as a PNG: colour and marker are the class."""
    matplotlib, backend = require()
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(7.5, 5.0), dpi=DPI, layout="constrained")
    backend.FigureCanvasAgg(drawing)
    panel = drawing.subplots()
    places, names = tsne_of_distances(distances, seed), np.array(labels)
    classes = sorted(set(labels))
    shades = matplotlib.colormaps["turbo"](np.linspace(0.04, 0.96, len(classes)))
    for number, name in enumerate(classes):
        x, y = places[names == name].T
        panel.scatter(x, y, s=22, color=[shades[number]], marker=MARKERS[number % len(MARKERS)], label=name)
    panel.set_xticks([])
    panel.set_yticks([])
    if len(classes) <= LEGEND:
        drawing.legend(loc="outside right upper", fontsize=8)
    return _png(drawing)


def distances_png(summary: Mapping[str, Mapping[str, Mapping[str, float]]]) -> bytes:
    """Mean distances to the truth with their intervals, by kind of case and method: a panel for each kind."""
    _, backend = require()
    from matplotlib.figure import Figure

    methods = list(summary["all"])
    height = 0.9 + 0.26 * len(methods)
    drawing = Figure(figsize=(2.6 * len(summary) + 1.4, height), dpi=DPI, layout="constrained")
    backend.FigureCanvasAgg(drawing)
    panels = drawing.subplots(1, len(summary), squeeze=False, sharey=True).ravel()
    for panel, (kind, found) in zip(panels, summary.items(), strict=True):
        for place, method in enumerate(methods):
            if method not in found:
                continue
            for offset, measure, colour in ((-0.14, "left_right", "C0"), (0.14, "mid_side", "C1")):
                mean, low, high = (found[method][f"{measure}{end}"] for end in ("", "_low", "_high"))
                panel.plot([low, high], [place + offset] * 2, color=colour, linewidth=1.4)
                panel.plot(mean, place + offset, "o", color=colour, markersize=4)
        panel.set_title(kind, fontsize=10)
        panel.set_xlim(left=0)
        panel.grid(axis="x", alpha=0.3)
        panel.tick_params(labelsize=8)
    panels[0].set_yticks(range(len(methods)), methods)
    panels[0].invert_yaxis()
    return _png(drawing)


def dots_png(values: Mapping[str, Sequence[float]], title: str) -> bytes:
    """A row of dots for each name, with a line at their mean."""
    _, backend = require()
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(7.0, 0.9 + 0.3 * len(values)), dpi=DPI, layout="constrained")
    backend.FigureCanvasAgg(drawing)
    panel = drawing.subplots()
    for place, found in enumerate(values.values()):
        panel.plot(found, [place] * len(found), "o", color="C0", markersize=5, alpha=0.7)
        panel.plot([float(np.mean(found))] * 2, [place - 0.3, place + 0.3], color="C1", linewidth=2)
    panel.set_yticks(range(len(values)), list(values))
    panel.invert_yaxis()
    panel.set_xlabel(title)
    panel.grid(axis="x", alpha=0.3)
    panel.tick_params(labelsize=8)
    return _png(drawing)


def shares_png(shares: Mapping[str, Mapping[str, Estimate]], aim: float, title: str) -> bytes:
    """Shares with their intervals, a row for each name and a panel for each kind, and a line at what is aimed at."""
    _, backend = require()
    from matplotlib.figure import Figure

    names = list(next(iter(shares.values())))
    drawing = Figure(figsize=(2.6 * len(shares) + 2.4, 1.1 + 0.3 * len(names)), dpi=DPI, layout="constrained")
    backend.FigureCanvasAgg(drawing)
    panels = drawing.subplots(1, len(shares), squeeze=False, sharey=True).ravel()
    for panel, (kind, found) in zip(panels, shares.items(), strict=True):
        for place, name in enumerate(names):
            value = found[name]
            panel.plot([100 * value.low, 100 * value.high], [place] * 2, color="C0", linewidth=1.4)
            panel.plot(100 * value.mean, place, "o", color="C0", markersize=5)
        panel.axvline(100 * aim, color="C1", linewidth=1)
        panel.set_title(kind, fontsize=10)
        panel.set_xlim(-2, 102)
        panel.set_xlabel(title)
        panel.grid(axis="x", alpha=0.3)
        panel.tick_params(labelsize=8)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    return _png(drawing)


def anytime_curves_png(curves: Mapping[str, Sequence[tuple[float, float, float]]]) -> bytes:
    """Anytime curves: the distance to the truth (left/right) against seconds, a line for each method."""
    _, backend = require()
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(7.5, 4.0), dpi=DPI, layout="constrained")
    backend.FigureCanvasAgg(drawing)
    panel = drawing.subplots()
    for marker, (method, curve) in zip(MARKERS * len(curves), curves.items(), strict=False):
        moments, left_right, _ = zip(*curve, strict=True)
        panel.plot(range(len(moments)), left_right, marker=marker, markersize=5, label=method)
    panel.set_xticks(range(len(moments)), [f"{moment:g}" for moment in moments])
    panel.set_xlabel("seconds of one core")
    panel.set_ylabel("distance to the truth")
    panel.grid(alpha=0.3)
    panel.legend(fontsize=8)
    return _png(drawing)


def boxes_png(ratings: Mapping[str, Sequence[float]]) -> bytes:
    """Ratings from 0 to 100 as a box for each condition, the scale's words beside them."""
    _, backend = require()
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(1.6 + 0.9 * len(ratings), 4.2), dpi=DPI, layout="constrained")
    backend.FigureCanvasAgg(drawing)
    panel = drawing.subplots()
    panel.boxplot(list(ratings.values()), tick_labels=list(ratings), widths=0.5)
    panel.set_ylim(-2, 102)
    panel.set_yticks(range(0, 101, 20))
    panel.grid(axis="y", alpha=0.4)
    words = panel.secondary_yaxis("right")
    words.set_yticks(range(10, 100, 20), ["bad", "poor", "fair", "good", "excellent"])
    words.tick_params(length=0, labelsize=9)
    panel.tick_params(axis="x", labelrotation=30, labelsize=9)
    return _png(drawing)


def _png(drawing: Any) -> bytes:
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _draw(panel: Any, name: str, cloud: Cloud, colours: Any, seed: int) -> None:
    places = tsne(cloud.embeddings, seed)
    shade = colours(np.linspace(0.04, 0.96, int(cloud.configuration.max()) + 1))
    for segment in np.unique(cloud.segment):
        of = cloud.segment == segment
        panel.scatter(
            *places[of].T,
            s=16,
            linewidths=0.8,
            color=shade[cloud.configuration[of]],
            marker=MARKERS[int(segment) % len(MARKERS)],
        )
    panel.set_title(name, fontsize=10)
    panel.set_xticks([])
    panel.set_yticks([])
