"""The slow part of audio, which is no sound: found and taken away at a small fraction of the sample rate."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn.functional import pad

from stito.dsp.fourier import rfft
from stito.dsp.spectrum import fast_length

__all__ = ["STEP", "take_offset"]

STEP = 64
"""Audio samples per slow one."""
TAPS = 4
"""Slow samples that an audio sample has a share in: by splines of that order mirror images lie 100 dB down."""
SETTLED_S = 0.2
"""By then the filter has fallen to -110 dB at 15 Hz."""


def take_offset(x: Tensor, sample_rate: int, cut_hz: float, rest: Tensor) -> Tensor:
    """Audio (b, c, t), which is overwritten, without what is below `cut_hz`.

    The response is p / (1 + p) with p = (f / cut_hz)^4, without phase. The length is whole in `STEP`. `rest` (b, 1, 1)
    is the value that the audio has before its start and after its end.
    """
    spline = _spline(x.dtype, x.device)
    rows = x.reshape(*x.shape[:-1], -1, STEP)
    count = rows.shape[-2]
    n = fast_length(count + TAPS + round(SETTLED_S * sample_rate / STEP))
    # a row of samples has shares in the slow samples at its place and at those before
    shares = rows @ spline.T - rest[..., None] * spline.sum(1)
    padded = pad(shares, (0, 0, TAPS - 1, n))
    slow = torch.stack([padded[..., k : k + n, k] for k in range(TAPS)]).sum(0)
    kept = torch.fft.irfft(rfft(slow) * _low_pass(n, sample_rate, cut_hz, x.dtype, x.device), n=n)
    around = (kept + rest / spline[:, 0].sum()).unfold(-1, TAPS, 1)[..., :count, :]
    straight = spline.flip(0).expand(len(x) * x.shape[1], -1, -1)
    without: Tensor = rows.flatten(0, 1).baddbmm_(around.flatten(0, 1), straight, alpha=-1)
    return without.reshape(x.shape)


@lru_cache(maxsize=8)
def _spline(dtype: torch.dtype, device: torch.device) -> Tensor:
    """The shares (taps, samples) of audio samples in slow ones, which as a whole keep a constant as it is."""
    kernel, box = torch.ones(1, 1, 1, dtype=torch.float64), torch.ones(1, 1, STEP, dtype=torch.float64)
    for _ in range(TAPS):
        kernel = torch.nn.functional.conv1d(kernel, box, padding=STEP - 1)
    kernel = pad(kernel, (0, TAPS * STEP - kernel.shape[-1]))
    spline: Tensor = kernel * (STEP**0.5 / kernel.sum())
    return spline.reshape(TAPS, STEP).to(device, dtype)


@lru_cache(maxsize=8)
def _low_pass(n: int, sample_rate: int, cut_hz: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The response on slow samples, what splines lose in both directions made good: (n // 2 + 1,)."""
    cycles = torch.arange(n // 2 + 1, dtype=torch.float64) / (n * STEP)
    box = torch.sinc(STEP * cycles) / torch.sinc(cycles)
    passed = 1 / (1 + (cycles * (sample_rate / cut_hz)).pow(4))
    return (passed / box.pow(2 * TAPS)).to(device, dtype)
