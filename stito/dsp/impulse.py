"""Impulse responses of rooms: how long they ring, how loud they leave what goes through them, and of what they consist.

The late part of a room's answer is noise under an exponential decay, and highs decay sooner than lows (J. A. Moorer,
"About this reverberation business", 1979). What is made of that, a table of decays or a bank of random rooms, is its
makers' business; they share the noise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from stito.errors import AudioError

__all__ = ["ENERGY_RATE", "faded_out", "from_first_sound", "noise_bands", "ring_s", "unit_energy"]

ENERGY_RATE = 44_100
"""Energies are counted at this rate."""
ONSET = 0.01
"""A recording starts where it first reaches this share of its peak."""
FADE_S = 0.05


def unit_energy(impulse: Tensor, sample_rate: int) -> Tensor:
    """Impulse responses (..., 2, t) that leave the level of noise as it is; the balance between channels is kept.

    The energy of the same room grows with the sample rate, and its gain does not: it is counted at 44.1 kHz.
    """
    energy = impulse.square().mean(dim=-2, keepdim=True).sum(dim=-1, keepdim=True) * (sample_rate / ENERGY_RATE)
    return impulse * energy.clamp_min(1e-12).rsqrt()


def ring_s(impulse: Tensor, sample_rate: int) -> float:
    """The time to -60 dB of (2, t), from the fall from -5 to -25 dB of the energy still to come (Schroeder, 1965)."""
    ahead = impulse.double().square().sum(dim=0).flip(0).cumsum(0).flip(0)
    below = [int((ahead < ahead[0] * 10 ** (level / 10)).int().argmax()) for level in (-5, -25)]
    return 3 * max(below[1] - below[0], 1) / sample_rate


def from_first_sound(recording: Tensor, source: str) -> Tensor:
    """A recorded response (2, t) from its first sound on; `AudioError` naming its `source` if it is silent."""
    level = recording.abs().amax(dim=0) if recording.numel() else recording.new_zeros(1)
    if level.max() == 0:
        raise AudioError(f"{source}: the impulse response is silent.", hint="Choose a recording of a room's answer.")
    return recording[:, int((level > ONSET * level.max()).nonzero()[0]) :]


def faded_out(impulse: Tensor, sample_rate: int) -> Tensor:
    """A response (2, t) whose last 50 ms fade to silence."""
    fade = min(round(FADE_S * sample_rate), impulse.shape[-1])
    ramp = torch.cos(torch.linspace(0, math.pi / 2, fade, dtype=impulse.dtype)).square()
    sounding = impulse.shape[-1] - fade
    return torch.cat([impulse[:, :sounding], impulse[:, sounding:] * ramp], dim=-1)


def noise_bands(draws: Tensor, common: float, crossovers_hz: Sequence[float], sample_rate: int) -> Tensor:
    """White noise for left and right in bands that add up to it, (bands, 2, t), of three independent draws (3, t).

    `common` is the share of energy that left and right have in common: the first draw's.
    """
    shared, *sides = draws
    white = torch.stack([math.sqrt(common) * shared + math.sqrt(1 - common) * side for side in sides])
    samples = draws.shape[-1]
    hz = torch.fft.rfftfreq(samples, 1 / sample_rate, dtype=draws.dtype)
    below = [1 / (1 + (hz / crossover) ** 4) for crossover in crossovers_hz]
    edges = [torch.zeros_like(hz), *below, torch.ones_like(hz)]
    shares = torch.stack([upper - lower for lower, upper in pairwise(edges)])
    bands: Tensor = torch.fft.irfft(shares[:, None] * torch.fft.rfft(white), n=samples)
    return bands
