"""Rooms that the code makes up: early reflections, then noise that fades at its own pace in each band."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from stito.dsp.impulse import noise_bands
from stito.dsp.spectrum import fast_length

__all__ = ["ROOM_RATE", "synthesise_rooms"]

ROOM_RATE = 44_100
SHORTEST_S, LONGEST_S = 0.15, 3.0
LIMIT_S = 2.6
"""No response is made longer: a bank keeps less."""
CROSSOVERS_HZ = (250.0, 1000.0, 4000.0)
DECAYS = ((0.8, 1.4), (1.0, 1.0), (0.6, 1.0), (0.3, 0.8))
"""For each band, its decay over the room's: real rooms lose highs to the air and keep lows."""
REFLECTIONS = 12
EARLY = (0.1, 1.0)
"""Energy of the early reflections over that of the late part."""
COMMON = (0.0, 0.4)
"""The share of energy that left and right have in common."""
DARKEST_HZ, BRIGHTEST_HZ = 3_000.0, 16_000.0
LOW_CUT_HZ = (40.0, 200.0)
END = 0.1
"""The share of the length that is faded out."""


def synthesise_rooms(count: int, seed: int) -> Iterator[Tensor]:
    """Responses (2, t) of `count` rooms at 44.1 kHz, times to -60 dB evenly spaced in their logarithm."""
    generator = np.random.default_rng(seed)  # no stream of ours: the shipped weights were trained in these rooms
    for decay_s in np.geomspace(SHORTEST_S, LONGEST_S, count):
        yield _room(float(decay_s), generator)


def _room(decay_s: float, generator: np.random.Generator) -> Tensor:
    """One room: bigger ones ring longer, and their walls answer later."""
    decays = torch.tensor([decay_s * generator.uniform(*ratio) for ratio in DECAYS])
    samples = fast_length(round(min(1.1 * float(decays.max()) + 0.05, LIMIT_S) * ROOM_RATE))
    size_s = 0.02 * decay_s**0.5 * generator.uniform(0.5, 2.0)
    early, late = _early(samples, size_s, generator), _late(samples, decays, size_s, generator)
    balance = generator.uniform(*EARLY) * late.square().sum() / early.square().sum()
    impulse = _toned(balance.sqrt() * early + late, generator)
    left = torch.linspace(1, 0, samples)
    return impulse * torch.sin((left / END).clamp_max(1) * (math.pi / 2)).square()


def _early(samples: int, size_s: float, generator: np.random.Generator) -> Tensor:
    """Reflections off the walls: ever denser, ever softer, each from its own side."""
    times_s = np.sort(size_s * (0.2 + 2.8 * generator.random(REFLECTIONS) ** 0.7))
    gains = 0.8 ** np.arange(REFLECTIONS) * generator.choice([-1.0, 1.0], REFLECTIONS)
    angles = generator.uniform(0.1, 0.9, REFLECTIONS) * (math.pi / 2)
    # an ear's breadth further for the side that faces away
    lag_s = 3e-4 * np.stack([np.sin(angles), np.cos(angles)])
    place = torch.from_numpy(np.round((times_s + lag_s) * ROOM_RATE).astype(np.int64)).clamp_max(samples - 1)
    weight = torch.from_numpy(gains * np.stack([np.cos(angles), np.sin(angles)])).float()
    return torch.zeros(2, samples).scatter_add_(1, place, weight)


def _late(samples: int, decays_s: Tensor, size_s: float, generator: np.random.Generator) -> Tensor:
    """Noise in bands, each under its decay, building up while the reflections grow dense."""
    share = generator.uniform(*COMMON)
    draws = torch.from_numpy(generator.standard_normal((3, samples), dtype=np.float32))
    bands = noise_bands(draws, share, CROSSOVERS_HZ, ROOM_RATE)
    time = torch.arange(samples) / ROOM_RATE
    fall = torch.exp(-3 * math.log(10) / decays_s[:, None] * time)
    late: Tensor = (bands * fall[:, None]).sum(dim=0) * (1 - torch.exp(-time / size_s))
    return late


def _toned(impulse: Tensor, generator: np.random.Generator) -> Tensor:
    """What the surfaces and the air leave: nothing very low, and more or less of the highs."""
    dark = DARKEST_HZ * (BRIGHTEST_HZ / DARKEST_HZ) ** generator.random()
    cut = generator.uniform(*LOW_CUT_HZ)
    samples = impulse.shape[-1]
    s = 1j * torch.fft.rfftfreq(2 * samples, 1 / ROOM_RATE)
    # causal, so that nothing sounds before the first reflection
    response = (s / cut) / ((1 + s / cut) * (1 + s / dark))
    toned: Tensor = torch.fft.irfft(torch.fft.rfft(impulse, n=2 * samples) * response, n=2 * samples)
    return toned[..., :samples]
