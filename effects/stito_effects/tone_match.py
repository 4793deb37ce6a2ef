"""A closed-form guess for equalisers: decibels of a cascade are nearly linear in its band gains."""

from __future__ import annotations

import torch
from torch import Tensor

from stito.dsp.statistics import log_grid, long_term_spectrum, ridge_gains
from stito.effect import LinearEffect
from stito.params import Settings, as_batch

__all__ = ["matched_gains"]

PROBE_DB = 3.0
"""The boost at which each band's curve is measured, to be scaled."""
LIMIT_DB = 12.0
"""Average spectra of different songs differ for reasons that no equaliser should undo."""
RIDGE = 0.02
FLOOR_DB = -60.0
"""Below this, relative to the loudest, a spectrum is noise or nothing: it tells no tone."""
RESPONSE_POINTS = 1 << 15


def matched_gains(effect: LinearEffect, x: Tensor, reference: Tensor, sample_rate: int) -> Settings:
    """Settings whose `*_gain_db` bring the average spectrum of `x` (2, t) nearest to that of `reference` (2, t).

    Frequencies and widths stay neutral. Ridge least squares over a log-frequency grid, with the level difference
    removed, clipped to 12 dB either side.
    """
    grid = log_grid()
    grid = grid[grid < 0.45 * sample_rate]
    ours, theirs = (_floored(long_term_spectrum(audio, sample_rate, grid)) for audio in (x, reference))
    names = [param.name for param in effect.params if param.name.endswith("_gain_db")]
    curves = torch.stack([_curve(effect, name, grid, sample_rate) for name in names])
    gains = ridge_gains(curves, theirs - ours, ridge=RIDGE, limit_db=LIMIT_DB)
    return effect.neutral() | dict(zip(names, gains.tolist(), strict=True))


def _floored(spectrum: Tensor) -> Tensor:
    return spectrum.clamp_min(spectrum.max() + FLOOR_DB)


def _curve(effect: LinearEffect, name: str, grid: Tensor, sample_rate: int) -> Tensor:
    """What 1 dB of the band `name` does, in dB at the frequencies of the grid: (m,)."""
    settings = as_batch(effect.neutral() | {name: PROBE_DB}, dtype=torch.float64)
    response = effect.response(settings, RESPONSE_POINTS, sample_rate)[0, 0]
    bins = (grid * RESPONSE_POINTS / sample_rate).round().long()
    return 20 * torch.log10(response[bins].abs()) / PROBE_DB
