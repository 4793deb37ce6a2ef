"""Reverberation beside the dry signal, by convolution; drums may keep their lows dry."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stito.dsp.spectrum import Response, filter_blocks

__all__ = ["CROSSOVER_HZ", "split_reverb"]

CROSSOVER_HZ = 100.0
"""Where the lows of drums are split off."""
CROSSOVER_TAIL_S = 0.05
"""The crossover has rung out to less than -100 dB."""


def split_reverb(
    x: Tensor, impulses: Tensor, dry: Tensor, sample_rate: int, *, low_dry: Tensor | None = None
) -> Tensor:
    """Audio (b, 2, t) beside its convolution with impulses (b, 2, samples), left with left and right with right.

    The input has the weight `dry` (b,) and the room 1 - dry, both divided by the root of the sum of their squares: with
    impulses of unit energy the level of noise stays. With `low_dry` (b,) that weight holds below 100 Hz, and `dry`
    above; the bands are split by a Linkwitz-Riley pair of fourth order, whose sum keeps the level of every frequency.
    """

    def response(n: int) -> Response:
        room = torch.fft.rfft(impulses, n=n)
        blend = _blend(room, dry)
        if low_dry is None:
            return blend
        low, high = _crossover(n, sample_rate, room)
        return blend * high + _blend(room, low_dry) * low

    tail = impulses.shape[-1] + (0 if low_dry is None else round(CROSSOVER_TAIL_S * sample_rate))
    return filter_blocks(x, lambda n: [response(n)], tail)


def _blend(room: Tensor, dry: Tensor) -> Tensor:
    wet = 1 - dry
    scale = (dry.square() + wet.square()).rsqrt()
    return (wet * scale)[:, None, None] * room + (dry * scale)[:, None, None]


def _crossover(n: int, sample_rate: int, like: Tensor) -> tuple[Tensor, Tensor]:
    """Low-pass and high-pass on the bins of an `n`-point real FFT: squared Butterworth filters, complex (n // 2 + 1,).

    With s = j tan(w / 2) / k they are 1 and s^4 over (s^2 + sqrt(2) s + 1)^2; both sides are multiplied by
    (k cos(w / 2))^4, so that nothing is infinite at Nyquist.
    """
    half = math.pi * torch.arange(n // 2 + 1, dtype=torch.float64, device=like.device) / n
    sine, cosine = half.sin(), math.tan(math.pi * CROSSOVER_HZ / sample_rate) * half.cos()
    below = torch.complex(cosine.square() - sine.square(), math.sqrt(2) * sine * cosine).square().reciprocal()
    return (cosine**4 * below).to(like.dtype), (sine**4 * below).to(like.dtype)
