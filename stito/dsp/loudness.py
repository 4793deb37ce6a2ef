"""Levels and loudness: peak, true peak, RMS, crest factor, and the loudness of ITU-R BS.1770-4 and EBU Tech 3341/3342.

Audio is (b, channels, t), results are (b,). Silence gives finite floors and zero gradients, never NaN.

pyloudnorm, by which this is tested, reads one file at a time without gradients; its usual filter lies .045 dB below the
standard's at 44.1 kHz, and it takes a third longer on a song of four minutes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from stito.dsp.recursion import BLOCK, Section, recursion
from stito.dsp.spectrum import unit_circle
from stito.errors import AudioError

__all__ = [
    "ABSOLUTE_GATE",
    "Loudness",
    "crest_db",
    "decibels",
    "integrated_loudness",
    "k_weighting",
    "loudness_range",
    "lufs",
    "masked_mean",
    "measure",
    "peak_db",
    "quantiles",
    "rms_db",
    "true_peak_db",
]

ABSOLUTE_GATE = -70.0
FLOOR = 1e-12
"""Added to powers inside logarithms: silence reads -120 dB."""
HALF_TAPS = 16
PEAK_BLOCK, PEAK_BLOCKS = 256, 256
"""Samples that are oversampled or left out together, and how many of these at a time."""
PEAK_SPAN = 1 << 20
"""Samples of which the highest places are looked for first."""
LOUDNESS_SPAN = 1 << 16
"""Samples that are filtered together, at least: they stay in a processor's cache."""


def decibels(power: Tensor, floor: float = FLOOR) -> Tensor:
    """10 log10(power + floor)."""
    return 10 * torch.log10(power + floor)


def rms_db(x: Tensor) -> Tensor:
    """The root mean square over channels and time in dBFS, (b,); a full-scale sine is -3.01."""
    return decibels(x.square().mean((-2, -1)))


def peak_db(x: Tensor) -> Tensor:
    """The largest sample of any channel in dBFS, (b,)."""
    return decibels(x.abs().amax((-2, -1)).square())


def crest_db(x: Tensor) -> Tensor:
    """The crest factor, (b,): 10 log10(max E / mean E) with E(t) the energy of all channels at one instant.

    For one channel, or equal ones, this is peak over RMS (3.01 dB for a sine, 0 for a square). Panning by a constant
    power law leaves it unchanged, which a peak over channels would not be.
    """
    energy = x.square().sum(-2)
    return decibels(energy.amax(-1)) - decibels(energy.mean(-1))


def true_peak_db(x: Tensor, sample_rate: int) -> Tensor:
    """The largest value of the band-limited waveform between samples, in dBTP, (b,).

    Oversampled 4-fold at 44.1 and 48 kHz, to 176.4 kHz or more from other rates and at least twice (BS.1770-4,
    annex 2), by a Kaiser-windowed sinc of 33 taps a phase. One of the phases is the samples themselves, so it is never
    below `peak_db`. Only where the samples are high enough for the highest peak to lie between them is anything
    oversampled.
    """
    kernel = _oversampler(max(2, math.ceil(176_400 / sample_rate)), x.dtype, x.device)
    return decibels(torch.stack([_highest_between(sound, kernel) for sound in x]).square())


