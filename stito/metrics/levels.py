"""Errors between a result and a reference that need not share content or length: level, dynamics, width, spectrum.

Differences are signed, result minus reference, so that a report can say "1.2 dB wider"; take the absolute value to
rank. Shapes: result (b, 2, t), reference (b | 1, 2, t'); values (b,). `AudioError` for other shapes.
"""

from __future__ import annotations

from torch import Tensor

from stito.dsp.loudness import FLOOR, crest_db, decibels, integrated_loudness, measure
from stito.dsp.stft import StereoBands, stereo_bands
from stito.metrics import validate

__all__ = [
    "crest_difference",
    "level_errors",
    "loudness_difference",
    "loudness_range_difference",
    "si_sdr",
    "spectrum_distance",
    "width_difference",
]

QUIET = 1e-6
"""Bands count down to 60 dB below the total."""
NARROW = 1e-5
"""Mono is -50 dB of side."""


def level_errors(x: Tensor, reference: Tensor, sample_rate: int) -> dict[str, Tensor]:
    """All errors of this module that need no aligned truth, by name, units in the names, from one analysis."""
    validate(x, reference, same_length=False)
    loudness, wanted = measure(x, sample_rate), measure(reference, sample_rate)
    bands, aimed = stereo_bands(x, sample_rate), stereo_bands(reference, sample_rate)
    return {
        "loudness_difference_lu": loudness.integrated() - wanted.integrated(),
        "crest_difference_db": crest_db(x) - crest_db(reference),
        "loudness_range_difference_lu": loudness.range() - wanted.range(),
        "width_difference_db": _width_db(bands) - _width_db(aimed),
        "spectrum_distance_db": _spectrum_distance(bands, aimed),
    }


def loudness_difference(x: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
    """Integrated gated loudness (ITU-R BS.1770-4) of the result minus the reference's, in LU, (b,)."""
    validate(x, reference, same_length=False)
    return integrated_loudness(x, sample_rate) - integrated_loudness(reference, sample_rate)


def crest_difference(x: Tensor, reference: Tensor) -> Tensor:
    """Crest factor, 10 log10(max E / mean E) with E(t) = left^2 + right^2, of result minus reference, in dB, (b,)."""
    validate(x, reference, same_length=False)
    return crest_db(x) - crest_db(reference)


def loudness_range_difference(x: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
    """Inter-quartile range of the gated short-term (3 s) loudness of result minus reference, in LU, (b,)."""
    validate(x, reference, same_length=False)
    return measure(x, sample_rate).range() - measure(reference, sample_rate).range()


def width_difference(x: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
    """Energy of side over mid (20 Hz to 20 kHz), in dB within +-50, of result minus reference, (b,)."""
    validate(x, reference, same_length=False)
    return _width_db(stereo_bands(x, sample_rate)) - _width_db(stereo_bands(reference, sample_rate))


def spectrum_distance(x: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
    """The distance between long-term average spectra in dB, level removed, (b,).

    In 48 mel bands from 20 Hz to 20 kHz, S = 10 log10(mean E_k / sum over k + 1e-6) of both channels together;
    the result is the standard deviation over the bands of S(result) - S(reference). 0 means the same balance,
    whatever the level; an EQ that lifts half of the bands by 6 dB is 3.
    """
    validate(x, reference, same_length=False)
    return _spectrum_distance(stereo_bands(x, sample_rate), stereo_bands(reference, sample_rate))


def si_sdr(x: Tensor, target: Tensor) -> Tensor:
    """Scale-invariant signal-to-distortion ratio in dB, (b,), of audio (b, 2, t) to its truth (b | 1, 2, t).

    10 log10(|a y|^2 / |x - a y|^2) with a = <x, y> / <y, y>, one scale for both channels, means not removed.
    Source: Le Roux et al., "SDR - half-baked or well done?" (ICASSP 2019). `AudioError` if the lengths differ.
    """
    validate(x, target, same_length=True)
    scale = (x * target).sum((-2, -1)) / (target.square().sum((-2, -1)) + FLOOR)
    aimed = scale[:, None, None] * target
    return decibels(aimed.square().sum((-2, -1))) - decibels((x - aimed).square().sum((-2, -1)))


def _width_db(bands: StereoBands) -> Tensor:
    mean = bands.over_time().whole()
    mid, side = mean.mid[:, 0, 0], mean.side[:, 0, 0]
    floor = NARROW * (mid + side) + FLOOR
    return decibels(side + floor, 0.0) - decibels(mid + floor, 0.0)


def _spectrum_distance(bands: StereoBands, aimed: StereoBands) -> Tensor:
    difference = _balance_db(bands) - _balance_db(aimed)
    spread = (difference - difference.mean(-1, keepdim=True)).square().mean(-1)
    return (spread + 1e-8).sqrt()


def _balance_db(bands: StereoBands) -> Tensor:
    energy = bands.over_time().total[:, 0]
    return decibels(energy / (energy.sum(-1, keepdim=True) + FLOOR), QUIET)
