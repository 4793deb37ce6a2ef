"""Harmonic distortion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad, softplus

from stito.dsp.fourier import rfft
from stito.dsp.spectrum import fast_length, unit_circle
from stito.effects.effect import Effect, batch_of, column
from stito.effects.param import Param

__all__ = ["Saturation"]

USUAL_PEAK = 0.25
"""Drive keeps the level of audio that peaks here (-12 dBFS); softer comes out louder, louder comes out softer."""
DC_HZ = 15.0
"""Where the offset that asymmetry makes is cut."""
TOP = 0.9
"""From here to the Nyquist frequency the highs fade out: a sudden end would ring through the whole block."""
MARGIN_S = 0.2
"""How much of its neighbours a block includes: by then the DC filter has fallen to -110 dB."""
BLOCK = 3 << 15
"""Samples shaped at a time, and"""
ROWS = 4
"""candidates at a time: what they need stays in the processor's cache, whatever the batch and the length."""
SMALL = 1e-3
"""The squared step of tanh's argument at which quotient and midpoint weigh the same: neither errs by -85 dB there."""


class Saturation(Effect):
    """Warm up or distort with a tanh curve, blended with the dry signal."""

    name: ClassVar[str] = "saturation"
    differentiable: ClassVar[bool] = True
    params: ClassVar[tuple[Param, ...]] = (
        Param("drive_db", 0.0, 36.0, neutral=0.0, doc="gain into the curve; peaks at -12 dBFS keep their level"),
        Param("asymmetry", 0.0, 1.0, neutral=0.0, doc="0: odd harmonics only, more: even ones too"),
        Param("mix", 0.0, 1.0, neutral=0.0, doc="0: dry, 1: distorted only", depth=True),
    )

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        """Few candidates and one block at a time; blocks include a margin on both sides."""
        batch = batch_of(x, p)
        knobs = torch.stack([10 ** (p["drive_db"] / 20), p["asymmetry"], p["mix"]]).expand(-1, batch)
        groups = []
        for row in range(0, batch, ROWS):
            rows = slice(row, row + ROWS)
            audio, (drive, bias, mix) = x if len(x) == 1 else x[rows], map(column, knobs[:, rows])
            blocks = [
                torch.lerp(audio[..., start : start + BLOCK], wet, mix)
                for start, wet in _shaped_blocks(audio, drive, bias, sample_rate)
            ]
            groups.append(torch.cat(blocks, dim=-1) if len(blocks) > 1 else blocks[0])
        return torch.cat(groups) if len(groups) > 1 else groups[0]  # a song is long enough without another copy


def _shaped_blocks(x: Tensor, drive: Tensor, bias: Tensor, sample_rate: int) -> Iterator[tuple[int, Tensor]]:
    """Where each block starts, and its `_shaped` audio."""
    margin, length = round(MARGIN_S * sample_rate), x.shape[-1]
    for start in range(0, length, BLOCK):
        before = min(margin, start)
        around = x[..., start - before : start + BLOCK + margin]
        n = fast_length(around.shape[-1] + margin)
        yield start, _shaped(around, drive, bias, n, sample_rate)[..., before : before + min(BLOCK, length - start)]


def _shaped(x: Tensor, drive: Tensor, bias: Tensor, n: int, sample_rate: int) -> Tensor:
    """tanh(drive x + bias) without its offset, at the usual level, band-limited and in time with x: (b, 2, n).

    Shaped at twice the sample rate, as two streams at the old one: the samples, and the values between them.
    """
    half_late = unit_circle(2 * n, x.dtype, x.device)[: n // 2 + 1]
    between = torch.fft.irfft(rfft(x, n) * half_late.conj(), n=n)
    around = torch.cat([pad(x, (0, n - x.shape[-1])), x[..., :1]], dim=-1)  # the frame is a circle, as for the FFT
    on = torch.addcmul(bias, drive, around)
    off = torch.addcmul(bias, drive, between)
    area_on, area_off = softplus(on, beta=2), softplus(off, beta=2)
    rising = _mean_tanh(on[..., :-1], off, area_off - area_on[..., :-1])
    falling = _mean_tanh(off, on[..., 1:], area_on[..., 1:] - area_off)
    swing = torch.tanh(bias + USUAL_PEAK * drive) - torch.tanh(bias - USUAL_PEAK * drive)
    repair = _repair(half_late, sample_rate, n) * (2 * USUAL_PEAK / swing)
    spectrum = repair * (rfft(rising) + half_late * rfft(falling))
    shaped: Tensor = torch.fft.irfft(spectrum, n=n)
    return shaped


def _mean_tanh(start: Tensor, end: Tensor, area: Tensor) -> Tensor:
    """The mean of tanh on the way from `start` to `end`, where softplus(2 u) / 2 grows by `area`.

    First-order antiderivative anti-aliasing (Parker, Zavalishin and Le Bivic, DAFx 2016, eq. 11): the difference
    quotient of the antiderivative, here softplus(2 u) of tanh(u) + 1. As the step shrinks the quotient loses its digits
    and hands over smoothly to tanh halfway.
    """
    step = end - start
    rise = torch.sub(area, step, alpha=0.5)  # half of the integral of tanh
    halfway = torch.tanh(torch.lerp(start, end, 0.5))
    weighted = torch.addcmul(halfway, rise, step, value=2 / SMALL)
    return weighted / torch.addcmul(step.new_ones(()), step, step, value=1 / SMALL)


def _repair(half_late: Tensor, sample_rate: int, n: int) -> Tensor:
    """Undo what taking means does to small signals (a little early, highs softer), halve the streams, cut both ends."""
    place = torch.linspace(0, 1, n // 2 + 1, dtype=half_late.real.dtype, device=half_late.device)
    power = (place * (sample_rate / 2 / DC_HZ)).pow(4)
    top = torch.cos(torch.pi / 2 * ((place - TOP) / (1 - TOP)).clamp_min(0)).square()
    return top * power / (1 + power) / (1 + half_late.conj())
