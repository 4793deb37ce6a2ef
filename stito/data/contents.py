"""What is played: segments of different songs, the same for the same generator, varied by speed, side and polarity.

The number of different performances limits what an encoder learns. So each is also played at other speeds (pitch and
time together), with left and right exchanged, and with its polarity inverted.
"""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import torch
from torch import Tensor

from stito.data.cache import Cache
from stito.data.speed import change_speed, nearest_speed, needed
from stito.errors import AudioError, SettingsError, UnknownNameError

__all__ = ["Contents"]


class Contents:
    """Draws segments from a cache.

    A stem of a song is its sounding pieces one after the other, as if the song had no pauses, and begins again where
    it ends. Songs are drawn with a weight of the square root of their length: long songs have more variety, but not in
    proportion.
    """

    def __init__(
        self,
        cache: Cache,
        *,
        split: str = "train",
        speed: float = 0.25,
        swap_sides: bool = True,
        flip_polarity: bool = True,
    ) -> None:
        """The songs of a `split`; `speed` is the largest relative change, 0 for none.

        Raises `AudioError` if the cache has nothing of that split, `SettingsError` for a speed outside [0, 1].
        """
        if not 0 <= speed <= 1:
            raise SettingsError(
                f"The largest speed change is {speed:g}.", hint="It goes from 0, none, to 1, an octave."
            )
        self.cache = cache
        self.speed = speed
        self.swap_sides = swap_sides
        self.flip_polarity = flip_polarity
        self._songs: dict[str, list[_Playlist]] = _playlists(cache, split)
        if not self._songs:
            splits = ", ".join(sorted({piece.split for piece in cache.pieces}))
            raise AudioError(f"{cache.folder} has nothing of the split {split!r}.", hint=f"It has: {splits}.")
        self.stems = tuple(sorted(self._songs))
        self._weights = {stem: _weights(songs) for stem, songs in self._songs.items()}

    def songs(self, stem: str) -> int:
        """How many songs have a stem of that kind."""
        return len(self._of(stem))

    def draw(self, stem: str, count: int, samples: int, generator: np.random.Generator) -> Tensor:
        """Segments (count, 2, samples) of stems of one kind, from different songs as long as there are enough."""
        songs, weights = self._of(stem), self._weights[stem]
        chosen: list[int] = []
        while len(chosen) < count:
            some = min(count - len(chosen), len(songs))
            chosen += generator.choice(len(songs), some, replace=False, p=weights).tolist()
        out = torch.empty(count, 2, samples)
        for row, song in zip(out, chosen, strict=True):
            self._play(songs[song], row, generator)
        return out

    def _of(self, stem: str) -> list[_Playlist]:
        if stem not in self._songs:
            raise UnknownNameError.of("stem", stem, self._songs)
        return self._songs[stem]

    def _play(self, song: _Playlist, row: Tensor, generator: np.random.Generator) -> None:
        """Write a segment of a song from anywhere on into `row` (2, samples)."""
        speed = nearest_speed(math.exp(math.log1p(self.speed) * generator.uniform(-1, 1)))
        start = int(generator.integers(song.samples))
        swap = bool(generator.integers(2)) and self.swap_sides
        flip = bool(generator.integers(2)) and self.flip_polarity
        x = torch.from_numpy(song.read(self.cache, start, needed(row.shape[-1], speed)))
        x = change_speed(x, speed, row.shape[-1])
        x = x.flip(0) if swap else x
        torch.neg(x, out=row) if flip else row.copy_(x)


class _Playlist:
    """The pieces of a stem of a song, end to end."""

    def __init__(self, pieces: list[int], lengths: list[int]) -> None:
        self._pieces = pieces
        self._ends = np.cumsum(lengths)
        self.samples = int(self._ends[-1])

    def read(self, cache: Cache, start: int, samples: int) -> np.ndarray:
        """Float32 (2, samples) from `start` on, beginning again after the end."""
        parts = []
        while samples:
            number = int(np.searchsorted(self._ends, start, side="right"))
            piece, end = self._pieces[number], int(self._ends[number])
            some = min(samples, end - start)
            parts.append(cache.read(piece, start - end + cache.pieces[piece].samples, some))
            samples, start = samples - some, (start + some) % self.samples
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _playlists(cache: Cache, split: str) -> dict[str, list[_Playlist]]:
    pieces: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number, piece in enumerate(cache.pieces):
        if piece.split == split:
            pieces[piece.stem][piece.song].append(number)
    return {
        stem: [_Playlist(numbers, [cache.pieces[number].samples for number in numbers]) for numbers in songs.values()]
        for stem, songs in pieces.items()
    }


def _weights(songs: list[_Playlist]) -> np.ndarray:
    weights = np.sqrt([song.samples for song in songs])
    shares: np.ndarray = weights / weights.sum()
    return shares
