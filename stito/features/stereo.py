"""The stereo image: balance between left and right, their likeness, and width."""

from __future__ import annotations

from torch import Tensor

from stito.dsp.loudness import FLOOR, decibels
from stito.dsp.stft import StereoBands

__all__ = ["correlation", "level_difference_db", "side_mid_db", "stereo"]

RATIO_FLOOR = 1e-5
"""Ratios end at 50 dB: mono is -50 dB of side, hard left is 50 dB of difference."""


def stereo(bands: StereoBands, *, group: int = 8) -> dict[str, Tensor]:
    """The stereo image over the whole length: overall (b,), and per broad band (b, m) of `group` bands each.

    * `level_difference_db`, `correlation`, `side_mid_db` and, for each, `..._band`: see the functions of those names.
    * `mid_db`, `side_db` (b,): mean squares of (left +- right) / sqrt 2 in dB; equal channels have a mid 3 dB above
      either channel.
    * `stereo_band_hz` (b, m): centres of the broad bands.
    """
    mean = bands.over_time()
    overall, broad = mean.whole(), mean.grouped(group)
    return {
        "level_difference_db": level_difference_db(overall)[:, 0],
        "correlation": correlation(overall)[:, 0],
        "mid_db": decibels(overall.mid[:, 0, 0]),
        "side_db": decibels(overall.side[:, 0, 0]),
        "side_mid_db": side_mid_db(overall)[:, 0],
        "stereo_band_hz": broad.centre_hz.expand(mean.left.shape[0], -1),
        "level_difference_band_db": level_difference_db(broad),
        "correlation_band": correlation(broad),
        "side_mid_band_db": side_mid_db(broad),
    }


def level_difference_db(mean: StereoBands) -> Tensor:
    """Left over right in dB, (b, k), of energies averaged over time; positive is left, at most 50 dB either way."""
    return _ratio_db(mean.left, mean.right)


def side_mid_db(mean: StereoBands) -> Tensor:
    """Side over mid in dB, (b, k), of energies averaged over time; mono is -50, a single channel 0."""
    return _ratio_db(mean.side, mean.mid)


def correlation(mean: StereoBands) -> Tensor:
    """sum(l r) / sqrt(sum(l^2) sum(r^2)), (b, k): 1 mono, 0 unrelated or one channel silent, -1 in anti-phase."""
    return (mean.cross / ((mean.left + FLOOR) * (mean.right + FLOOR)).sqrt())[:, 0]


def _ratio_db(above: Tensor, below: Tensor) -> Tensor:
    floor = RATIO_FLOOR * (above + below) + FLOOR
    return (decibels(above + floor, 0.0) - decibels(below + floor, 0.0))[:, 0]
