"""Echoes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from stito.dsp.blockwise import blockwise
from stito.dsp.phase import delay_response, nyquist_fade
from stito.dsp.spectrum import Response
from stito.effects.effect import LinearEffect
from stito.effects.param import Param

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
    params: ClassVar[tuple[Param, ...]] = (
        Param("time_ms", 20.0, 800.0, neutral=250.0, scale="log", doc="time between repeats"),
        Param("feedback", 0.0, 0.7, neutral=0.3, doc="level of each repeat over the one before"),
        Param("ping_pong", 0.0, 1.0, neutral=0.0, doc="0 keeps sides, 1 alternates between them"),
        Param("damping_hz", 1000.0, 18_000.0, neutral=6000.0, scale="log", doc="each repeat loses what is above"),
        Param("mix", 0.0, 1.0, neutral=0.0, doc="0 is dry, 1 is echoes alone", depth=True),
    )
    tail_s: ClassVar[float] = 4.0

    def response(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Response:
        names = [param.name for param in self.params]
        repeats = _repeats(p, self.tail_s - RING_S)

        def evaluate(inputs: Sequence[Tensor], bins: slice) -> Tensor:
            values = dict(zip(names, inputs, strict=True))
            return _matrix(values, repeats, n, sample_rate, bins)

        return blockwise(evaluate, [p[name] for name in names], n // 2 + 1)


def _repeats(p: Mapping[str, Tensor], room_s: float) -> Tensor:
    """How many repeats fit, (b,); more than are audible are not counted."""
    fit = torch.floor(room_s * 1000 / p["time_ms"].detach())
    audible = math.log(INAUDIBLE) / p["feedback"].detach().clamp(1e-3, 0.999).log()
    return torch.minimum(fit, audible.ceil()).clamp_min(1)


def _matrix(p: Mapping[str, Tensor], repeats: Tensor, n: int, sample_rate: int, bins: slice) -> Tensor:
    """Dry plus wet, (b, 2, 2, bins). In mid and side the crossing of sides is diagonal: 1 for mid, 1 - 2 c for side."""
    cross, angle = p["ping_pong"], p["mix"] * (math.pi / 2)
    crossed = torch.stack([torch.ones_like(cross), 1 - 2 * cross], dim=1)
    loop = (p["feedback"][:, None] * crossed)[..., None]
    one, last = _passes(p, repeats, n, sample_rate, bins)
    # the sum of the first k terms of a geometric series: (1 - q^k) / (1 - q)
    series = one * (1 - _whole_power(loop, repeats) * last) * (1 - loop * one).reciprocal()
    # ping-pong lets the mono sum (L + R) / 2 in on the left, and on the right the rest
    kept, rest = 1 - cross / 2, 1.5 * cross - 1
    wet = torch.stack([kept, kept, kept, rest, kept, -kept, kept, -rest], dim=1).reshape(-1, 4, 2)
    mixed = (0.5 * angle.sin())[:, None, None] * wet @ torch.view_as_real(series).flatten(-2)
    identity = torch.tensor([1.0, 0.0, 0.0, 1.0], dtype=angle.dtype, device=angle.device)
    dry = torch.complex(angle.cos()[:, None] * identity, torch.zeros_like(identity))[..., None]
    return (torch.view_as_complex(mixed.reshape(len(cross), 4, -1, 2)) + dry).reshape(len(cross), 2, 2, -1)


def _whole_power(base: Tensor, exponent: Tensor) -> Tensor:
    """base^exponent for whole numbers (b,) and bases (b, 2, 1) of either sign, with a derivative."""
    k = exponent[:, None, None]
    return base.abs() ** k * torch.where(k % 2 == 0, 1.0, base.detach().sign())


def _passes(p: Mapping[str, Tensor], repeats: Tensor, n: int, sample_rate: int, bins: slice) -> tuple[Tensor, Tensor]:
    """Delay and low-pass, H, and the same as often as there are repeats, H^k: complex (b, 1, bins) each.

    The low-pass is a one-pole's magnitude, 1 / sqrt(1 + (f / cutoff)^2), without its phase: powers of it are cheap,
    and it is the same at every sample rate.
    """
    hz = torch.arange(bins.start, bins.stop, device=repeats.device).to(repeats.dtype) * (sample_rate / n)
    loss = -0.5 * torch.log1p((hz / p["damping_hz"][:, None]).square())
    samples = p["time_ms"] * (sample_rate / 1000)
    times, powers = torch.stack([samples, samples * repeats], dim=1), torch.stack([repeats**0, repeats], dim=1)
    gain = nyquist_fade(n, bins, loss) * (powers[..., None] * loss[:, None]).exp()
    both = gain * delay_response(times.flatten(), n, bins).reshape(gain.shape)
    return both[:, :1], both[:, 1:]