def _highest_between(x: Tensor, kernel: Tensor) -> Tensor:
    """The largest value of audio (channels, t) oversampled by a kernel (factor, 1, taps)."""
    highest = x.new_zeros(())
    for start in range(0, x.shape[-1], PEAK_SPAN):  # span by span, so that a long song costs no memory
        stop = min(start + PEAK_SPAN, x.shape[-1])
        first, last = max(0, start - HALF_TAPS), min(x.shape[-1], stop + HALF_TAPS)
        padding = HALF_TAPS - (start - first), HALF_TAPS - (last - stop) + -(stop - start) % PEAK_BLOCK
        pieces = torch.nn.functional.pad(x[:, first:last], padding).unfold(-1, PEAK_BLOCK + 2 * HALF_TAPS, PEAK_BLOCK)
        limits = torch.maximum(pieces.amax(-1), -pieces.amin(-1)).detach().flatten() * _overshoot(kernel)
        for places in torch.split(limits.argsort(descending=True), PEAK_BLOCKS):
            if bool(limits[places[0]] < highest):
                break
            chosen = pieces[places // pieces.shape[1], places % pieces.shape[1]]
            highest = torch.maximum(highest, torch.nn.functional.conv1d(chosen[:, None], kernel).abs().amax())
    return highest


def _overshoot(kernel: Tensor) -> float:
    """By how much the waveform between samples may be higher than every sample that the kernel reaches."""
    return float(kernel.abs().sum(-1).max())


@lru_cache(maxsize=8)
def _oversampler(factor: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """One filter per fraction of a sample: (factor, 1, taps)."""
    taps = torch.arange(-HALF_TAPS, HALF_TAPS + 1, dtype=torch.float64)
    fraction = torch.arange(factor, dtype=torch.float64)[:, None] / factor
    place = taps - fraction
    inside = (1 - (place / (HALF_TAPS + 1)).square()).clamp_min(0)
    window = torch.special.i0(8.0 * inside.sqrt()) / torch.special.i0(torch.tensor(8.0, dtype=torch.float64))
    kernel: Tensor = torch.sinc(place) * window
    return kernel[:, None].to(device, dtype)


@lru_cache(maxsize=8)
def k_weighting(n: int, sample_rate: int, dtype: torch.dtype, device: torch.device | None = None) -> Tensor:
    """The response of BS.1770's K filter on the bins of an `n`-point real FFT: complex (1, 1, n // 2 + 1).

    The standard prints coefficients for 48 kHz; these are the analogue prototypes behind them, so that every rate
    hears the same curve (De Man, "Evaluation of Implementations of the EBU R128 Loudness Measurement", AES 2018).
    """
    z = unit_circle(n, torch.float64, device)
    shelf, cut = (
        (b[0] + b[1] * z + b[2] * z * z) / (a[0] + a[1] * z + a[2] * z * z) for b, a in _k_sections(sample_rate)
    )
    return (shelf * cut)[None, None].to(torch.complex128 if dtype == torch.float64 else torch.complex64)


@lru_cache(maxsize=8)
def _k_sections(sample_rate: int) -> tuple[Section, Section]:
    """The shelf and the high-pass of the K filter."""
    k = math.tan(math.pi * 1681.9744509555319 / sample_rate)
    q, high = 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    band = high**0.4996667741545416
    shelf = (high + band * k / q + k * k, 2 * (k * k - high), high - band * k / q + k * k), _poles(k, q)
    k = math.tan(math.pi * 38.13547087602444 / sample_rate)
    poles = _poles(k, 0.5003270373238773)
    scale = poles[0]  # the standard leaves the numerator at 1, -2, 1
    return shelf, ((scale, -2 * scale, scale), poles)


def _poles(k: float, q: float) -> tuple[float, float, float]:
    return 1 + k / q + k * k, 2 * (k * k - 1), 1 - k / q + k * k


def lufs(energy: Tensor) -> Tensor:
    """The loudness of a K-weighted mean square summed over channels (BS.1770-4, eq. 2): any shape."""
    return decibels(energy) - 0.691


@dataclass(frozen=True)
class Loudness:
    """Everything BS.1770 and EBU R 128 read off K-weighted energy.

    Attributes:
        energy: K-weighted mean squares of successive stretches, summed over channels, (b, n).
        hop_s: seconds from one stretch to the next.
    """

    energy: Tensor
    hop_s: float

    def momentary(self) -> Tensor:
        """Loudness over 400 ms every 100 ms in LUFS, (b, m); shorter audio gives one value over all of it."""
        return lufs(self._sliding(0.4))

    def short_term(self) -> Tensor:
        """Loudness over 3 s every 100 ms in LUFS, (b, m); shorter audio gives one value over all of it."""
        return lufs(self._sliding(3.0))

    def integrated(self, gate: float = ABSOLUTE_GATE) -> Tensor:
        """Gated loudness of the whole in LUFS, (b,) (BS.1770-4, eq. 5 to 7); `gate` where nothing passes that gate."""
        blocks = self._sliding(0.4)
        keep = self._gate(blocks, relative=-10.0, absolute=gate)
        gated = lufs(masked_mean(blocks, keep))
        return torch.where(keep.any(-1), gated, torch.full_like(gated, gate))

    def short_term_quantiles(self, q: Sequence[float]) -> Tensor:
        """Quantiles of the short-term loudness in LUFS, (b, len(q)).

        Gated as EBU Tech 3342 does: at -70 LUFS, and at 20 LU below the mean of what passes.
        """
        return self._gated_quantiles(3.0, q)

    def momentary_quantiles(self, q: Sequence[float]) -> Tensor:
        """Quantiles of the momentary loudness in LUFS, (b, len(q)), gated likewise."""
        return self._gated_quantiles(0.4, q)

    def short_term_moments(self) -> tuple[Tensor, Tensor]:
        """Mean (LUFS) and standard deviation (LU) of the gated short-term loudness, each (b,)."""
        blocks = self._sliding(3.0)
        keep = self._gate(blocks, relative=-20.0)
        loudness = lufs(blocks)
        mean = masked_mean(loudness, keep)
        variance = masked_mean((loudness - mean[:, None]).square(), keep)
        mean = torch.where(keep.any(-1), mean, torch.full_like(mean, ABSOLUTE_GATE))
        return mean, (variance + 1e-6).sqrt() - 1e-3

    def range(self) -> Tensor:
        """The loudness range as inter-quartile range of the gated short-term loudness, in LU, (b,).

        EBU's LRA is the distance from the 10th to the 95th percentile; the inner half is steadier on short excerpts.
        """
        low, high = self.short_term_quantiles((0.25, 0.75)).unbind(-1)
        return high - low

    def _sliding(self, window_s: float) -> Tensor:
        size = min(max(1, round(window_s / self.hop_s)), self.energy.shape[-1])
        step = max(1, round(0.1 / self.hop_s))
        return torch.nn.functional.avg_pool1d(self.energy[:, None], size, step)[:, 0]

    def _gate(self, blocks: Tensor, relative: float, absolute: float = ABSOLUTE_GATE) -> Tensor:
        loudness = lufs(blocks.detach())
        above = loudness >= absolute
        threshold = lufs(masked_mean(blocks.detach(), above)) + relative
        return above & (loudness >= threshold[:, None])

    def _gated_quantiles(self, window_s: float, q: Sequence[float]) -> Tensor:
        blocks = self._sliding(window_s)
        keep = self._gate(blocks, relative=-20.0)
        return quantiles(lufs(blocks), q, keep, empty=ABSOLUTE_GATE)


def masked_mean(values: Tensor, keep: Tensor) -> Tensor:
    """The mean over the last dimension of what is kept; 0 where nothing is."""
    kept = keep.to(values.dtype)
    return (values * kept).sum(-1) / kept.sum(-1).clamp_min(1)


def quantiles(values: Tensor, q: Sequence[float], keep: Tensor | None = None, *, empty: float = 0.0) -> Tensor:
    """Linearly interpolated quantiles over the last dimension, of what is kept: (..., n) to (..., len(q)).

    Differentiable; `empty` stands where nothing is kept. As `torch.quantile`, with a mask.
    """
    if keep is None:
        keep = torch.ones_like(values, dtype=torch.bool)
    ranked = torch.where(keep, values, torch.full_like(values, 1e9)).sort(dim=-1).values
    last = (keep.sum(-1, keepdim=True) - 1).clamp_min(0)
    place = torch.tensor(q, dtype=values.dtype, device=values.device) * last
    below = place.floor().long()
    above = torch.minimum(below + 1, last)
    low, high = ranked.gather(-1, below), ranked.gather(-1, above)
    found = low + (high - low) * (place - below)
    return torch.where(keep.any(-1, keepdim=True), found, torch.full_like(found, empty))


def measure(x: Tensor, sample_rate: int) -> Loudness:
    """The loudness of audio (b, channels, t), each channel with weight 1, exactly as the standard filters it.

    `AudioError` if the audio is not (b, channels, t) with at least one sample.
    """
    if x.dim() != 3 or x.shape[-1] == 0:
        raise AudioError(
            f"Loudness needs audio of shape (b, channels, t), not {tuple(x.shape)}.",
            hint="Add a batch dimension, and check that the audio is not empty.",
        )
    hop = min(max(1, round(0.1 * sample_rate)), x.shape[-1])
    weighting = recursion(_k_sections(sample_rate), x.dtype, x.device)
    whole = BLOCK // math.gcd(BLOCK, hop)  # so many hops are whole blocks
    span, length = -(-LOUDNESS_SPAN // (whole * hop)) * whole * hop, x.shape[-1] // hop * hop
    state, energies = weighting.rest(x), []
    for start in range(0, length, span):  # piece by piece, so that a long song costs no memory
        piece = x[..., start : min(start + span, length)]
        samples = piece.shape[-1]
        weighted, state = weighting.filtered(torch.nn.functional.pad(piece, (0, -samples % BLOCK)), state)
        hops = weighted[..., :samples].reshape(*x.shape[:2], -1, hop)
        energies.append(torch.linalg.vecdot(hops, hops).sum(1) / hop)
    return Loudness(torch.cat(energies, dim=-1), hop / sample_rate)


def integrated_loudness(x: Tensor, sample_rate: int) -> Tensor:
    """The gated loudness (ITU-R BS.1770-4) of audio (b, channels, t) in LUFS, (b,); silence is -70."""
    return measure(x, sample_rate).integrated()


def loudness_range(x: Tensor, sample_rate: int) -> Tensor:
    """The inter-quartile range of the short-term loudness of audio (b, channels, t) in LU, (b,)."""
    return measure(x, sample_rate).range()
