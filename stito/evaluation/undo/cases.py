"""A good mix, what damage was done to it, and another good mix."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np

from stito import streams
from stito.data.cache import Cache
from stito.data.degradation.degradation import Damage, degrade, draw_faults
from stito.data.mixes import Excerpt, Mixes, MixSource
from stito.data.songs import SAMPLE_RATE
from stito.demo.mixes import DemoMixes
from stito.errors import SettingsError
from stito.evaluation.undo.plan import ITSELF, UndoPlan
from stito.streams import Purpose

__all__ = ["CachedMixes", "ComposedMixes", "Source", "UndoCase", "draw_case", "opened"]


class Source(Protocol):
    """Where mixes come from; small, hashable and picklable: what it opens is neither."""

    def __hash__(self) -> int: ...

    @property
    def sentence(self) -> str:
        """What it is."""
        ...

    def mixes(self) -> MixSource:
        """The songs."""
        ...


@dataclass(frozen=True)
class CachedMixes:
    """The songs of a split of a cache that `stito data build` made."""

    folder: Path
    split: str

    @property
    def sentence(self) -> str:
        """How many songs there are, and how they were prepared."""
        count, prepared = len(opened(self).songs), Cache.open(self.folder).preparation
        return f"{self.folder.resolve().name}, split {self.split}: {count} songs, {prepared}."

    def mixes(self) -> MixSource:
        """These of two stems or more."""
        return Mixes(Cache.open(self.folder), split=self.split)


@dataclass(frozen=True)
class ComposedMixes:
    """The songs that stito composes, for trying things out."""

    seconds: float = 4.0

    @property
    def sentence(self) -> str:
        """What they are."""
        return "songs composed by stito, for trying out: the figures mean nothing."

    def mixes(self) -> MixSource:
        """These songs, at some length."""
        return DemoMixes(self.seconds)


@lru_cache(maxsize=2)
def opened(source: Source) -> MixSource:
    """What a source has, opened once in each process."""
    return source.mixes()


@dataclass(frozen=True)
class UndoCase:
    """A mix, stems (2, t) by name at 44.1 kHz, before and after damage was done to it, and a good mix of another song.

    Songs are named.
    """

    number: int
    song: str
    good: Excerpt
    damaged: Excerpt
    damage: tuple[Damage, ...]
    other_song: str
    other: Excerpt

    def reference(self, kind: str) -> Excerpt:
        """The good mix of this song, or that of another."""
        return self.good if kind == ITSELF else self.other


def draw_case(source: MixSource, plan: UndoPlan, number: int) -> UndoCase:
    """The plan's case of that number: the same plan and number give the same case.

    Raises `SettingsError` for fewer than two songs, `AudioError` where none of the faults does anything.
    """
    songs = source.songs
    if len(songs) < 2:
        raise SettingsError("Another good mix needs another song, and there is one.", hint="Use more songs.")
    order = streams.generator(plan.seed, Purpose.UNDONE_CASES, "songs").permutation(len(songs))
    here = streams.generator(plan.seed, Purpose.UNDONE_CASES, "case", number)
    song, samples = int(order[number % len(songs)]), round(plan.seconds * SAMPLE_RATE)
    good = source.excerpt(song, samples, here)
    drawn = draw_faults(good, SAMPLE_RATE, here, faults=plan.faults or None, severity=plan.severity)
    damaged, done = degrade(good, SAMPLE_RATE, drawn, here)
    other, excerpt = _another(source, song, {damage.stem for damage in done}, samples, here)
    return UndoCase(number, songs[song], good, damaged, tuple(done), songs[other], excerpt)


def _another(
    source: MixSource, song: int, wanted: set[str], samples: int, generator: np.random.Generator
) -> tuple[int, Excerpt]:
    """A place in another song in which all the wanted stems sound, or as many of them as in any."""
    best: tuple[int, Excerpt] | None = None
    for other in generator.permutation([number for number in range(len(source.songs)) if number != song]):
        excerpt = source.excerpt(int(other), samples, generator)
        if best is None or len(wanted & set(excerpt)) > len(wanted & set(best[1])):
            best = int(other), excerpt
        if wanted <= set(excerpt):
            break
    assert best is not None
    return best
