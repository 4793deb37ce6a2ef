"""The composed songs as whole mixes: enough to see that training and evaluations work, too little to train on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stito.data.mixes import Excerpt
from stito.demo.songs import SONGS, compose

__all__ = ["DemoMixes", "stretch"]

SECONDS = 4.0


class DemoMixes:
    """A `MixSource` of the songs that stito composes."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self.songs: tuple[str, ...] = tuple(SONGS)
        self._audio = [
            {stem: torch.from_numpy(x.copy()) for stem, x in compose(name, seconds=seconds).items()} for name in SONGS
        ]

    def excerpt(self, song: int, samples: int, generator: np.random.Generator) -> Excerpt:
        """The stems of one song at a random place."""
        stems = self._audio[song]
        length = next(iter(stems.values())).shape[-1]
        start = int(generator.integers(max(1, length - samples)))
        return {name: stretch(x, start, samples) for name, x in stems.items()}


def stretch(x: Tensor, start: int, samples: int) -> Tensor:
    """Audio (2, samples) from a place on, silent beyond its end."""
    piece = x[:, start : start + samples]
    return torch.nn.functional.pad(piece, (0, samples - piece.shape[-1]))
