"""Scores of mixes from a CSV: `path,score[,song,rater]`, one line for each rating."""

from __future__ import annotations

import csv
import io
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from stito.errors import MissingFileError, SettingsError
from stito.files.documents import read_document

__all__ = ["Scored", "read_scores"]

PATH, SONG, RATER = "path", "song", "rater"


@dataclass(frozen=True)
class Scored:
    """One mix: where it lies, its song, its mean score, and how many ratings that is the mean of."""

    path: Path
    song: str
    score: float
    ratings: int


def read_scores(file: Path, column: str = "score") -> list[Scored]:
    """The mixes of a CSV file, each once, with the mean of its scores, in the order of the file.

    `path` is a folder of stems or an audio file, relative to the CSV. Without a column `song` each mix is a song of its
    own. `column` names what is predicted.

    Raises:
        MissingFileError: there is no such file, or a mix that it names is not there.
        SettingsError: a column is missing, a score is no number, or a mix belongs to two songs.
    """
    rows = csv.DictReader(io.StringIO(read_document(file, error=SettingsError)))
    columns = [name.strip() for name in rows.fieldnames or []]
    for needed in (PATH, column):
        if needed not in columns:
            raise SettingsError(
                f"{file}: there is no column '{needed}'.", hint=f"Its first line names {', '.join(columns) or 'none'}."
            )
    rows.fieldnames = columns
    found: dict[str, list[float]] = defaultdict(list)
    songs: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        path = (row[PATH] or "").strip()
        song = (row.get(SONG) or path).strip()
        if songs.setdefault(path, song) != song:
            raise SettingsError(f"{file}, line {number}: {path} is of the songs {songs[path]} and {song}.")
        found[path].append(_number(row[column], f"{file}, line {number}"))
    for path in found:
        if not (file.parent / path).exists():
            raise MissingFileError(f"{file} names {path}, which is not there.", hint="Paths are relative to the CSV.")
    return [
        Scored(file.parent / path, songs[path], sum(scores) / len(scores), len(scores))
        for path, scores in found.items()
    ]


def _number(text: str | None, where: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise SettingsError(f"{where}: {text!r} is no score.", hint="Scores are numbers.")
    return value
