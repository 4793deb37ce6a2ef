"""Whole mixes to train on: the stems of one song at one place, as they sound together.

Where `stito.data.contents` plays stems of different songs, here the stems of a song stay in time with each other. A
stem that does not sound at a place is not there: it is left out, not filled with zeros.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from stito.data.cache import Cache, Piece
from stito.data.speed import change_speed, nearest_speed, needed
from stito.errors import AudioError, SettingsError

__all__ = ["Excerpt", "MixSource", "Mixes", "NoMixes"]

Excerpt = dict[str, Tensor]
"""The stems (2, samples) that sound at one place of a song, by name."""

SOUNDING = 0.4
"""The share of an excerpt in which a stem has to sound to be there."""
TRIES = 12
FEWEST = 2
"""Stems of an excerpt, if a place with so many is found."""


class MixSource(Protocol):
    """What mixes are drawn from: see `Mixes`."""

    @property
    def songs(self) -> tuple[str, ...]:
        """Their names."""
        ...

    def excerpt(self, song: int, samples: int, generator: np.random.Generator) -> Excerpt:
        """The stems of one song at a random place."""
        ...


class NoMixes:
    """There are no mixes to draw from."""

    songs: tuple[str, ...] = ()

    def excerpt(self, song: int, samples: int, generator: np.random.Generator) -> Excerpt:
        """Nothing."""
        raise AudioError(f"There is no mix {song}.", hint="Build a cache with `stito data build`.")


class Mixes:
    """The songs of a cache of which at least two stems are there, by their stems in time with each other."""

    def __init__(self, cache: Cache, *, split: str = "train", speed: float = 0.0) -> None:
        """`speed` is the largest relative change of pitch and tempo.

        Raises `AudioError` if the split has no song of two stems or more, `SettingsError` for a speed outside [0, 1].
        """
        if not 0 <= speed <= 1:
            raise SettingsError(
                f"The largest speed change is {speed:g}.", hint="It goes from 0, none, to 1, an octave."
            )
        self.cache, self.speed = cache, speed
        pieces: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for number, piece in enumerate(cache.pieces):
            if piece.split == split:
                pieces[piece.song][piece.stem].append(number)
        self._songs = {name: dict(stems) for name, stems in sorted(pieces.items()) if len(stems) >= FEWEST}
        if not self._songs:
            splits = ", ".join(sorted({piece.split for piece in cache.pieces}))
            raise AudioError(
                f"{cache.folder} has no song of several stems in the split {split!r}.", hint=f"It has: {splits}."
            )

    @property
    def songs(self) -> tuple[str, ...]:
        """Their names, sorted."""
        return tuple(self._songs)

    def excerpt(self, song: int, samples: int, generator: np.random.Generator) -> Excerpt:
        """The stems of one song at a random place, two or more if a few tries find such a place."""
        speed = nearest_speed(float(np.exp(np.log1p(self.speed) * generator.uniform(-1, 1))))
        length = needed(samples, speed)
        stems = self._songs[self.songs[song]]
        ends = [self._piece(number).start + self._piece(number).samples for of in stems.values() for number in of]
        best: tuple[int, int] = (-1, 0)
        for _ in range(TRIES):
            start = int(generator.integers(max(1, max(ends) - length // 2)))
            found = sum(self._covered(of, start, length) >= SOUNDING * length for of in stems.values())
            best = max(best, (found, start), key=lambda pair: pair[0])
            if found >= min(FEWEST, len(stems)) and generator.random() < found / len(stems):
                break  # places where more of the stems play are preferred
        else:
            start = best[1]
        return {
            name: change_speed(torch.from_numpy(self._read(of, start, length)), speed, samples)
            for name, of in stems.items()
            if self._covered(of, start, length) >= SOUNDING * length
        }

    def _piece(self, number: int) -> Piece:
        return self.cache.pieces[number]

    def _covered(self, pieces: list[int], start: int, length: int) -> int:
        """How many samples of a stretch lie in a stem's sounding pieces."""
        return sum(max(0, stop - first) for first, stop in (self._overlap(n, start, length) for n in pieces))

    def _overlap(self, number: int, start: int, length: int) -> tuple[int, int]:
        piece = self._piece(number)
        return max(start, piece.start), min(start + length, piece.start + piece.samples)

    def _read(self, pieces: list[int], start: int, length: int) -> np.ndarray:
        """A stretch of a stem (2, length), silent between its pieces."""
        out = np.zeros((2, length), dtype=np.float32)
        for number in pieces:
            first, stop = self._overlap(number, start, length)
            if stop > first:
                out[:, first - start : stop - start] = self.cache.read(
                    number, first - self._piece(number).start, stop - first
                )
        return out
