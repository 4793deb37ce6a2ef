"""Small stand-ins with which training takes milliseconds: noise to play, two effects, a network of four numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

RECIPE = """
name = "toy"
[batch]
groups = 4
min_seconds = 0.01
max_seconds = 0.02
[optimiser]
steps = 6
rate = 0.01
warmup = 2
average = 0.9
[validation]
every = 3
batches = 1
groups = 2
configurations = 3
seconds = 0.01
[probabilities]
every = 1
[run]
log_every = 2
"""


class Noise:
    """Noise of as many songs as are asked for."""

    stems: tuple[str, ...] = ("drums", "vocals")

    def draw(self, stem: str, count: int, samples: int, generator: np.random.Generator) -> Tensor:
        return torch.from_numpy(generator.standard_normal((count, 2, samples)).astype(np.float32))


@dataclass(frozen=True)
class Turned:
    """One configuration per row: how loud, and how far to the left."""

    stems: tuple[str, ...]
    gain: Tensor
    pan: Tensor

    def __len__(self) -> int:
        return len(self.stems)

    def rows(self, index: Sequence[int] | Tensor) -> Turned:
        index = torch.as_tensor(index)
        return Turned(tuple(self.stems[i] for i in index.tolist()), self.gain[index], self.pan[index])

    def to(self, device: torch.device | str) -> Turned:
        return Turned(self.stems, self.gain.to(device), self.pan.to(device))


class Turner:
    """A manipulator of two effects."""

    def __init__(self, probabilities: Mapping[str, float] | None = None) -> None:
        self.probabilities = {"gain": 0.9, "panner": 0.5, **(probabilities or {})}

    def sample(self, stems: Sequence[str], generator: np.random.Generator, *, only: str | None = None) -> Turned:
        def draw(effect: str) -> Tensor:
            value = torch.from_numpy(generator.uniform(-1, 1, len(stems))).float()
            active = torch.from_numpy(generator.random(len(stems)) < self.probabilities[effect])
            return torch.where(active if only is None else torch.tensor(only == effect), value, 0.0)

        return Turned(tuple(stems), draw("gain"), draw("panner"))

    def render(self, x: Tensor, manipulation: Any) -> Tensor:
        sides = torch.stack([1 + manipulation.pan, 1 - manipulation.pan], dim=1)
        return x * (torch.exp(manipulation.gain)[:, None] * sides)[:, :, None]


class Loudness(nn.Module):
    """The levels of both sides, bent by a small network with dropout if that is wanted."""

    def __init__(self, dim: int = 8, dropout: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, dim))

    def forward(self, x: Tensor) -> Tensor:
        embedded: Tensor = self.layers(x.square().mean(-1).clamp_min(1e-9).log())
        return embedded


def loudness(config: dict[str, Any]) -> nn.Module:
    """The factory of `Loudness`."""
    return Loudness(**config)
