"""Songs on disk: where their stems lie, and which of them are for training, for validation, for the test.

Three layouts are supported, and may be mixed in one folder:

```
songs/<song>/{vocals,drums,bass,other}.<wav|flac|ogg|...>      one folder for each song, as in MUSDB18-HQ
songs/<song>.stem.mp4                                          one stem file for each song, as in MUSDB18
songs/{train,valid,test}/...                                   either, in one folder for each split
```
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from stito.audio import Audio, is_audio_file, is_stem_file, read_audio, read_stem_file, resample
from stito.errors import AudioError, MissingFileError, SettingsError
from stito.files.documents import parse_json, read_document
from stito.stems import STEMS

__all__ = [
    "SAMPLE_RATE",
    "SPLITS",
    "SPLIT_FILE",
    "Song",
    "check_names",
    "find_songs",
    "read_splits",
    "read_stems",
]

SAMPLE_RATE = 44_100
"""The rate at which everything is trained, in Hz."""

SPLITS = ("train", "valid", "test")
SPLIT_FILE = "split.json"
"""A file of this name in a folder of songs says which songs belong to which split."""


@dataclass(frozen=True)
class Song:
    """One song: the files of its stems by kind (a stem file stands for all four), and its split if it has one."""

    name: str
    stems: Mapping[str, Path]
    split: str | None = None

    def fingerprint(self) -> str:
        """A text that changes when a file of the song changes: sizes and times of change."""
        states = [(stem, path.stat()) for stem, path in sorted(self.stems.items())]
        return " ".join(f"{stem}:{state.st_size}:{state.st_mtime_ns}" for stem, state in states)


class _Split(BaseModel):
    """A split file: song names for each split; what it does not name keeps the split of its folder."""

    model_config = ConfigDict(extra="forbid")
    train: list[str] = []
    valid: list[str] = []
    test: list[str] = []


def find_songs(*roots: Path, split_file: Path | None = None) -> list[Song]:
    """The songs in these folders, those of each ordered by name.

    The split of a song comes from `split_file` (JSON: `{"valid": [names], "test": [names]}`), else from `split.json` in
    its folder, else from the folder `train`, `valid` or `test` that it is in. The 14 songs of MUSDB18's published
    validation set are recognised by name, so its 86/14/50 needs no file.

    Raises:
        MissingFileError: there is no such folder or split file.
        AudioError: it holds no song.
        SettingsError: two songs have one name, or the split file cannot be read or names none of the songs.
    """
    splits_by_name = read_splits(split_file) if split_file else {}
    songs = [song for root in roots for song in _songs_of(root, splits_by_name)]
    if split_file:
        check_named(split_file, splits_by_name, songs)
    return songs


def _songs_of(root: Path, splits_by_name: Mapping[str, str]) -> list[Song]:
    """The songs of one folder, ordered by name, in the given splits, or in those of the folder's own split file."""
    if not root.is_dir():
        raise MissingFileError(f"{root} is not a folder.", hint="Give a folder of songs.")
    found = list(_songs_in(root, None))
    for split in SPLITS:
        found += _songs_in(root / split, split) if (root / split).is_dir() else []
    if not found:
        raise AudioError(
            f"{root} holds no songs.",
            hint=f"A song is a folder with files named {', '.join(STEMS)}, or a file that ends in .stem.mp4.",
        )
    check_names(found)
    musdb = _parse_splits((files("stito.data") / "splits" / "musdb18.json").read_text(encoding="utf-8"), "musdb18")
    by_name = musdb | dict(splits_by_name or splits_beside(root, found))
    songs = [replace(song, split=by_name.get(song.name, song.split)) for song in found]
    return sorted(songs, key=lambda song: song.name)


def splits_beside(root: Path, songs: Sequence[Song]) -> dict[str, str]:
    """The splits that a folder's own `split.json` names, if there is one; `SettingsError` if it names none of them."""
    beside = root / SPLIT_FILE
    by_name = read_splits(beside) if beside.is_file() else {}
    if by_name:
        check_named(beside, by_name, songs)
    return by_name


def check_named(split_file: Path, by_name: Mapping[str, str], songs: Sequence[Song]) -> None:
    """Raise `SettingsError` if a split file names none of the songs."""
    if not by_name.keys() & {song.name for song in songs}:
        raise SettingsError(
            f"{split_file} names none of the songs.",
            hint=f"Songs are called after their folders or files, such as {songs[0].name!r}.",
        )


def check_names(songs: Iterable[Song]) -> None:
    """Raise `SettingsError` if two songs have one name: songs are identified by name in splits and caches."""
    seen: dict[str, Song] = {}
    for song in songs:
        if song.name in seen:
            places = sorted(str(next(iter(one.stems.values()))) for one in (song, seen[song.name]))
            raise SettingsError(
                f"Two songs are called {song.name!r}: {places[0]} and {places[1]}.", hint="Rename one of them."
            )
        seen[song.name] = song


def _songs_in(folder: Path, split: str | None) -> Iterator[Song]:
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_file() and is_stem_file(entry):
            yield Song(entry.name.rsplit(".stem.", 1)[0], dict.fromkeys(STEMS, entry), split)
        elif entry.is_dir() and (stems := _stems_in(entry)):
            yield Song(entry.name, stems, split)


def _stems_in(folder: Path) -> dict[str, Path]:
    """The files of a song by the kind of stem that each is named after; mixtures and other files are passed over."""
    audio = [path for path in sorted(folder.iterdir()) if is_audio_file(path)]
    found = {path.stem.lower(): path for path in audio}
    return {stem: found[stem] for stem in STEMS if stem in found}


def read_splits(split_file: Path) -> dict[str, str]:
    """The split of each song that a split file names; `MissingFileError`, or `SettingsError` for no such document."""
    if not split_file.is_file():
        raise MissingFileError(f"{split_file} does not exist.", hint='It would hold JSON: {"valid": [names]}.')
    return _parse_splits(read_document(split_file, error=SettingsError), str(split_file))


def _parse_splits(text: str, source: str) -> dict[str, str]:
    split = parse_json(text, _Split, source=source, error=SettingsError)
    return {name: kind for kind in SPLITS for name in getattr(split, kind)}


def read_stems(song: Song) -> Iterator[tuple[str, Tensor]]:
    """The stems of a song one by one, as stereo (2, t) at 44.1 kHz; `AudioError` as `read_audio` raises it."""
    stem_files = {path: read_stem_file(path) for path in set(song.stems.values()) if is_stem_file(path)}
    for stem, path in song.stems.items():
        audio: Audio = stem_files[path].pop(stem) if path in stem_files else read_audio(path)
        yield stem, resample(audio.stereo(), audio.sample_rate, SAMPLE_RATE)
