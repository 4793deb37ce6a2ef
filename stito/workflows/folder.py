"""Folders of results: whether they can be written to, and the audio in them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from stito.audio import AUDIO_SUFFIXES, check_writable, is_audio_file, peak_of, write_audio
from stito.console.strips import Rendered
from stito.errors import OutputError, OutputExistsError
from stito.mix import Layout

__all__ = [
    "APPLIED",
    "AUDIO",
    "DESCRIBING",
    "FORMATS",
    "NAMES",
    "RESULT",
    "audio_files",
    "left_beside",
    "prepare",
    "recorded_files",
    "remove_earlier",
    "write_audio_files",
]

RESULT, APPLIED = "result.json", "applied.json"
"""The record of a transfer, and that of a preset that was applied: each says which files are its own."""

FORMATS = {RESULT: "stito.result", APPLIED: "stito.applied"}

NAMES = ("mix.wav", "stems", "preset.json", "preset.csv", RESULT, "report.html")
"""What a transfer leaves in its folder."""

AUDIO = NAMES[:2]

DESCRIBING = frozenset({RESULT, APPLIED, "report.html"})
"""What says something of the audio beside it, and is false beside any other."""


def prepare(outdir: Path, *, force: bool, names: Sequence[str] = NAMES) -> None:
    """Make the folder and fail now, not after long work, if results of these names could not be written there."""
    if outdir.suffix.lower() in AUDIO_SUFFIXES and not outdir.exists():
        raise OutputError(
            f"{outdir} is the name of an audio file, and the results are several.", hint="Name a folder with -o."
        )
    if outdir.exists() and not outdir.is_dir():
        raise OutputError(f"{outdir} is a file, not a folder.", hint="Name a folder for the results with -o.")
    taken = [name for name in names if (outdir / name).exists()]
    if taken and not force:
        raise OutputExistsError(
            f"{outdir} already holds {', '.join(taken)}.", hint="Name another folder, or overwrite with --force."
        )
    try:
        outdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{outdir} cannot be made: {error.strerror}.", hint="Choose a folder of yours.") from error
    check_writable(outdir)


def audio_files(layout: Layout, stems: Iterable[str]) -> list[str]:
    """The names of the audio files of a result, as they are in its folder."""
    return [*(f"stems/{stem}.wav" for stem in stems if layout.kind == "stems"), "mix.wav"]


def recorded_files(outdir: Path) -> list[str]:
    """What the results that are in a folder, if any, say that they wrote there."""
    return [name for record in FORMATS for name in _recorded(outdir, record)]


def _recorded(outdir: Path, record: str) -> list[str]:
    try:
        document = json.loads((outdir / record).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    is_ours = isinstance(document, dict) and document.get("format") == FORMATS[record]
    files = document.get("files") if is_ours else None
    return [name for name in files if isinstance(name, str)] if isinstance(files, list) else []


def remove_earlier(outdir: Path, names: Iterable[str], keep: Iterable[str]) -> None:
    """Remove audio and scripts of an earlier result, but for what is to be written anew; nothing else, ever.

    What describes it goes in any case: it would be false until it is written anew.
    """
    for name in set(names) - (set(keep) - DESCRIBING):
        place = PurePosixPath(name)
        is_ours = place.suffix in (".wav", ".py") and place.parent in (PurePosixPath(), PurePosixPath("stems"))
        if (is_ours and ".." not in place.parts) or name in DESCRIBING:
            with contextlib.suppress(OSError):
                (outdir / place).unlink()
    with contextlib.suppress(OSError):  # unless something is in it
        (outdir / "stems").rmdir()


def left_beside(folder: Path, written: Iterable[Path]) -> list[str]:
    """The names of audio in a folder that a result did not write, and that would pass for some of it."""
    ours = {path.name for path in written}
    there = sorted(folder.iterdir()) if folder.is_dir() else []
    return [file.name for file in there if is_audio_file(file) and file.name not in ours]


def write_audio_files(rendered: Rendered, layout: Layout, outdir: Path) -> None:
    """`mix.wav`, and `stems/<stem>.wav` when there are stems, each in the format that it came in."""
    if layout.kind == "stems":
        (outdir / "stems").mkdir(exist_ok=True)
        for name, audio in rendered.stems.items():
            # the sum is kept below full scale, but stems may cancel in it: louder ones need a float file
            subtype = layout.format_of(name).subtype if float(peak_of(audio)) <= 1 else "FLOAT"
            write_audio(outdir / "stems" / f"{name}.wav", audio, rendered.sample_rate, subtype=subtype, overwrite=True)
    write_audio(outdir / "mix.wav", rendered.mix, rendered.sample_rate, subtype=layout.format.subtype, overwrite=True)
