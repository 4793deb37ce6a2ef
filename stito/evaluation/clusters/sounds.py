"""Sounds with a class each: of a folder, of FMA, of a cache, or composed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stito import streams
from stito.audio import is_audio_file
from stito.data.cache import Cache
from stito.data.fma import find_fma_tracks, is_fma
from stito.data.mixes import Mixes, MixSource
from stito.data.songs import SAMPLE_RATE
from stito.demo.mixes import DemoMixes
from stito.errors import MissingFileError, SettingsError
from stito.mix import Mix, read_mix
from stito.streams import Purpose

__all__ = ["LabelledSound", "chosen", "demo_sounds", "labelled_sounds"]

EXCERPTS = 8
"""Places of each song of a cache, if not fewer are asked for."""
EXCERPT_S = 10.0


@dataclass(frozen=True)
class LabelledSound:
    """A sound by its name, its class, and how it is read."""

    name: str
    label: str
    read: Callable[[], Mix]


def labelled_sounds(folder: Path, *, split: str | None, per_class: int, seed: int) -> tuple[list[LabelledSound], str]:
    """The sounds of a folder, at most so many of each class, and what they are in a sentence.

    The classes are the genres of FMA, the songs of a cache (excerpts of them, by their stems), or the sub-folders of
    any other folder, whose audio files and folders of stems are the sounds.

    Raises:
        MissingFileError: there is no such folder.
        SettingsError: fewer than two classes with two sounds each, or a split of a folder that has none.
    """
    if not folder.is_dir():
        raise MissingFileError(f"{folder} is not a folder.", hint="Give a folder whose sub-folders are the classes.")
    if (folder / "index.json").is_file():
        return _of_cache(folder, split or "test", per_class, seed)
    if is_fma(folder):
        return _of_fma(folder, split, per_class, seed)
    if split is not None:
        raise SettingsError(f"{folder} has no splits.", hint="Leave --split out: caches and FMA have splits.")
    sounds = [
        LabelledSound(f"{place.name}/{sound.name}", place.name, partial(read_mix, sound))
        for place in sorted(folder.iterdir())
        if place.is_dir() and not place.name.startswith(".")
        for sound in sorted(place.iterdir())
        if not sound.name.startswith(".") and (sound.is_dir() or is_audio_file(sound))
    ]
    picked = chosen(sounds, per_class, seed)
    return picked, f"{folder.resolve().name}: {_counted(picked)}, classes are sub-folders."


def _of_fma(folder: Path, split: str | None, per_class: int, seed: int) -> tuple[list[LabelledSound], str]:
    sounds = [
        LabelledSound(track.name, track.genre, partial(read_mix, track.path))
        for track in find_fma_tracks(folder)
        if track.genre and split in (None, track.split)
    ]
    picked = chosen(sounds, per_class, seed)
    of = f", split {split}" if split else ""
    return picked, f"{folder.resolve().name}{of}: {_counted(picked)}, classes are genres."


def _of_cache(folder: Path, split: str, per_class: int, seed: int) -> tuple[list[LabelledSound], str]:
    cache = Cache.open(folder)
    picked = _excerpts(Mixes(cache, split=split), min(per_class, EXCERPTS), EXCERPT_S, seed)
    return (
        picked,
        f"{folder.resolve().name}, split {split}, {cache.preparation}: {_counted(picked)}, classes are songs.",
    )


def demo_sounds(seed: int) -> tuple[list[LabelledSound], str]:
    """Excerpts of the songs that stito composes, to try things out."""
    sounds = _excerpts(DemoMixes(), 3, 1.0, seed)
    return sounds, f"{_counted(sounds)} composed by stito, for trying out: the figures mean nothing."


def _excerpts(source: MixSource, count: int, seconds: float, seed: int) -> list[LabelledSound]:
    """Some places of each song, by its stems."""

    def read(song: int, name: str, place: int) -> Mix:
        here = streams.generator(seed, Purpose.CLUSTER_SOUNDS, "place", name, place)
        return Mix.from_arrays(source.excerpt(song, round(seconds * SAMPLE_RATE), here), SAMPLE_RATE, name=name)

    return [
        LabelledSound(f"{name} {place + 1}", name, partial(read, song, name, place))
        for song, name in enumerate(source.songs)
        for place in range(count)
    ]


def chosen(sounds: Sequence[LabelledSound], per_class: int, seed: int) -> list[LabelledSound]:
    """At most so many sounds of each class, drawn at random; classes of a single sound are left out.

    Raises `SettingsError` where fewer than two classes are left.
    """
    by_class: dict[str, list[LabelledSound]] = defaultdict(list)
    for sound in sounds:
        by_class[sound.label].append(sound)
    kept = {label: of for label, of in sorted(by_class.items()) if len(of) > 1}
    if len(kept) < 2:
        raise SettingsError(
            f"{len(kept)} classes of two sounds or more: there is nothing to tell apart.",
            hint="Give a folder whose sub-folders are the classes, with several audio files in each.",
        )
    picked = []
    for label, of in kept.items():
        order = streams.generator(seed, Purpose.CLUSTER_SOUNDS, "chosen", label).permutation(len(of))
        picked += [of[place] for place in sorted(order[:per_class])]
    return picked


def _counted(sounds: Sequence[LabelledSound]) -> str:
    return f"{len(sounds)} sounds of {len({sound.label for sound in sounds})} classes"
