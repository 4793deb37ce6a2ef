"""Echoes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from stito.dsp.blockwise import Formula
from stito.dsp.phase import delay_block, delay_tables, nyquist_fade
from stito.dsp.reduction import GainReduction
from stito.dsp.spectrum import Response
from stito.effects.effect import LinearEffect
from stito.effects.param import Param
from stito.effects.words import Move, echoes

__all__ = ["Delay"]

RING_S = 0.1
"""Room for the last repeat to ring out inside the tail."""
INAUDIBLE = 1e-6
"""Repeats quieter than this need not be cut off."""


class Delay(LinearEffect):
    """Add echoes that fade, darken and, if wanted, jump from side to side.

    Each repeat passes a low-pass of 6 dB per octave (`damping_hz`) and the feedback gain. With `ping_pong` at 1 the
    mono sum enters on the left and changes sides at each repeat; at 0 each side echoes itself. `mix` crossfades from
    dry to wet under the sine-cosine law.

    The response is the sum of a geometric series of repeats, those that end within `tail_s`: later ones (a long delay
    with much feedback) are left out, so that nothing wraps around.
    """

    name: ClassVar[str] = "delay"
    aspect: ClassVar[str] = "delay"
    params: ClassVar[tuple[Param, ...]] = (
        Param("time_ms", 20.0, 800.0, neutral=250.0, scale="log", doc="time between repeats"),
        Param("feedback", 0.0, 0.7, neutral=0.3, doc="level of each repeat over the one before"),
        Param("ping_pong", 0.0, 1.0, neutral=0.0, doc="0 keeps sides, 1 alternates between them"),
        Param("damping_hz", 1000.0, 18_000.0, neutral=6000.0, scale="log", doc="each repeat loses what is above"),
        Param("mix", 0.0, 1.0, neutral=0.0, doc="0 is dry, 1 is echoes alone", depth=True),
    )
    tail_s: ClassVar[float] = 4.0

    @classmethod
    def describe(cls, settings: Mapping[str, float], reduction: GainReduction | None = None) -> list[Move]:
        """Echoes: how often, how loud, how many."""
        return echoes(settings["time_ms"], settings["feedback"], settings["mix"], jumping=settings["ping_pong"] > 0.5)

    def response(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Response:
        return self.factor(p, n, sample_rate).whole()

    def factor(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Formula:
        repeats = _repeats(p, self.tail_s - RING_S)
        return _echoes(p, repeats, n, sample_rate)


def _repeats(p: Mapping[str, Tensor], room_s: float) -> Tensor:
    """How many repeats fit, (b,); more than are audible are not counted."""
    fit = torch.floor(room_s * 1000 / p["time_ms"].detach())
    audible = math.log(INAUDIBLE) / p["feedback"].detach().clamp(1e-3, 0.999).log()
    return torch.minimum(fit, audible.ceil()).clamp_min(1)


def _echoes(p: Mapping[str, Tensor], repeats: Tensor, n: int, sample_rate: int) -> Formula:
    """Dry plus wet, (b, 2, 2, f). In mid and side the crossing of sides is diagonal: 1 for mid, 1 - 2 c for side.

    The sum of the first k terms of a geometric series is (1 - q^k) / (1 - q), with q the loop's gain times one pass.
    """
    cross, angle, batch = p["ping_pong"], p["mix"] * (math.pi / 2), len(repeats)
    loop = (p["feedback"][:, None] * torch.stack([torch.ones_like(cross), 1 - 2 * cross], dim=1))[..., None]
    # ping-pong lets the mono sum (L + R) / 2 in on the left, and on the right the rest
    kept, rest = 1 - cross / 2, 1.5 * cross - 1
    wet = torch.stack([kept, kept, kept, rest, kept, -kept, kept, -rest], dim=1).reshape(-1, 4, 2)
    identity = torch.tensor([1.0, 0.0, 0.0, 1.0], dtype=angle.dtype, device=angle.device)
    dry = torch.complex(angle.cos()[:, None] * identity, torch.zeros_like(identity))[..., None]
    inputs = [loop, _whole_power(loop, repeats), (0.5 * angle.sin())[:, None, None] * wet, dry]
    inputs += _passes(p, repeats, n, sample_rate)
    powers = torch.stack([repeats**0, repeats], dim=1)[..., None]
    squares, fade = _tables(n, angle.dtype, angle.device)

    def evaluate(inputs: Sequence[Tensor], bins: slice) -> Tensor:
        loop, whole, wet, dry, damping, coarse, fine = inputs
        loss = torch.log1p(squares[bins] * damping)
        gain = fade[bins] * (-0.5 * powers * loss[:, None]).exp()
        both = gain * delay_block(coarse, fine, bins).reshape(gain.shape)
        one, last = both[:, :1], both[:, 1:]
        series = one * (1 - whole * last) * (1 - loop * one).reciprocal()
        mixed = torch.view_as_complex((wet @ torch.view_as_real(series).flatten(-2)).reshape(batch, 4, -1, 2))
        return (mixed + dry).reshape(batch, 2, 2, -1)

    return Formula(evaluate, inputs, n // 2 + 1)


def _whole_power(base: Tensor, exponent: Tensor) -> Tensor:
    """base^exponent for whole numbers (b,) and bases (b, 2, 1) of either sign, with a derivative."""
    k = exponent[:, None, None]
    return base.abs() ** k * torch.where(k % 2 == 0, 1.0, base.detach().sign())


def _passes(p: Mapping[str, Tensor], repeats: Tensor, n: int, sample_rate: int) -> list[Tensor]:
    """What low-pass and delay are made of: how the former falls, (b, 1), and tables of one delay and of all, (2 b, _).

    The low-pass is a one-pole's magnitude, 1 / sqrt(1 + (f / cutoff)^2), without its phase: powers of it are cheap,
    and it is the same at every sample rate.
    """
    damping = (sample_rate / n / p["damping_hz"]).square()[:, None]
    samples = p["time_ms"] * (sample_rate / 1000)
    times = torch.stack([samples, samples * repeats], dim=1).flatten()
    return [damping, *delay_tables(times, n, slice(0, n // 2 + 1))]


@lru_cache(maxsize=8)
def _tables(n: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Per bin k of an `n`-point real FFT: k^2, and the fade at the top, (f,) each."""
    k = torch.arange(n // 2 + 1, dtype=torch.float64, device=device)
    return k.square().to(dtype), nyquist_fade(n, slice(0, len(k)), k).to(dtype)
