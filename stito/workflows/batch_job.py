"""One pair of a batch: its transfer, made aside and put in its place when whole, and a record of what it is of."""

from __future__ import annotations

import hashlib
import json
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import torch

from stito.audio import is_audio_file, write_atomic
from stito.errors import OutputError, StitoError
from stito.models.loading import files_of
from stito.registry import parse_name
from stito.report.data import Headline
from stito.separation import loaded_separator
from stito.version import __version__
from stito.workflows.batch_pairs import BatchPair
from stito.workflows.folder import NAMES, RESULT
from stito.workflows.result import TransferResult
from stito.workflows.transfer import transfer_files

__all__ = ["BatchRow", "aside", "failed_row", "identity", "is_ours", "kept_row", "make_pair"]

ASIDE = ".stito-batch"
"""The folder, beside the results, of records and of what is not whole yet."""


@dataclass(frozen=True)
class BatchRow:
    """What became of a pair; None where it came to nothing.

    Distances are to the reference, the mean over what was matched, and `reduction_percent` is the second's against the
    first. `seconds` are those of the whole transfer, reading and writing included.
    """

    name: str
    input: str
    reference: str
    status: Literal["done", "failed"]
    method: str
    encoder: str
    distance_before: float | None = None
    distance_after: float | None = None
    reduction_percent: float | None = None
    seconds: float | None = None
    error: str = ""
    hint: str = ""


def make_pair(pair: BatchPair, outdir: Path, cores: int | None = None) -> BatchRow:
    """Make a pair's folder, whole or not at all; an error becomes a row.

    It shares as many `cores`, by default as torch has here; the result does not depend on them.
    """
    started = time.perf_counter()
    before = torch.get_num_threads()
    torch.set_num_threads(cores or before)
    try:
        of = identity(pair)  # as the inputs are now: one that changes meanwhile is made again next time
        with _part(outdir) as part:
            engine, separator = pair.engine, pair.engine.separator
            if isinstance(separator, str):
                separator = loaded_separator(separator) or separator
            reader = replace(engine, separator=separator)
            result = transfer_files(engine, pair.input, pair.reference, part, reader=reader)
            if result.solved.interrupted:
                raise KeyboardInterrupt
            row = _done_row(pair, result, time.perf_counter() - started)
            _put(part, outdir, pair.name, of, row)
        return row
    except Exception as error:  # a pair's own matter, whatever it is
        return failed_row(pair, error, time.perf_counter() - started)
    finally:
        torch.set_num_threads(before)


def identity(pair: BatchPair) -> dict[str, Any]:
    """What a result follows from: sizes and times of the files that are read, options, and this version."""
    engine = pair.engine
    options = {option.name: str(getattr(engine, option.name)) for option in fields(engine) if option.compare}
    named = (
        engine.chain,
        engine.master,
        engine.predictor,
        *(parse_name(options[of])[1] for of in ("method", "separator")),
    )
    files = [Path(name) for name in named if isinstance(name, str | Path)]
    if isinstance(engine.encoder, str | Path):
        files += files_of(engine.encoder)
    return {
        "stito": __version__,
        "input": _stamps(pair.input),
        "reference": [stamp for path in (pair.reference, *engine.further_paths) for stamp in _stamps(path)],
        "options": options,
        "files": [stamp for file in files if file.exists() for stamp in _stamps(file)],
    }


def kept_row(pair: BatchPair, outdir: Path) -> BatchRow | None:
    """The row of a pair that is done: its folder is whole, and of these inputs and options; else None."""
    record = _record(outdir, pair.name)
    try:
        same = record["of"] == identity(pair) and record["result"] == _digest(outdir / pair.name / RESULT)
        if not same or any(not (outdir / pair.name / name).exists() for name in record["files"]):
            return None
        return replace(BatchRow(**record["row"]), input=str(pair.input), reference=str(pair.reference))
    except (KeyError, TypeError, OSError):
        return None


def is_ours(pair: BatchPair, outdir: Path) -> bool:
    """Whether a batch has made that pair's folder, or may: nothing of a transfer is in it."""
    folder = outdir / pair.name
    return bool(_record(outdir, pair.name)) or not any((folder / name).exists() for name in NAMES)


