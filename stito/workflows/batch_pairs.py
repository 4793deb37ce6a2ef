"""The pairs of a batch: the rows of a table, or every song of a folder against one reference."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stito import registry
from stito.audio import is_audio_file, is_stem_file
from stito.compute.cores import check_device
from stito.engine.methods.base import load_method
from stito.engine.options import AUTO
from stito.errors import SettingsError, StitoError
from stito.files.documents import read_document
from stito.models.loading import load_encoder, relocated
from stito.registry import parse_name
from stito.workflows.transfer import Transfer

__all__ = ["BatchPair", "Make", "Parse", "anchored", "read_pairs", "song_pairs"]

Make = Callable[[Mapping[str, object]], Transfer]
"""A way to make transfers under these options; those that are not among them are the same for all pairs."""

Parse = Callable[[str], object]
"""The value that a cell's text stands for; a `StitoError` if it stands for none."""

NAME, INPUT, REFERENCE = "name", "input", "reference"
TAKEN = ("summary.csv", "index.html")
"""What a batch writes beside its results: no folder is called so."""

LONGEST_NAME = 200
"""In bytes: file systems have room for 255, and a record's name is longer by its suffix."""

SHOWN = 10
"""Problems of a table that are told at once."""


@dataclass(frozen=True)
class BatchPair:
    """An input, a reference, how the transfer is made, and what its folder is called."""

    name: str
    input: Path
    reference: Path
    engine: Transfer


@dataclass
class _Row:
    """A row of the table as it was understood, and what was not."""

    line: int
    cells: Mapping[str, str]
    problems: list[str] = field(default_factory=list)


def read_pairs(path: Path, *, make: Make, options: Mapping[str, Parse]) -> list[BatchPair]:
    """The pairs of a CSV table: a row for each, with `input`, `reference`, and if wanted `name` and any option.

    Relative paths are relative to the table. An empty cell, or one that is missing at the end of a row, leaves an
    option as it is for all pairs. Commas, semicolons or tabs separate the cells.

    Args:
        path: the table, UTF-8 with or without a byte-order mark.
        make: from the options of a row to its engine.
        options: the columns that there may be beside these three, and how each one's cells are read.

    Raises:
        SettingsError: rows that cannot be used, each with its line.
    """
    rows = list(_rows(path, [NAME, INPUT, REFERENCE, *options]))
    if not rows:
        raise SettingsError(f"{path} has no pairs.", hint="Write a row below the first: an input, and its reference.")
    engines = [_engine(row, path.parent, make, options) for row in rows]
    for row in rows:
        for column in (INPUT, REFERENCE):
            row.problems += _missing(column, row.cells.get(column, ""), path.parent)
    _check_names(rows)
    problems = [f"{path}, line {row.line}: {problem}" for row in rows for problem in row.problems]
    if problems:
        more = [f"... and {len(problems) - SHOWN} more."] if len(problems) > SHOWN else []
        raise SettingsError("\n".join([*problems[:SHOWN], *more]), hint="Nothing was started: mend the table first.")
    inputs = [_path(row.cells[INPUT], path.parent) for row in rows]
    names = _names([(row.cells.get(NAME, ""), source) for row, source in zip(rows, inputs, strict=True)])
    return [
        BatchPair(name, source, _path(row.cells[REFERENCE], path.parent), engine)
        for name, source, row, engine in zip(names, inputs, rows, engines, strict=True)
        if engine is not None
    ]


def song_pairs(folder: Path, reference: Path, *, make: Make, beside: Sequence[Path] = ()) -> list[BatchPair]:
    """Every song of a folder, by name, against one reference: audio files, and sub-folders of stems.

    The reference, and what is named `beside`, such as the folder for the results, is no song.

    Raises:
        SettingsError: there is no song, or no reference.
    """
    if not reference.exists():
        raise SettingsError(f"There is no reference {reference}.", hint="Give an audio file or a folder of stems.")
    left_out = {path.resolve() for path in (reference, *beside)}
    songs = [path for path in sorted(folder.iterdir()) if _is_song(path) and path.resolve() not in left_out]
    if not songs:
        raise SettingsError(
            f"{folder} holds no songs.", hint="A song is an audio file in it, or a folder of stems in it."
        )
    engine = _checked(make({}))
    names = _names([("", song) for song in songs])
    return [BatchPair(name, song, reference, engine) for name, song in zip(names, songs, strict=True)]


def anchored(option: str, value: object, base: Path) -> object:
    """The value of an option with a path in it, if it has one, taken as relative to `base`."""
    if option in ("also", "and") and isinstance(value, tuple):
        return tuple([(base / Path(path).expanduser(), weight) for path, weight in group] for group in value)
    if not isinstance(value, str | Path):
        return value
    if option == "predictor":
        return base / value
    if option in ("chain", "master") and Path(value).suffix == ".toml":
        return str(base / value)
    if option == "encoder":
        return relocated(str(value), base)
    if option in ("method", "separator"):
        name, weights = parse_name(str(value))
        if weights and (base / weights).exists():
            return f"{name}:{base / weights}"
    return value


