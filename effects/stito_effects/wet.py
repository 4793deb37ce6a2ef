"""What reverbs share: the wet path's tone and delay, and the crossfade from dry to wet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from stito.dsp.blockwise import blockwise
from stito.dsp.phase import delay_response, nyquist_fade

__all__ = ["wet_response"]


def wet_response(
    spectrum: Tensor,
    *,
    pre_delay_ms: Tensor,
    low_cut_hz: Tensor,
    high_cut_hz: Tensor,
    mix: Tensor,
    n: int,
    sample_rate: int,
) -> Tensor:
    """Dry plus a delayed and filtered impulse response, (b, 2, f).

    `spectrum` is the impulse response's, (b | 1, 2, f). The cuts are those of second-order Butterworth filters,
    1 / sqrt(1 + (f / f0)^4) and its mirror image, without their phase, which nobody hears in a reverb. The crossfade
    follows the sine-cosine law, so that a response of unit energy keeps the level.
    """

    fourth, inverse, fade = _tables(n, mix.dtype, mix.device)
    rate = sample_rate / n

    def evaluate(inputs: Sequence[Tensor], bins: slice) -> Tensor:
        impulse, delay_ms, low_hz, high_hz, amount = inputs
        # (1 + a k^4) (1 + b / k^4), multiplied out
        a, b = (rate / high_hz[:, None]) ** 4, (low_hz[:, None] / rate) ** 4
        above = torch.addcmul(torch.addcmul(1 + a * b, a, fourth[bins]), b, inverse[bins])
        angle = amount[:, None] * (math.pi / 2)
        gain = angle.sin() * above.rsqrt() * fade[bins]
        delay = delay_response(delay_ms * (sample_rate / 1000), n, bins)
        path = torch.view_as_complex(torch.view_as_real(delay) * gain[..., None])  # a real factor: half the work
        return torch.addcmul(torch.complex(angle.cos(), torch.zeros_like(angle))[:, None], path[:, None], impulse)

    return blockwise(evaluate, [pre_delay_ms, low_cut_hz, high_cut_hz, mix], n // 2 + 1, along=[spectrum])


@lru_cache(maxsize=8)
def _tables(n: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Per bin k of an `n`-point real FFT: k^4, its inverse, and the fade at the top."""
    k = torch.arange(n // 2 + 1, dtype=torch.float64, device=device)
    fourth = k.square().square()
    fade = nyquist_fade(n, slice(0, len(k)), k)
    return fourth.to(dtype), fourth.clamp_min(1e-6).reciprocal().to(dtype), fade.to(dtype)
