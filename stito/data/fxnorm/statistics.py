"""The five statistics of a stem that FX normalisation evens out, and targets from the stems of many songs.

Source: the features of Martínez-Ramírez et al., "Automatic music mixing with deep learning and out-of-domain data",
ISMIR 2022 (FxNorm-automix), with the time-domain image of Koo et al., "Music mixing style transfer", ICASSP 2023.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from stito.audio import is_silent, peak_of, to_stereo
from stito.data.fxnorm.onsets import find_onsets, onset_levels, onset_peak_db
from stito.data.fxnorm.targets import StemTargets, Targets, spectrum_grid
from stito.dsp.envelope import control_hop
from stito.dsp.loudness import integrated_loudness, k_weighting
from stito.dsp.spectrum import fast_length
from stito.errors import AudioError

__all__ = [
    "StemStatistics",
    "average_spectrum",
    "covariance",
    "features_of",
    "fit_targets",
    "mid_ratio",
    "peaks_of",
    "smoothed_db",
]

WINDOW_S = 65_536 / 44_100
"""As the published spectra: long enough to tell the partials of a bass."""
ACTIVE_DB = 40.0
"""Frames further than this below the loudest are pauses."""
OCTAVES = 1 / 3
"""Spectra are averaged over this much around each frequency: as hearing perceives timbre; single notes weigh little."""
FLOOR_DB = -120.0
CHUNK = 16
BLOCK = 1 << 20
LEAST_STD_DB = 0.5
"""One song has no spread, and a handful too little: no target's spread is smaller than this."""


@dataclass(frozen=True, eq=False)
class StemStatistics:
    """What FX normalisation evens out, of one stem.

    Attributes:
        stem: the kind of stem.
        spectrum_db: average spectrum at the frequencies of `spectrum_grid`, at a loudness of 0: float64 (256,).
        onset_peak_db: level of strong onsets where the peak is -10 dBFS: compression.
        mid_ratio: energy of the mid over that of mid and side, 1 for mono: imaging.
        balance_db: energy of the right channel over that of the left: panning.
        loudness_lufs: integrated loudness.
    """

    stem: str
    spectrum_db: Tensor
    onset_peak_db: float
    mid_ratio: float
    balance_db: float
    loudness_lufs: float


def features_of(x: Tensor, stem: str, sample_rate: int = 44_100) -> StemStatistics:
    """Measure a whole track (2, t), or (1, t) as both channels; `AudioError` if it is silent."""
    x = to_stereo(x.detach())
    if is_silent(x):
        raise AudioError(f"This {stem} stem is silent: there is nothing to measure.", hint="Leave it out.")
    image = covariance(x)
    left, right = image.diagonal().clamp_min(1e-12).tolist()
    return StemStatistics(
        stem,
        smoothed_db(average_spectrum(x, sample_rate), sample_rate),
        onset_peak_db(onset_levels(peaks_of(x, sample_rate), find_onsets(x, sample_rate), sample_rate)),
        mid_ratio(image),
        10 * math.log10(right / left),
        float(integrated_loudness(x[None], sample_rate)),
    )


def peaks_of(x: Tensor, sample_rate: int) -> Tensor:
    """The peak of both channels of audio (2, t) in each control step: (n,)."""
    return torch.nn.functional.max_pool1d(x.abs().amax(0)[None], control_hop(sample_rate), ceil_mode=True)[0]


def covariance(x: Tensor) -> Tensor:
    """Mean products of the channels of audio (2, t): float64 (2, 2), on the CPU."""
    total = torch.zeros(2, 2, dtype=torch.float64, device=x.device)
    for start in range(0, x.shape[-1], BLOCK):
        piece = x[:, start : start + BLOCK].double()
        total += piece @ piece.T
    return (total / x.shape[-1]).cpu()


def mid_ratio(image: Tensor) -> float:
    """The share of the mid in the energy of mid and side, of a covariance (2, 2): 1 mono, .5 unrelated channels.

    A share, and not side over mid in dB, since targets are means over songs, and mono would be minus infinity.
    """
    sides, cross = float(image.trace()), 2 * float(image[0, 1])
    return (sides + cross) / (2 * sides) if sides > 0 else 1.0