def failed_row(pair: BatchPair, error: Exception, seconds: float | None = None) -> BatchRow:
    """A pair's error with its hint, for somebody who reads it later."""
    message, hint = (str(error), error.hint or "") if isinstance(error, StitoError) else _unexpected(pair, error)
    method, encoder = pair.engine.method, pair.engine.encoder
    return BatchRow(
        pair.name,
        str(pair.input),
        str(pair.reference),
        "failed",
        method if isinstance(method, str) else method.name,
        str(encoder) if isinstance(encoder, str | Path) else encoder.name,
        seconds=None if seconds is None else round(seconds, 3),
        error=message,
        hint=hint,
    )


def aside(outdir: Path) -> Path:
    """The folder of records and parts, without parts that a killed process left."""
    folder = outdir / ASIDE
    for part in folder.glob("*.part"):
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _unexpected(pair: BatchPair, error: Exception) -> tuple[str, str]:
    """What is said of an error that nobody foresaw."""
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error) or "out of memory" in str(error):
        return "There is not enough memory for this.", "Use fewer --workers, or give shorter audio."
    alone = pair.engine.command(pair.input, pair.reference).replace("stito ", "stito --debug ", 1)
    return f"{type(error).__name__}: {error}", f"To see where it comes from: {alone}"


def _done_row(pair: BatchPair, result: TransferResult, seconds: float) -> BatchRow:
    solutions, provenance = result.solutions.values(), result.preset.provenance
    assert provenance is not None
    before = sum(solution.loss_before for solution in solutions) / len(solutions)
    after = sum(solution.loss_after for solution in solutions) / len(solutions)
    reduction = Headline(before, after).reduction
    return BatchRow(
        pair.name,
        str(pair.input),
        str(pair.reference),
        "done",
        provenance.method,
        provenance.encoder,
        round(before, 6),
        round(after, 6),
        None if reduction is None else round(reduction, 2),
        round(seconds, 3),
    )


@contextmanager
def _part(outdir: Path) -> Iterator[Path]:
    """A folder to make a transfer in, on the disk of the results; it is gone afterwards."""
    part = outdir / ASIDE / f"{secrets.token_hex(6)}.part"
    try:
        part.mkdir(parents=True)
        yield part
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _put(part: Path, outdir: Path, name: str, of: dict[str, Any], row: BatchRow) -> None:
    """The record first, which counts once its result.json is in the folder; that one comes last."""
    made = sorted(path.name for path in part.iterdir())
    lost = {"mix.wav", "preset.json", "preset.csv", RESULT, "report.html"} - {*made}
    if lost:
        raise OutputError(f"{', '.join(sorted(lost))} went missing before the folder was whole.", hint="Try again.")
    earlier = [Path(file).name for file in _record(outdir, name).get("files", ())]
    record = {"of": of, "result": _digest(part / RESULT), "files": made, "row": asdict(row)}
    folder = outdir / name
    if not folder.exists():
        _write_record(outdir, name, record)
        part.rename(folder)
        return
    (folder / RESULT).unlink(missing_ok=True)
    for old in {*NAMES, *earlier}:
        shutil.rmtree(folder / old) if (folder / old).is_dir() else (folder / old).unlink(missing_ok=True)
    _write_record(outdir, name, record)
    for new in sorted(made, key=lambda file: file == RESULT):
        (part / new).rename(folder / new)


def _write_record(outdir: Path, name: str, record: dict[str, Any]) -> None:
    write_atomic(outdir / ASIDE / f"{name}.json", json.dumps(record, indent=2) + "\n", overwrite=True)


def _record(outdir: Path, name: str) -> dict[str, Any]:
    """What was written of a pair; nothing if it cannot be read."""
    try:
        record = json.loads((outdir / ASIDE / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _stamps(path: Path) -> list[list[str | int]]:
    """Name, size and time of change of a file, or of each audio file of a folder."""
    path = path.resolve()
    files = sorted(filter(is_audio_file, path.iterdir())) if path.is_dir() else [path]
    return [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
