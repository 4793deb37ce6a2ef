"""The geometry of the report's plots: paths, ticks and read-outs, which the template draws as inline SVG.

Lines live on a canvas of 1000 by 1000 that the page stretches to any size; strokes and text do not stretch with it,
so a plot reads as well on a phone as on a desk.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stito.report.data import Array, Clip, Curve, Measured, ReportRow, Voice
from stito.report.values import written

__all__ = [
    "Line",
    "Plot",
    "Tick",
    "convergence_plot",
    "metric_places",
    "spectrum_plot",
    "waveform_path",
]

CANVAS = 1000
LOWEST_HZ, HIGHEST_HZ = 20.0, 20_000.0
SPECTRUM_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10_000)
SPECTRUM_POINTS = 160
SPECTRUM_DEPTH_DB = 60.0
WAVEFORM_BARS = 220


@dataclass(frozen=True)
class Tick:
    """A grid line, `at` per cent from the left or from the top."""

    at: float
    label: str


@dataclass(frozen=True)
class Line:
    """One line of a plot: a style, the words of its legend, and an SVG path on the canvas."""

    style: str
    label: str
    path: str


@dataclass(frozen=True)
class Plot:
    """All that the template needs to draw a plot.

    `readout` is what the page shows under the pointer: places `x` in [0, 1], their names `at`, and for each line the
    written `values` there.
    """

    description: str
    y_label: str
    lines: Sequence[Line]
    x_ticks: Sequence[Tick]
    y_ticks: Sequence[Tick]
    readout: dict[str, Any]


def spectrum_plot(curves: Sequence[Curve]) -> Plot:
    """Spectra over a logarithmic frequency axis; the level axis goes from the loudest point 60 dB down."""
    grid = np.geomspace(LOWEST_HZ, HIGHEST_HZ, SPECTRUM_POINTS)
    places = np.linspace(0, 1, SPECTRUM_POINTS)
    levels = [_on_grid(curve, grid) for curve in curves]
    loudest = max((float(np.nanmax(level)) for level in levels if np.isfinite(level).any()), default=0.0)
    top = 10 * math.ceil((loudest + 1) / 10)
    bottom = top - SPECTRUM_DEPTH_DB
    lines = [
        Line(curve.voice, curve.voice.capitalize(), _path(places, (top - level) / (top - bottom)))
        for curve, level in zip(curves, levels, strict=True)
    ]
    readout = {
        "x": [round(float(place), 4) for place in places],
        "at": [written(float(hz), "Hz") for hz in grid],
        "values": [[written(float(db), "dB") for db in level] for level in levels],
    }
    return Plot(
        description=f"Average spectra of {_listed(curve.voice for curve in curves)}, 20 Hz to 20 kHz.",
        y_label="dB",
        lines=lines,
        x_ticks=[
            *(Tick(100 * _along(hz), f"{hz // 1000}k" if hz >= 1000 else str(hz)) for hz in SPECTRUM_HZ),
            Tick(100, "Hz"),
        ],
        y_ticks=[Tick(100 * below / SPECTRUM_DEPTH_DB, _whole(top - below)) for below in (0, 20, 40, 60)],
        readout=readout,
    )


def convergence_plot(row: ReportRow) -> Plot | None:
    """The best loss over the evaluations, with those of the input and of the start; None if the row has no search."""
    steps = [(count, loss) for count, loss in row.convergence if math.isfinite(loss)]
    if not steps:
        return None
    counts = np.array([count for count, _ in steps], dtype=np.float64)
    best = np.minimum.accumulate([loss for _, loss in steps])
    levels = {
        "before": ("Input, untouched", row.loss_before),
        "start": ("Start", row.loss_start),
    }
    fixed = [value for _, value in levels.values() if value is not None and math.isfinite(value)]
    ticks = _round_steps(min([0.0, float(best.min()), *fixed]), max([float(best.max()), *fixed]))
    bottom, top = ticks[0], ticks[-1]
    last = max(float(counts[-1]), 1.0)

    def down(loss: float) -> float:
        return (top - loss) / (top - bottom)

    lines = [
        Line(style, label, f"M0 {_canvas(down(value))}H{CANVAS}")
        for style, (label, value) in levels.items()
        if value is not None and math.isfinite(value)
    ]
    lines.append(Line("best", "Best so far", _stairs(counts / last, (top - best) / (top - bottom))))
    return Plot(
        description=f"Best loss over {int(last)} evaluations, from {best[0]:.3g} to {best[-1]:.3g}.",
        y_label="loss",
        lines=lines,
        x_ticks=[Tick(100 * at / last, f"{at:,.0f}") for at in _round_steps(0.0, last) if 0 < at <= last],
        y_ticks=[Tick(100 * down(loss), f"{loss:.4g}".replace("-", "\N{MINUS SIGN}")) for loss in ticks],
        readout=_convergence_readout(counts, best, last, fixed),
    )


def waveform_path(clip: Clip, gain: float) -> str:
    """The peaks of an excerpt as 220 upright bars around the middle of the canvas; `gain` 1 fills it at full scale."""
    peaks = np.abs(clip.samples).max(axis=0)
    bounds = np.linspace(0, peaks.size, WAVEFORM_BARS + 1).astype(np.int64)
    step = CANVAS / WAVEFORM_BARS
    bars = []
    for index in range(WAVEFORM_BARS):
        start = min(int(bounds[index]), peaks.size - 1)
        peak = float(peaks[start : max(int(bounds[index + 1]), start + 1)].max())
        half = max(8, round(CANVAS / 2 * min(1.0, gain * peak)))
        bars.append(f"M{(index + 0.5) * step:.0f} {CANVAS // 2 - half}v{2 * half}")
    return "".join(bars)


def metric_places(metric: Measured) -> dict[Voice, float] | None:
    """Where the three values lie between the smallest and the largest, in per cent; None unless all were measured."""
    values: dict[Voice, float | None] = {
        "input": metric.input,
        "result": metric.result,
        "reference": metric.reference,
    }
    measured = {voice: value for voice, value in values.items() if value is not None and math.isfinite(value)}
    if len(measured) < len(values):
        return None
    low, high = min(measured.values()), max(measured.values())
    if low == high:
        return dict.fromkeys(measured, 50.0)
    return {voice: 100 * (value - low) / (high - low) for voice, value in measured.items()}


def _on_grid(curve: Curve, grid: Array) -> Array:
    """The levels of a curve at other frequencies; NaN beyond its ends."""
    positive = curve.freq_hz > 0
    at, db = np.log(curve.freq_hz[positive]), curve.db[positive]
    level: Array = np.interp(np.log(grid), at, db, left=np.nan, right=np.nan)
    return level


def _along(hz: float) -> float:
    return math.log(hz / LOWEST_HZ) / math.log(HIGHEST_HZ / LOWEST_HZ)


def _canvas(fraction: float) -> int:
    return round(CANVAS * min(max(fraction, -0.02), 1.02))


def _path(x: Array, y: Array) -> str:
    """A line through points in [0, 1]; it ends where y does."""
    points = [f"{_canvas(float(a))} {_canvas(float(b))}" for a, b in zip(x, y, strict=True) if math.isfinite(b)]
    return f"M{'L'.join(points)}" if points else ""


def _stairs(x: Array, y: Array) -> str:
    """A line that holds each value until the next one; the steps where nothing changes are left out."""
    path = f"M{_canvas(float(x[0]))} {_canvas(float(y[0]))}"
    level = _canvas(float(y[0]))
    for at, value in zip(x[1:], y[1:], strict=True):
        if (lower := _canvas(float(value))) != level:
            path += f"H{_canvas(float(at))}V{lower}"
            level = lower
    return f"{path}H{CANVAS}"


def _convergence_readout(counts: Array, best: Array, last: float, fixed: Sequence[float]) -> dict[str, Any]:
    chosen = np.unique(np.linspace(0, counts.size - 1, min(counts.size, 120)).astype(np.int64))
    return {
        "x": [round(float(counts[index]) / last, 4) for index in chosen],
        "at": [f"{int(counts[index]):,}" for index in chosen],
        "values": [*([f"{value:.3f}"] * len(chosen) for value in fixed), [f"{best[index]:.3f}" for index in chosen]],
    }


FLAT = 1e-12
"""What spans less than this has no steps of its own."""


def _round_steps(low: float, high: float) -> list[float]:
    """Round numbers, three to six of them, from at most `low` to at least `high`."""
    span = high - low if high - low > FLAT else 1.0
    rough = span / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first, final = math.floor(low / step + 1e-9), math.ceil(max(high, low + span) / step - 1e-9)
    return [index * step for index in range(first, final + 1)]


def _whole(db: float) -> str:
    return f"{db:.0f}".replace("-", "\N{MINUS SIGN}")


def _listed(words: Iterable[str]) -> str:
    *most, last = list(words) or ["nothing"]
    return f"{', '.join(most)} and {last}" if most else last
