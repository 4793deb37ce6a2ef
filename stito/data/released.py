"""Released mixes as songs, whose stems a separator makes: FMA as it is unpacked, or a folder of audio files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from stito.audio import is_audio_file, read_audio, resample
from stito.data.fma import find_fma_tracks, is_fma
from stito.data.songs import SAMPLE_RATE, SPLITS, Song, check_named, check_names, read_splits, splits_beside
from stito.errors import AudioError, MissingFileError, SettingsError
from stito.separation import loaded_separator, separate_audio
from stito.stems import STEMS

__all__ = ["find_released", "separated_stems"]

MIX = "mix"


def find_released(*roots: Path, split_file: Path | None = None) -> list[Song]:
    """The released mixes in these folders, those of each ordered by name: one song for each audio file.

    Splits are those of `split_file`, else of `split.json` in the folder, else those of FMA, or of the folders `train`,
    `valid` and `test`.

    Raises:
        MissingFileError: there is no such folder or split file.
        AudioError: a folder holds no audio file.
        SettingsError: two files have one name, or the split file cannot be read or names none of the songs.
    """
    by_name = read_splits(split_file) if split_file else {}
    songs = [song for root in roots for song in _in_splits(root, by_name)]
    check_names(songs)
    if split_file:
        check_named(split_file, by_name, songs)
    return songs


def _in_splits(root: Path, by_name: Mapping[str, str]) -> list[Song]:
    """The mixes of one folder in the given splits, or in those of the folder's own split file."""
    found = _songs_of(root)
    by_name = by_name or splits_beside(root, found)
    return [replace(song, split=by_name.get(song.name, song.split)) for song in found]


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
    of = loaded_separator(separator)
    if of is None:
        raise SettingsError("Released mixes need a separator.", hint="Such as --separator demucs.")
    audio = read_audio(song.stems[MIX])
    x = resample(audio.stereo(), audio.sample_rate, of.sample_rate)
    for stem, made in separate_audio(x, of).items():
        if stem in STEMS:
            yield stem, resample(made, of.sample_rate, SAMPLE_RATE)
