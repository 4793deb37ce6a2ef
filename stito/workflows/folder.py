"""Folders of results: whether they can be written to, and the audio in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from stito.audio import AUDIO_SUFFIXES, check_writable, peak_of, write_audio
from stito.console.strips import Rendered
from stito.errors import OutputError, OutputExistsError
from stito.mix import Layout

__all__ = ["AUDIO", "NAMES", "file_name", "keep_inputs", "prepare", "write_audio_files"]

NAMES = ("mix.wav", "stems", "preset.json", "preset.csv", "result.json", "report.html")
"""What a transfer leaves in its folder."""

AUDIO = NAMES[:2]


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


def keep_inputs(results: Iterable[Path], *inputs: Path) -> None:
    """`OutputError` if results would be written over what they are made of, `--force` or not."""
    written = {result.resolve() for result in results}
    for source in inputs:
        files = [source, source.absolute().parent, *(source.iterdir() if source.is_dir() else ())]
        lost = [file for file in files if file.resolve() in written]
        if lost:
            raise OutputError(
                f"The results would overwrite {lost[0]}, which is an input.", hint="Name another place with -o."
            )


def file_name(name: str) -> str:
    """A name for a file or folder, of a method or an encoder: `cma:features` is cma-features."""
    return re.sub(r"[^\w.]+", "-", name)


def write_audio_files(rendered: Rendered, layout: Layout, outdir: Path) -> None:
    """`mix.wav`, and `stems/<stem>.wav` when there are stems, each in the format that it came in."""
    if layout.kind == "stems":
        (outdir / "stems").mkdir(exist_ok=True)
        for name, audio in rendered.stems.items():
            # the sum is kept below full scale, but stems may cancel in it: louder ones need a float file
            subtype = layout.format_of(name).subtype if float(peak_of(audio)) <= 1 else "FLOAT"
            write_audio(outdir / "stems" / f"{name}.wav", audio, rendered.sample_rate, subtype=subtype, overwrite=True)
    write_audio(outdir / "mix.wav", rendered.mix, rendered.sample_rate, subtype=layout.format.subtype, overwrite=True)
