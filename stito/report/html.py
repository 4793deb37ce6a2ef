"""The page itself: templates filled with a report's data, written as one file that loads nothing from anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from stito.files.atomic import write_atomic
from stito.pages import Templates
from stito.report.audio import Excerpt, encode, level_gains_db
from stito.report.data import Clip, ComparisonData, Headline, ReportData, ReportRow
from stito.report.plots import convergence_plot, metric_places, spectrum_plot, waveform_path
from stito.report.values import (
    knob_label,
    moved_knobs,
    movement,
    unit_heads_line,
    written,
    written_cell,
    written_knob,
    written_reduction,
)

__all__ = ["render_comparison", "render_report", "write_comparison", "write_report"]


@dataclass(frozen=True)
class Track:
    """One clip as the page plays it."""

    clip: Clip
    excerpt: Excerpt
    level_db: float
    waveform: str

    @property
    def player(self) -> dict[str, float]:
        """What the script needs to know of it."""
        return {"seconds": round(self.clip.seconds, 6), "level": round(10 ** (self.level_db / 20), 6)}


def write_report(path: Path, data: ReportData) -> None:
    """Write the report as one HTML file: whole or not at all.

    Raises:
        OutputError: the file cannot be written there.
    """
    write_atomic(path, render_report(data), overwrite=True)


def write_comparison(path: Path, data: ComparisonData) -> None:
    """Write the page of a comparison; as `write_report`."""
    write_atomic(path, render_comparison(data), overwrite=True)


def render_report(data: ReportData) -> str:
    """The report as the text of an HTML page."""
    return _page("report.html.j2", [row.players for row in data.rows], report=data)


def render_comparison(data: ComparisonData) -> str:
    """A comparison of methods as the text of an HTML page."""
    return _page("comparison.html.j2", [row.players for row in data.rows], comparison=data)


def _page(template: str, players: Sequence[Sequence[Clip]], **shown: ReportData | ComparisonData) -> str:
    """A template with its players."""
    values: dict[str, Any] = {"tracks": [_tracks(row) for row in players], **shown}
    return _templates().render(template, scripts=["report.js"], **values)


def _tracks(players: Sequence[Clip]) -> list[Track]:
    levels = level_gains_db(players)
    gains = [10 ** (level / 20) for level in levels]
    loudest = max((g * float(np.abs(c.samples).max()) for g, c in zip(gains, players, strict=True)), default=0.0)
    return [
        Track(clip, encode(clip.samples, clip.sample_rate), level, waveform_path(clip, gain / (loudest or 1.0)))
        for clip, level, gain in zip(players, levels, gains, strict=True)
    ]


@lru_cache(maxsize=1)
def _templates() -> Templates:
    return Templates(
        "stito.report",
        filters={
            "written": written,
            "written_knob": written_knob,
            "knob_label": knob_label,
            "moved_knobs": moved_knobs,
            "movement": movement,
            "places": metric_places,
            "spectrum_plot": spectrum_plot,
            "convergence_plot": convergence_plot,
            "written_reduction": written_reduction,
            "distance": _distance,
            "verdict": _verdict,
            "lasting": _lasting,
            "widest": _widest,
            "cell": written_cell,
        },
        tests={"headed": unit_heads_line},
    )


def _distance(value: float) -> str:
    return f"{value:.3g}".replace("-", "\N{MINUS SIGN}")


def _verdict(headline: Headline) -> str:
    """The outcome in one sentence."""
    reduction = headline.reduction
    before, after = _distance(headline.before), _distance(headline.after)
    if reduction is None or before == after:
        return f"{headline.measure} stayed at {after}."
    if reduction < 0:
        return f"{headline.measure} rose from {before} to {after}: the result is further away than the input was."
    return f"{headline.measure} fell from {before} to {after}."


def _lasting(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def _widest(rows: Sequence[ReportRow]) -> float:
    """The largest distance of all rows: the full width of the bars."""
    distances = [distance for row in rows for distance in row.distances or ()]
    return max([distance for distance in distances if np.isfinite(distance)], default=0.0)
