"""The closed form of equalisers: the response of a cascade in dB is almost linear in its band gains."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from stito.dsp.statistics import log_grid, long_term_spectrum, ridge_gains
from stito.effects.effect import LinearEffect
from stito.effects.param import Settings, as_batch

__all__ = ["corrected_gains"]

PROBE_DB = 3.0
"""The boost at which each band's curve is measured, to be scaled."""
LIMIT_DB = 12.0
"""Average spectra of different songs differ for reasons that no equaliser should undo."""
RIDGE = 0.02
FLOOR_DB = -60.0
"""Below this, relative to the loudest, a spectrum is noise or nothing, and is not compared."""
RESPONSE_POINTS = 1 << 15


def corrected_gains(
    effect: LinearEffect, settings: Mapping[str, float], made: Tensor, reference: Tensor, sample_rate: int
) -> Settings:
    """Settings whose `*_gain_db` fit the average spectrum of `made` (2, t) to that of `reference` (2, t).

    Frequencies and widths stay as they are. Ridge least squares over a log-frequency grid, without the difference in
    level. No gain goes beyond 12 dB up or down, except where it was beyond that before.
    """
    grid = log_grid()
    grid = grid[grid < 0.45 * sample_rate]
    ours, theirs = (_floored(long_term_spectrum(audio, sample_rate, grid)) for audio in (made, reference))
    now = {param.name: settings[param.name] for param in effect.params if param.name.endswith("_gain_db")}
    flat = {**settings, **dict.fromkeys(now, 0.0)}
    curves = torch.stack([_curve(effect, flat | {name: PROBE_DB}, grid, sample_rate) for name in now])
    changes = ridge_gains(curves, theirs - ours, ridge=RIDGE)
    return flat | {
        name: min(max(gain + change, min(gain, -LIMIT_DB)), max(gain, LIMIT_DB))
        for (name, gain), change in zip(now.items(), changes.tolist(), strict=True)
    }


def _floored(spectrum: Tensor) -> Tensor:
    return spectrum.clamp_min(spectrum.max() + FLOOR_DB)


def _curve(effect: LinearEffect, probe: Settings, grid: Tensor, sample_rate: int) -> Tensor:
    """What 1 dB of the one band that is up in `probe` does, in dB at the frequencies of the grid: (m,)."""
    response = effect.response(as_batch(probe, dtype=torch.float64), RESPONSE_POINTS, sample_rate)[0, 0]
    bins = (grid * RESPONSE_POINTS / sample_rate).round().long()
    return 20 * torch.log10(response[bins].abs()) / PROBE_DB
