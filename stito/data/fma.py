"""The layout of the Free Music Archive data set (FMA), read as it is unpacked.

```
fma/fma_small/000/000002.mp3       or fma_medium, fma_large, fma_full: NNN/NNNNNN.mp3
fma/fma_metadata/tracks.csv        two rows of column names, of which the upper are groups; the index's name may follow
```

Source: M. Defferrard et al., "FMA: a dataset for music analysis", ISMIR 2017. Tracks keep the licences of their
artists, many of which allow no commercial use: `licence` says which.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stito.errors import AudioError, MissingFileError, SettingsError

__all__ = ["FmaTrack", "find_fma_tracks", "is_fma"]

METADATA = Path("fma_metadata") / "tracks.csv"
SPLITS = {"training": "train", "validation": "valid", "test": "test"}
"""What FMA calls its splits, and what they are called here."""
GENRE, SPLIT, ARTIST, LICENCE = ("track", "genre_top"), ("set", "split"), ("artist", "name"), ("track", "license")


@dataclass(frozen=True)
class FmaTrack:
    """One track: its number, its file, and what the metadata say; "" for what they leave open."""

    number: int
    path: Path
    genre: str
    split: str
    artist: str
    licence: str

    @property
    def name(self) -> str:
        """The number as FMA writes it."""
        return f"{self.number:06d}"


def is_fma(folder: Path) -> bool:
    """Whether a folder has the metadata of FMA in it, or is one of its folders of tracks."""
    return (folder / METADATA).is_file() or (_metadata(folder) is not None and any(_files(folder)))


def find_fma_tracks(folder: Path) -> list[FmaTrack]:
    """The tracks whose files are in a folder of FMA (or in one of its `fma_*` folders alone), by number.

    Raises:
        MissingFileError: there is no `fma_metadata/tracks.csv` in it or beside it.
        AudioError: none of the tracks is there.
        SettingsError: the metadata cannot be read.
    """
    metadata = _metadata(folder)
    if metadata is None:
        raise MissingFileError(f"{folder} has no {METADATA}.", hint="Unpack fma_metadata.zip beside fma_small.")
    files = {int(path.stem): path for path in _files(folder)}
    if not files:
        raise AudioError(f"{folder} holds no tracks.", hint="Unpack fma_small.zip there: fma_small/000/000002.mp3.")
    found = _read(metadata, files)
    if not found:
        raise AudioError(f"{metadata} names none of the tracks in {folder}.", hint="Are both of one data set?")
    return sorted(found, key=lambda track: track.number)


def _metadata(folder: Path) -> Path | None:
    return next((path for path in (folder / METADATA, folder.resolve().parent / METADATA) if path.is_file()), None)


def _files(folder: Path) -> Iterator[Path]:
    """The files of tracks: `NNN/NNNNNN.mp3` here or in an `fma_*` folder."""
    for base in (folder, *sorted(folder.glob("fma_*"))):
        yield from (path for path in sorted(base.glob("[0-9][0-9][0-9]/*.mp3")) if path.stem.isdecimal())


def _read(metadata: Path, files: Mapping[int, Path]) -> list[FmaTrack]:
    """The rows of the tracks that are there; the file is long, and is read row by row."""
    try:
        with metadata.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            columns = list(zip(next(rows, []), next(rows, []), strict=False))
            if GENRE not in columns:
                raise SettingsError(
                    f"{metadata} has no column track, genre_top.", hint="Its first two lines name groups and columns."
                )
            here = (row for row in rows if row and row[0].isdecimal() and int(row[0]) in files)
            return [_track(dict(zip(columns, row, strict=False)), int(row[0]), files) for row in here]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{metadata} cannot be read: {error}.", hint="Unpack fma_metadata.zip again.") from error


def _track(row: Mapping[tuple[str, str], str], number: int, files: Mapping[int, Path]) -> FmaTrack:
    genre, split, artist, licence = (row.get(name, "").strip() for name in (GENRE, SPLIT, ARTIST, LICENCE))
    return FmaTrack(number, files[number], genre, SPLITS.get(split, split), artist, licence)