def average_spectrum(x: Tensor, sample_rate: int) -> Tensor:
    """The mean magnitude of audio (2, t) over its long frames that are no pauses: float64 (bins,), of 1.5 s frames.

    Channels add by energy, so panning does not matter. Magnitudes, not powers, are averaged, as in the published
    statistics: a sound that comes now and then counts less than by its energy.
    """
    size = fast_length(round(WINDOW_S * sample_rate))
    padded = torch.nn.functional.pad(x, (0, max(0, size - x.shape[-1])))
    window = torch.hann_window(size, dtype=x.dtype, device=x.device)
    frames = padded.unfold(-1, size, size // 2)
    powers = torch.stack([frame.square().mean() for frame in frames.unbind(1)])
    active = (powers > powers.max() * 10 ** (-ACTIVE_DB / 10)).nonzero().flatten()
    total = torch.zeros(size // 2 + 1, dtype=torch.float64, device=x.device)
    for chosen in torch.split(active, CHUNK):
        spectrum = torch.view_as_real(torch.fft.rfft(frames[:, chosen] * window))
        total += spectrum.square().sum((0, -1)).sqrt().sum(0)
    return (total / len(active)).cpu()


def smoothed_db(magnitude: Tensor, sample_rate: int) -> Tensor:
    """A magnitude spectrum (bins,), DC to Nyquist, as third-octave levels at `spectrum_grid`: float64 (256,).

    Relative to its K-weighted energy, so that two of equal loudness can be compared; at least -120 dB.
    """
    power = magnitude.double().square()
    weight = k_weighting(2 * (len(power) - 1), sample_rate, torch.float64).abs().square().flatten()
    power = power / (power * weight).sum().clamp_min(1e-30)
    summed = torch.nn.functional.pad(power.cumsum(0), (1, 0))
    place = spectrum_grid() * 2 * (len(power) - 1) / sample_rate + 0.5  # bin k lies from k to k + 1 in `summed`
    reach = torch.maximum(place * (2 ** (OCTAVES / 2) - 1), torch.ones_like(place))  # a bin either side at least
    low, high = (edge.clamp(0, len(power)) for edge in (place - reach, place + reach))
    density = (_between(summed, high) - _between(summed, low)) / (high - low).clamp_min(1)
    return 10 * torch.log10(density.clamp_min(10 ** (FLOOR_DB / 10)))


def _between(values: Tensor, place: Tensor) -> Tensor:
    """`values` read at fractional places."""
    below = place.floor().long().clamp_max(len(values) - 2)
    return torch.lerp(values[below], values[below + 1], place - below)


def fit_targets(tracks: Iterable[tuple[str, Tensor]], sample_rate: int = 44_100, *, source: str = "") -> Targets:
    """Targets from whole tracks (2, t) by kind of stem: the averages of their statistics. Silent tracks are left out.

    Spectra are averaged as magnitudes at equal loudness. The iterable is read once, so one track is held at a time.
    `AudioError` if nothing sounds.
    """
    found: dict[str, list[StemStatistics]] = {}
    for stem, x in tracks:
        if peak_of(x) > 0 and not is_silent(x):
            found.setdefault(stem, []).append(features_of(x, stem, sample_rate))
    if not found:
        raise AudioError("There is no sound to take targets from.", hint="Give songs with stems that are not silent.")
    counts = ", ".join(f"{len(rows)} {stem}" for stem, rows in found.items())
    return Targets(
        source=f"{source or 'Measured'}: {counts}.", stems={stem: _averaged(rows) for stem, rows in found.items()}
    )


def _averaged(rows: list[StemStatistics]) -> StemTargets:
    magnitude = torch.stack([10 ** (row.spectrum_db / 20) for row in rows]).mean(0)
    onsets = [row.onset_peak_db for row in rows]
    return StemTargets(
        spectrum_db=tuple(round(value, 2) for value in (20 * torch.log10(magnitude)).tolist()),
        onset_peak_db=round(statistics.fmean(onsets), 2),
        onset_peak_std_db=round(max(statistics.pstdev(onsets), LEAST_STD_DB), 2),
        mid_ratio=round(min(max(statistics.fmean(row.mid_ratio for row in rows), 0.001), 1.0), 4),
        loudness_lufs=round(statistics.fmean(row.loudness_lufs for row in rows), 2),
    )
