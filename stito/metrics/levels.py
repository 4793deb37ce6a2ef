"""Errors between a result and a reference that need not share content or length: level, dynamics, width, spectrum.

And SI-SDR, between audio and its truth. Shapes: result (b, 2, t), reference (b | 1, 2, t'); values (b,).
"""

from __future__ import annotations

from torch import Tensor

from stito.dsp.loudness import FLOOR, crest_db, decibels, integrated_loudness, loudness_range, true_peak_db
from stito.dsp.stft import stereo_bands
from stito.features.spectrum import relative_db
from stito.features.stereo import side_mid_db
from stito.metrics.metric import Metric, Property, validate

__all__ = [
    "CREST",
    "LOUDNESS",
    "LOUDNESS_RANGE",
    "SPECTRUM",
    "TRUE_PEAK",
    "WIDTH",
    "si_sdr",
    "spectrum_distance",
    "width",
]


def width(x: Tensor, sample_rate: int) -> Tensor:
    """Energy of side over mid from 20 Hz to 20 kHz, in dB within +-50, (b,), of audio (b, 2, t): mono is -50."""
    return side_mid_db(stereo_bands(x, sample_rate).over_time().whole())[:, 0]


def spectrum_distance(x: Tensor, reference: Tensor, sample_rate: int) -> Tensor:
    """The distance between long-term average spectra in dB, without their difference in level, (b,).

    In 48 mel bands from 20 Hz to 20 kHz, S = 10 log10(mean E_k / sum over k + 1e-6) of both channels together;
    the result is the standard deviation over the bands of S(result) - S(reference). 0 means the same balance,
    whatever the level; an EQ that lifts half of the bands by 6 dB is 3.
    """
    validate(x, reference, same_length=False)
    energies = (stereo_bands(audio, sample_rate).over_time().total[:, 0] for audio in (x, reference))
    balance, aimed = (relative_db(energy, energy.sum(-1, keepdim=True)) for energy in energies)
    difference = balance - aimed
    spread = (difference - difference.mean(-1, keepdim=True)).square().mean(-1)
    return (spread + 1e-8).sqrt()


def si_sdr(x: Tensor, target: Tensor) -> Tensor:
    """Scale-invariant signal-to-distortion ratio in dB, (b,), of audio (b, 2, t) to its truth (b | 1, 2, t).

    10 log10(|a y|^2 / |x - a y|^2) with a = <x, y> / <y, y>, one scale for both channels, means not removed.
    Source: Le Roux et al., "SDR - half-baked or well done?" (ICASSP 2019). `AudioError` if the lengths differ.
    """
    validate(x, target, same_length=True)
    scale = (x * target).sum((-2, -1)) / (target.square().sum((-2, -1)) + FLOOR)
    aimed = scale[:, None, None] * target
    return decibels(aimed.square().sum((-2, -1))) - decibels((x - aimed).square().sum((-2, -1)))


LOUDNESS = Metric.difference(
    "loudness_lu",
    "LU",
    Property("Integrated loudness", "LUFS", integrated_loudness, of_levels=lambda levels: levels.integrated_lufs),
    "How far the integrated gated loudness (ITU-R BS.1770-4) is off.",
)
LOUDNESS_RANGE = Metric.difference(
    "loudness_range_lu",
    "LU",
    Property("Loudness range (IQR)", "LU", loudness_range, of_levels=lambda levels: levels.range_lu),
    "How far the inter-quartile range of the gated short-term (3 s) loudness is off.",
)
CREST = Metric.difference(
    "crest_db",
    "dB",
    Property("Crest factor", "dB", lambda x, sample_rate: crest_db(x), of_levels=lambda levels: levels.crest_db),
    "How far the crest factor is off: 10 log10(max E / mean E) with E(t) = left^2 + right^2.",
)
TRUE_PEAK = Metric.difference(
    "true_peak_db",
    "dB",
    Property("True peak", "dBTP", true_peak_db, of_levels=lambda levels: levels.true_peak_db),
    "How far the true peak (ITU-R BS.1770-4, annex 2) is off.",
)
WIDTH = Metric.difference(
    "width_db",
    "dB",
    Property("Width (side over mid)", "dB", width, longest_s=30.0),
    "How far the energy of side over mid (20 Hz to 20 kHz, within +-50 dB) is off.",
)
SPECTRUM = Metric(
    "spectrum_db",
    "dB",
    "less",
    spectrum_distance,
    "The standard deviation over 48 mel bands of the difference of long-term average spectra: independent of level.",
    title="Spectrum, distance to reference",
)
