"""Impulse responses of rooms: how long they ring, and how loud they leave what goes through them."""

from __future__ import annotations

from torch import Tensor

__all__ = ["ENERGY_RATE", "ring_s", "unit_energy"]

ENERGY_RATE = 44_100
"""Energies are counted at this rate."""


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