def _rows(path: Path, known: Sequence[str]) -> Iterator[_Row]:
    """The rows by column, the head's columns checked; empty lines are none."""
    text = read_document(path, error=SettingsError)
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    columns: list[str] | None = None
    before = 0
    try:
        for values in reader:
            line, before = before + 1, reader.line_num
            cells = [cell.strip() for cell in values]
            if not any(cells):
                continue
            if columns is None:
                columns = _columns(path, line, [cell.lower() for cell in cells], known)
                continue
            row = _Row(line, dict(zip(columns, cells, strict=False)))
            if any(cells[len(columns) :]):
                row.problems.append(
                    f"{len(cells)} cells for {len(columns)} columns; one with a '{delimiter}' in it needs quotes."
                )
            yield row
    except csv.Error as error:
        raise SettingsError(
            f"{path}, line {before + 1}: not valid CSV: {error}.", hint="Look for a quotation mark without its other."
        ) from error


def _columns(path: Path, line: int, columns: list[str], known: Sequence[str]) -> list[str]:
    where = f"{path}, line {line}"
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise SettingsError(f"{where}: the column '{twice[0]}' is there twice.", hint="Remove one of them.")
    unknown = [column for column in columns if column not in known]
    if unknown:
        raise SettingsError(
            f"{where}: unknown column{'s' if len(unknown) > 1 else ''} {', '.join(map(repr, unknown))}.",
            hint=f"The first line names the columns, of these: {', '.join(known)}.",
        )
    missing = [column for column in (INPUT, REFERENCE) if column not in columns]
    if missing:
        raise SettingsError(
            f"{where}: there is no column '{missing[0]}'.", hint="The first line is such as: input,reference"
        )
    return columns


def _engine(row: _Row, base: Path, make: Make, options: Mapping[str, Parse]) -> Transfer | None:
    """The engine of a row; None if its options cannot be used."""
    given: dict[str, object] = {}
    for option, parse in options.items():
        if cell := row.cells.get(option, ""):
            try:
                given[option] = anchored(option, parse(cell), base)
            except StitoError as error:
                row.problems.append(f"{option}: {error.message}")
    try:
        return _checked(make(given)) if not row.problems else None
    except StitoError as error:
        row.problems.append(" ".join(filter(None, (error.message, error.hint))))
        return None


def _checked(engine: Transfer) -> Transfer:
    """The engine; a `StitoError` if what it names is not there."""
    check_device(engine.device)
    load_method(engine.method)
    engine.check_chains()
    if engine.encoder != AUTO:
        load_encoder(engine.encoder)
    for path in engine.further_paths:
        if not path.exists():
            raise SettingsError(f"There is no reference {path}.")
    if engine.predictor is not None and not Path(engine.predictor).is_file():
        raise SettingsError(f"There is no predictor {engine.predictor}.")
    if isinstance(engine.separator, str) and (name := parse_name(engine.separator)[0]) != "none":
        registry.load("separator", name)
    return engine


def _missing(column: str, cell: str, base: Path) -> list[str]:
    if not cell:
        return [f"the {column} is empty."]
    path = _path(cell, base)
    return [] if path.exists() else [f"{column}: nothing is at {path}."]


def _check_names(rows: Iterable[_Row]) -> None:
    """Names that are given have to be those of folders, each of one pair."""
    first: dict[str, int] = {}
    for row in rows:
        name = _composed(row.cells.get(NAME, ""))
        if not name:
            continue
        if _safe(name) != name:
            row.problems.append(f"'{name}' cannot be a folder's name; '{_safe(name)}' can.")
        earlier = first.setdefault(_folded(name), row.line)
        if earlier != row.line:
            row.problems.append(f"the name '{name}' is that of line {earlier} already.")


def _names(pairs: Sequence[tuple[str, Path]]) -> list[str]:
    """The names that were given, and for the others such as their inputs have, each once."""
    taken = {_folded(name) for name, _ in pairs if name}
    names = []
    for given, source in pairs:
        name = _composed(given) or _free(_safe(_title(source)), taken)
        taken.add(_folded(name))
        names.append(name)
    return names


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number behind it if need be."""
    number, free = 1, name
    while _folded(free) in taken:
        number += 1
        free = f"{name}-{number}"
    return free


def _title(source: Path) -> str:
    source = source.resolve()
    if source.is_dir():
        return source.name
    return source.name.rsplit(".", 2)[0] if is_stem_file(source) else source.stem


def _safe(name: str) -> str:
    """A name that any system takes for a folder: nothing hidden, no separators, no control characters."""
    name = _composed(name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    name = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|\ufffd]+', "-", name).strip(" .")
    name = name.encode()[:LONGEST_NAME].decode(errors="ignore").strip(" .") or "song"
    return f"{name}-" if _folded(name) in TAKEN else name


def _composed(name: str) -> str:
    """An accent is one with its letter: the same name in one way."""
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    """The same for names that some file systems take for one."""
    return _composed(name).casefold()


def _path(cell: str, base: Path) -> Path:
    return base / Path(cell).expanduser()


def _is_song(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    return any(map(is_audio_file, path.iterdir())) if path.is_dir() else is_audio_file(path)
