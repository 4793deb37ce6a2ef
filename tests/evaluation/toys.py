"""Toys with scores that are known beforehand: noise as music, gain as the only effect, encoders of four kinds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor

from stito.models.encoder import Encoder


class Noise:
    """Music of which each segment has its own colour (how its left and right hang together), all equally loud."""

    stems = ("vocals", "drums")

    def draw(self, stem: str, count: int, samples: int, generator: np.random.Generator) -> Tensor:
        x = torch.from_numpy(generator.standard_normal((count, 2, samples)).astype(np.float32))
        colour = torch.from_numpy(generator.uniform(-0.9, 0.9, count).astype(np.float32))
        x[:, 1] = colour[:, None] * x[:, 0] + (1 - colour[:, None] ** 2).sqrt() * x[:, 1]
        return 0.1 * x / x.square().mean((1, 2), keepdim=True).sqrt()


@dataclass(frozen=True)
class Gains:
    """Configurations of a single knob, in [0, 1]."""

    knob: Tensor

    def __len__(self) -> int:
        return len(self.knob)

    def rows(self, index: Sequence[int]) -> Gains:
        return Gains(self.knob[torch.as_tensor(index)])

    def to(self, device: str) -> Gains:
        return Gains(self.knob.to(device))

    def vector(self) -> tuple[Tensor, tuple[str, ...]]:
        return self.knob[:, None], ("gain.gain_db",)


class Louder:
    """Turns up by as much as 20 dB; remembers which effects it was asked for."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []

    def sample(self, stems: Sequence[str], generator: np.random.Generator, *, only: str | None = None) -> Gains:
        self.asked.append(only)
        return Gains(torch.from_numpy(generator.random(len(stems)).astype(np.float32)))

    def render(self, x: Tensor, manipulation: Gains) -> Tensor:
        return x * (10**manipulation.knob)[:, None, None]


class ToyEncoder:
    """Embeds the level in dB, or the colour of the music, or both; a selective one has a cell for each small range."""

    sample_rate = 44_100
    distance = "euclidean"

    def __init__(self, name: str, *, level: float, music: float, cells: int = 0) -> None:
        self.name = name
        self.dim = 2 + cells
        self.weights = torch.tensor([level, music])
        self.tuned = torch.linspace(0, 1, cells)

    def embed(self, x: Tensor) -> Tensor:
        level = (10 * x.square().mean((1, 2)).log10() + 20) / 20
        colour = (x[:, 0] * x[:, 1]).mean(1) / x.square().mean((1, 2))
        values = self.weights * torch.stack([level, colour], dim=1)
        return torch.cat([values, torch.exp(-((level[:, None] - self.tuned) * 20).square())], dim=1)


def toy_encoders(*names: str) -> dict[str, Encoder]:
    """By name: of `effects`, of `music`, of `both`, and a `selective` one of effects."""
    toys = {
        "effects": ToyEncoder("effects", level=1, music=0),
        "music": ToyEncoder("music", level=0, music=1),
        "both": ToyEncoder("both", level=1, music=1),
        "selective": ToyEncoder("selective", level=1, music=0, cells=40),
    }
    return {name: cast(Encoder, toys[name]) for name in names}
