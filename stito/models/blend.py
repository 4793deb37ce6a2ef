"""Excerpts of one reference, or of several: what is measured of them is the weighted mean."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Blend"]


@dataclass(frozen=True, eq=False)
class Blend:
    """The excerpts (2, t) of each song, and the song's weight; weights add up to 1."""

    songs: Sequence[tuple[Sequence[Tensor], float]]

    @classmethod
    def of(cls, excerpts: Sequence[Tensor] | Blend) -> Blend:
        """Excerpts of one song as a blend; a blend as it is."""
        return excerpts if isinstance(excerpts, Blend) else cls([(excerpts, 1.0)])

    @property
    def excerpts(self) -> list[Tensor]:
        """Those of all songs, one after the other."""
        return [excerpt for song, _ in self.songs for excerpt in song]

    def map(self, change: Callable[[Tensor], Tensor]) -> Blend:
        """The same blend of changed excerpts."""
        return Blend([([change(excerpt) for excerpt in song], weight) for song, weight in self.songs])

    def mean(self, measure: Callable[[Sequence[Tensor]], Tensor]) -> Tensor:
        """The weighted mean of what is measured of each song's excerpts; of one song just that."""
        values = [measure(song) for song, _ in self.songs]
        if len(values) == 1:
            return values[0]
        return torch.stack([weight * value for value, (_, weight) in zip(values, self.songs, strict=True)]).sum(0)

    def in_a_row(self) -> list[tuple[Tensor, float]]:
        """Each song's excerpts in a row (2, t), on the CPU, and its weight."""
        return [(torch.cat(list(song), dim=-1).cpu(), weight) for song, weight in self.songs]
