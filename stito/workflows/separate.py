"""A mix on disk, taken apart into stems on disk."""

from __future__ import annotations

from pathlib import Path

from stito.audio import keep_inputs, peak_of, write_audio
from stito.engine.result import OnStep, Progress
from stito.errors import StitoError
from stito.mix import read_mix
from stito.separation import load_separator, separate_mix
from stito.workflows.folder import prepare

__all__ = ["run_separate"]


def run_separate(
    source: Path,
    outdir: Path,
    *,
    separator: str = "demucs",
    force: bool = False,
    on_step: OnStep | None = None,
) -> list[Path]:
    """A mix as stems in a folder, each as loud as it is in the mix; the files written."""
    the_separator = load_separator(separator)
    if the_separator is None:
        raise StitoError("There is nothing to separate with.", hint="Use --separator demucs or spleeter2.")
    prepare(outdir, force=force, names=[file.name for file in outdir.glob("*.wav")])
    mix = read_mix(source)
    if mix.kind != "mix":
        raise StitoError(f"{source} holds stems already.", hint="Give the released mix, one file.")

    def report(share: float) -> None:
        if on_step:
            on_step(Progress("separate", mix.name, 0, 1, share=share))

    report(0.0)
    stems = separate_mix(mix, the_separator, on_progress=report).stems
    keep_inputs([outdir / f"{name}.wav" for name in stems], source)
    written = []
    for name, audio in stems.items():
        written.append(outdir / f"{name}.wav")
        subtype = mix.format.subtype if float(peak_of(audio)) <= 1 else "FLOAT"
        write_audio(written[-1], audio, mix.sample_rate, subtype=subtype, overwrite=True)
    return written
