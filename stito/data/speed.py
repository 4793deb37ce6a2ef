"""Faster or slower, pitch and time together, as a tape does it: the cheapest way to more songs."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import torch
from torch import Tensor

__all__ = ["change_speed", "nearest_speed", "needed"]

LARGEST_DENOMINATOR = 32
WINGS = 8
"""Input samples on either side that each output sample is computed from."""
ROLLOFF = 0.95
"""The low-pass ends at this part of the band that both sides can hold."""


def nearest_speed(ratio: float) -> Fraction:
    """The fraction with a small denominator next to a speed, within a thousandth or so of it."""
    return Fraction(ratio).limit_denominator(LARGEST_DENOMINATOR)


def needed(samples: int, speed: Fraction) -> int:
    """How many samples are played in the time of `samples` at a speed; the wings beside them included."""
    step, made = _block(speed)
    return samples if speed == 1 else -(-samples // made) * step + 2 * WINGS


def change_speed(x: Tensor, speed: Fraction, samples: int) -> Tensor:
    """The first `samples` samples of (..., t) at another speed; 2 is an octave higher in half of the time.

    `x` has the `needed` length at least. Playing begins after its first 8 samples, which the interpolation needs.
    Band-limited interpolation with a Hann-windowed sinc: at speed n/d, each block of n samples becomes d, by one small
    matrix for all blocks (Smith & Gossett, A flexible sampling-rate conversion method, 1984).
    """
    if speed == 1:
        return x[..., :samples]
    step, made = _block(speed)
    width, blocks = step + 2 * WINGS, -(-samples // made)
    windows = x.unfold(-1, width, step)[..., :blocks, :]
    return (windows @ _kernel(step, made).to(x)).flatten(-2)[..., :samples]


def _block(speed: Fraction) -> tuple[int, int]:
    """Samples that are played, and samples that they become, in a block large enough for its wings not to matter."""
    times = -(-LARGEST_DENOMINATOR // (2 * speed.denominator))
    return times * speed.numerator, times * speed.denominator


@lru_cache(maxsize=1024)
def _kernel(step: int, made: int) -> Tensor:
    """The matrix (step + 2 wings, made) from a window of input samples to one block of output samples."""
    places = WINGS + torch.arange(made, dtype=torch.float64) * step / made
    distance = torch.arange(step + 2 * WINGS, dtype=torch.float64)[:, None] - places
    cutoff = ROLLOFF * min(1.0, made / step)
    hann = torch.where(distance.abs() < WINGS, (math.pi * distance / (2 * WINGS)).cos().square(), 0.0)
    kernel = cutoff * torch.sinc(cutoff * distance) * hann
    return (kernel / kernel.sum(0)).float()
