"""Pictures of embeddings, and the only place that knows matplotlib: PNGs drawn without a display or global state."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np

from stito.errors import MissingDependencyError
from stito.evaluation.disentanglement import Cloud
from stito.metrics.scikit import tsne

__all__ = ["MARKERS", "cloud_png", "require"]

MARKERS = "osv^<>DdpPXhH8*1234+x|_.,"
"""One for each of 25 segments."""
PANEL_IN = 3.0
COLUMNS = 3
DPI = 110


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

    As Fig. 2 of Koo et al.: where one colour gathers, the encoder hears the effects; where one marker gathers, the
    music.
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
