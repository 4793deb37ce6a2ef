"""Released mixes as songs, whose stems a separator makes: FMA as it is unpacked, or a folder of audio files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from stito.audio import is_audio_file, read_audio, resample
from stito.data.fma import find_fma_tracks, is_fma
from stito.data.songs import SAMPLE_RATE, SPLITS, Song, check_names, read_splits
from stito.errors import AudioError, MissingFileError, SettingsError
from stito.separation import Separator, load_separator
from stito.stems import STEMS

__all__ = ["find_released", "separated_stems"]

MIX = "mix"


def find_released(*roots: Path, split_file: Path | None = None) -> list[Song]:
    """The released mixes in these folders, those of each ordered by name: one song for each audio file.

    Splits are those of FMA, of the folders `train`, `valid` and `test`, or of `split_file` as in `find_songs`.

    Raises:
        MissingFileError: there is no such folder or split file.
        AudioError: a folder holds no audio file.
        SettingsError: two files have one name, or the split file cannot be read.
    """
    songs = [song for root in roots for song in _songs_of(root)]
    check_names(songs)
    by_name = read_splits(split_file) if split_file else {}
    return [replace(song, split=by_name.get(song.name, song.split)) for song in songs]


def _songs_of(root: Path) -> list[Song]:
    if not root.is_dir():
        raise MissingFileError(f"{root} is not a folder.", hint="Give a folder of audio files.")
    if is_fma(root):
        return [Song(track.name, {MIX: track.path}, track.split or None) for track in find_fma_tracks(root)]
    places = [(root, None), *((root / split, split) for split in SPLITS if (root / split).is_dir())]
    found = [
        Song(path.stem, {MIX: path}, split)
        for place, split in places
        for path in sorted(place.iterdir())
        if is_audio_file(path) and not path.name.startswith(".")
    ]
    if not found:
        raise AudioError(f"{root} holds no audio files.", hint="Folders of stems need no --separator.")
    return sorted(found, key=lambda song: song.name)


def separated_stems(song: Song, separator: str) -> Iterator[tuple[str, Tensor]]:
    """The stems that a separator, by its name, makes of a released mix: (2, t) at 44.1 kHz."""
    of = _separator(separator)
    audio = read_audio(song.stems[MIX])
    x = resample(audio.stereo(), audio.sample_rate, of.sample_rate)
    with torch.no_grad():
        stems = of.separate(x)
    for stem, made in stems.items():
        if stem in STEMS:
            yield stem, resample(made, of.sample_rate, SAMPLE_RATE)


@lru_cache(maxsize=1)
def _separator(name: str) -> Separator:
    """Loaded once in each process."""
    loaded = load_separator(name)
    if loaded is None:
        raise SettingsError("Released mixes need a separator.", hint="Such as --separator demucs.")
    return loaded
