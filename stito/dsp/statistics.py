"""What can be compared between two recordings that play different notes: average spectrum, balance and width.

The closed forms of effects (`Effect.initial_settings`) are built from these.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from stito.dsp.spectrum import fast_length

__all__ = ["balance_db", "log_grid", "long_term_spectrum", "ridge_gains", "width_db"]

WINDOW_S = 8192 / 44_100
"""At least: 5.4 Hz between bins, so that 30 Hz and 40 Hz are resolved."""
FRAMES = 32
"""Frames analysed at once: they stay in a processor's cache."""
FLOOR = 1e-12
"""-120 dB: levels below it count as silence."""


@lru_cache(maxsize=16)
def log_grid(low_hz: float = 30.0, high_hz: float = 16_000.0, per_octave: int = 6) -> Tensor:
    """Frequencies in Hz, equally spaced to the ear: float64 (m,)."""
    count = math.floor(math.log2(high_hz / low_hz) * per_octave) + 1
    return low_hz * 2 ** (torch.arange(count, dtype=torch.float64) / per_octave)


def long_term_spectrum(x: Tensor, sample_rate: int, grid: Tensor, *, octaves: float = 1 / 3) -> Tensor:
    """The average power spectrum of audio (2, t) in dB at the frequencies of `grid` (m,): float64 (m,).

    Welch's method over both channels (Hann frames, half overlapped), then averaged over about `octaves` around each
    frequency, so that single notes weigh little. The values are densities: white noise reads its power everywhere,
    and the power of a sine is spread over the neighbourhood of its frequency, which is narrower the lower it lies.
    """
    size = fast_length(round(WINDOW_S * sample_rate))
    padded = torch.nn.functional.pad(x.detach(), (0, max(0, size - x.shape[-1])))
    frames = padded.unfold(-1, size, size // 2)
    power = torch.zeros(size // 2 + 1, dtype=torch.float64)
    for block in torch.split(frames, FRAMES, dim=1):
        spectrum = torch.view_as_real(torch.fft.rfft(block * _window(size, x.dtype)))
        power += spectrum.square_().sum(dim=(0, 1, 3))
    power /= frames.shape[0] * frames.shape[1] * _window(size, torch.float64).square().sum()
    density = _neighbourhoods(grid, size, sample_rate, octaves) @ power[1:]
    return 10 * torch.log10(density.clamp_min(FLOOR))


@lru_cache(maxsize=8)
def _window(size: int, dtype: torch.dtype) -> Tensor:
    return torch.hann_window(size, dtype=dtype)


def _neighbourhoods(grid: Tensor, size: int, sample_rate: int, octaves: float) -> Tensor:
    """Gaussian weights in log frequency, (m, bins without DC), each row summing to one."""
    bins = torch.arange(1, size // 2 + 1, dtype=torch.float64) * sample_rate / size
    apart = torch.log2(bins)[None, :] - torch.log2(grid)[:, None]
    # below about 100 Hz bins lie wider apart than the neighbourhood: there it grows to reach two of them
    reach = torch.maximum(torch.full_like(grid, octaves / 2), sample_rate / size / grid)[:, None]
    return torch.softmax(-0.5 * (apart / reach).square() - torch.log(bins), dim=1)


def ridge_gains(curves: Tensor, wanted: Tensor, *, ridge: float) -> Tensor:
    """The gains (k,) with which curves (k, m), one per dB of each band, add up to nearly `wanted` (m,), in dB.

    Ridge regression, with the penalty `ridge` relative to the mean energy of a curve; a constant offset between the
    two is level, not colour, and is fitted and dropped.
    """
    shaped = curves - curves.mean(dim=1, keepdim=True)
    aim = wanted - wanted.mean()
    normal = shaped @ shaped.T
    penalty = ridge * normal.diagonal().mean() * torch.eye(len(curves), dtype=curves.dtype)
    gains: Tensor = torch.linalg.solve(normal + penalty, shaped @ aim)
    return gains


def balance_db(x: Tensor) -> float:
    """How much louder the right channel of audio (2, t) is than the left, in dB."""
    left, right = x.detach().double().square().mean(dim=-1).clamp_min(FLOOR).tolist()
    return 10 * math.log10(right / left)


def width_db(x: Tensor) -> float:
    """The level of the side (L - R) of audio (2, t) over its mid (L + R), in dB: 0 for unrelated channels.

    Over all frequencies and without a limit, since closed forms divide what they get of it: the feature of that name,
    `stito.features.stereo.side_mid_db`, is of mel bands and ends at 50 dB.
    """
    left, right = x.detach().double()
    mid, side = (left + right).square().mean(), (left - right).square().mean()
    return 10 * math.log10(max(side.item(), FLOOR) / max(mid.item(), FLOOR))
