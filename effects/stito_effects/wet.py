"""What reverbs share: the wet path's tone and delay, and the crossfade from dry to wet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from stito.dsp.blockwise import Formula
from stito.dsp.phase import delay_block, delay_tables, nyquist_fade
from stito.effects.words import DRY, WHOLE_DB, Move, hertz, milliseconds, percent, time

__all__ = ["wet_move", "wet_response"]

LATE_MS, DARK_HZ = 15.0, 5000.0


def wet_move(
    room: str, mix: float, *, pre_delay_ms: float, high_cut_hz: float, decay_s: float | None = None, length: float = 1.0
) -> list[Move]:
    """A reverb in one sentence: what room, how long it rings, how much of it; none where it is dry.

    >>> [move.text for move in wet_move("room", 0.14, decay_s=0.6, pre_delay_ms=20.0, high_cut_hz=8000.0)]
    ['A room of .6 s at 14 %, 20 ms behind.']
    """
    if mix < DRY:
        return []
    text = f"A {room}{'' if decay_s is None else f' of {time(decay_s)}'} at {percent(mix)}"
    text += f", shortened to {percent(length)}" if length < 0.95 else ""
    text += f", {milliseconds(pre_delay_ms)} behind" if pre_delay_ms >= LATE_MS else ""
    text += f", dark (above {hertz(high_cut_hz)})" if high_cut_hz < DARK_HZ else ""
    return [Move(f"{text}.", WHOLE_DB * mix)]


def wet_response(
    room: Formula,
    *,
    pre_delay_ms: Tensor,
    low_cut_hz: Tensor,
    high_cut_hz: Tensor,
    mix: Tensor,
    n: int,
    sample_rate: int,
) -> Formula:
    """Dry plus a delayed and filtered impulse response, (b, 2, f).

    `room` is the impulse response's spectrum, (b | 1, 2, f). The cuts are those of second-order Butterworth filters,
    1 / sqrt(1 + (f / f0)^4) and its mirror image, without their phase, which nobody hears in a reverb. The crossfade
    follows the sine-cosine law, so that a response of unit energy keeps the level.
    """
    powers, fade = _tables(n, mix.dtype, mix.device)
    # (1 + a k^4) (1 + b / k^4), multiplied out
    a, b = (sample_rate / n / high_cut_hz) ** 4, (low_cut_hz * n / sample_rate) ** 4
    cuts = torch.stack([1 + a * b, a, b], dim=1)
    angle = mix * (math.pi / 2)
    dry = torch.complex(angle.cos(), torch.zeros_like(angle))[:, None, None]
    coarse, fine = delay_tables(pre_delay_ms * (sample_rate / 1000), n, slice(0, n // 2 + 1))

    def evaluate(inputs: Sequence[Tensor], bins: slice) -> Tensor:
        *given, cuts, dry, coarse, fine = inputs
        path = delay_block(coarse, fine, bins) * ((cuts @ powers[:, bins]).rsqrt() * fade[bins])
        return torch.addcmul(dry, path[:, None], room.evaluate(given, bins))

    inputs = [*room.inputs, cuts, dry, coarse, angle.sin()[:, None] * fine]
    return Formula(evaluate, inputs, n // 2 + 1, room.along, room.size)


@lru_cache(maxsize=8)
def _tables(n: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Per bin k of an `n`-point real FFT: 1, k^4 and its inverse, (3, f); and the fade at the top, (f,)."""
    k = torch.arange(n // 2 + 1, dtype=torch.float64, device=device)
    fourth = k.square().square()
    powers = torch.stack([torch.ones_like(k), fourth, fourth.clamp_min(1e-6).reciprocal()])
    return powers.to(dtype), nyquist_fade(n, slice(0, len(k)), k).to(dtype)
