"""What a transfer leaves in its folder: mix.wav, stems/, preset.json, preset.csv, result.json, report.html.

The preset is written before the long rendering, and every file appears whole or not at all: a full disk or Ctrl-C
loses nothing that was found.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stito.audio import check_writable, peak_of, write_atomic, write_audio
from stito.console.preset import load_preset
from stito.console.strips import Rendered
from stito.engine.render import render_match, render_part
from stito.engine.result import Matched, Progress, TransferResult
from stito.engine.transfer import match_style, read_pair
from stito.errors import OutputError, OutputExistsError, StitoError
from stito.mix import Mix, read_mix
from stito.separation import load_separator, separate_mix

__all__ = [
    "command_line",
    "file_name",
    "prepare",
    "result_json",
    "run_apply",
    "run_separate",
    "run_transfer",
    "summary",
    "write_audio_files",
]

NAMES = ("mix.wav", "stems", "preset.json", "preset.csv", "result.json", "report.html")

AUDIO = NAMES[:2]

GIVEN = ("method", "encoder", "chain", "stem", "separator", "init", "predictor", "seed", "amount")
"""Options of a transfer, as the command line calls them."""


def prepare(outdir: Path, *, force: bool, names: Sequence[str] = NAMES) -> None:
    """Make the folder and fail now, not after long work, if results of these names could not be written there."""
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


def file_name(name: str) -> str:
    """A name for a file or folder, of a method or an encoder: `cma:features` is cma-features."""
    return re.sub(r"[^\w.]+", "-", name)


def run_transfer(
    source: Path,
    reference: Path,
    outdir: Path,
    *,
    force: bool = False,
    on_step: Callable[[Progress], None] | None = None,
    stem: str | None = None,
    separator: str = "none",
    **options: Any,
) -> TransferResult:
    """A transfer from files to a folder; `options` are those of `stito.engine.transfer.match_style`."""
    prepare(outdir, force=force)
    from stito.report.build import build_report, clip_start, hear_mix
    from stito.report.html import write_report

    mix, target = read_pair(source, reference, stem=stem, separator=separator, on_step=on_step)
    title, start_s = f"{mix.name} → {target.name}", clip_start(mix)
    heard = hear_mix("input", mix, start_s), hear_mix("reference", target, start_s)
    # a long song's audio is not held longer than it is needed
    matched = match_style(mix, target, on_step=on_step, consume=True, **options)
    write_atomic(outdir / "preset.json", matched.preset.to_json(), overwrite=True)
    try:
        result = render_match(mix, matched, on_step=on_step, consume=True)
        write_audio_files(result.rendered, mix, outdir)
    except KeyboardInterrupt:
        again = command_line("apply", str(outdir / "preset.json"), str(source), o=outdir, force=True, stem=stem)
        raise StitoError(
            f"Interrupted while rendering. The settings are safe in {outdir / 'preset.json'}.",
            hint=f"Render them{' on separated stems' if separator != 'none' else ''} with: {again}",
        ) from None
    write_atomic(outdir / "preset.json", result.preset.to_json(), overwrite=True)
    write_atomic(outdir / "preset.csv", result.preset.to_csv(), overwrite=True)
    _write_scripts(result, outdir)
    data = build_report(
        title, _command(source, reference, options | {"stem": stem, "separator": separator}), *heard, result
    )
    write_atomic(outdir / "result.json", json.dumps(result_json(result, data), indent=2) + "\n", overwrite=True)
    write_report(outdir / "report.html", data)
    return result


def _command(source: Path, reference: Path, options: Mapping[str, Any]) -> str:
    """The command line that makes a transfer again: every option of it that was given."""
    budget = options.get("budget")
    given = {name: options.get(name) for name in GIVEN}
    spent = {"evaluations": budget.evaluations, "seconds": budget.seconds} if budget else {}
    return command_line("transfer", str(source), str(reference), o="out", **given, **spent)


def command_line(*words: str, **options: Any) -> str:
    """A command of stito as one would type it: no option that is None or False, and the name alone of one that is True.

    A sequence is an option given several times.
    """
    out = ["stito", *words]
    for name, value in options.items():
        option = f"-{name}" if len(name) == 1 else f"--{name}"
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if one is not None and one is not False:
                out += [option] if one is True else [option, str(one)]
    return shlex.join(out)


def run_apply(
    preset_path: Path, source: Path, out: Path, *, stem: str | None = None, amount: float = 1.0, force: bool = False
) -> Rendered:
    """Render a preset, or a part of it, on files: into a folder, or into one file if `out` names a .wav."""
    preset = load_preset(preset_path)
    single = out.suffix.lower() == ".wav"
    if single:
        check_writable(out, overwrite=force)
    else:
        prepare(out, force=force, names=AUDIO)
    mix = read_mix(source, stem=stem)
    unknown = [name for name in mix.stems if name not in preset.stems]
    if len(unknown) == len(mix.stems):
        raise StitoError(
            f"The preset has settings for {', '.join(preset.stems)}, the input is {', '.join(unknown)}.",
            hint="Say what the file is with --stem, or give a folder of stems.",
        )
    rendered = render_part(mix, preset, amount)
    if single:
        write_audio(out, rendered.mix, rendered.sample_rate, subtype=mix.format.subtype, overwrite=force)
    else:
        write_audio_files(rendered, mix, out)
    return rendered


def run_separate(
    source: Path,
    outdir: Path,
    *,
    separator: str = "demucs",
    force: bool = False,
    on_step: Callable[[Progress], None] | None = None,
) -> list[Path]:
    """A mix as stems in a folder, each as loud as it is in the mix; the files written."""
    the_separator = load_separator(separator)
    if the_separator is None:
        raise StitoError("There is nothing to separate with.", hint="Use --separator demucs or spleeter2.")
    prepare(outdir, force=force, names=[file.name for file in outdir.glob("*.wav")])
    mix = read_mix(source)
    if mix.kind != "mix":
        raise StitoError(f"{source} holds stems already.", hint="Give the released mix, one file.")

    def tell(share: float) -> None:
        if on_step:
            on_step(Progress("separate", mix.name, 0, 1, share=share))

    tell(0.0)
    stems = separate_mix(mix, the_separator, on_progress=tell).stems
    written = []
    for name, audio in stems.items():
        written.append(outdir / f"{name}.wav")
        subtype = mix.format.subtype if float(peak_of(audio)) <= 1 else "FLOAT"
        write_audio(written[-1], audio, mix.sample_rate, subtype=subtype, overwrite=True)
    return written


def write_audio_files(rendered: Rendered, mix: Mix, outdir: Path) -> None:
    """`mix.wav`, and `stems/<stem>.wav` when there are stems, each in the format that it came in."""
    if mix.kind == "stems":
        (outdir / "stems").mkdir(exist_ok=True)
        for name, audio in rendered.stems.items():
            # the sum is kept below full scale, but stems may cancel in it: louder ones need a float file
            subtype = mix.format_of(name).subtype if float(peak_of(audio)) <= 1 else "FLOAT"
            write_audio(outdir / "stems" / f"{name}.wav", audio, rendered.sample_rate, subtype=subtype, overwrite=True)
    write_audio(outdir / "mix.wav", rendered.mix, rendered.sample_rate, subtype=mix.format.subtype, overwrite=True)


def _write_scripts(result: TransferResult, outdir: Path) -> None:
    """`<stem>.<host>.py` for each stem whose effects all come from one host that offers to write such a script."""
    for name, strip in result.preset.stems.items():
        chain, settings = strip.build()
        hosts = {getattr(slot.effect, "fusion", None) for slot in chain.slots}
        exporter = getattr(chain.slots[0].effect, "script", None) if len(hosts) == 1 else None
        if exporter is None:
            continue
        steps = [(slot.effect.name, settings[slot.label]) for slot in chain.slots]
        text = exporter(steps, gain_db=strip.fader_db + result.preset.output_gain_db)
        if text is not None:
            write_atomic(outdir / f"{name}.{hosts.pop()}.py", text, overwrite=True)


def _match_json(matched: Matched) -> dict[str, Any]:
    return {
        name: {
            "loss_before": match.loss_before,
            "loss_after": match.loss_after,
            "evaluations": match.evaluations,
            "seconds": round(match.seconds, 3),
            "stop": match.stop,
            "same_performance": match.same_performance,
        }
        for name, match in matched.matches.items()
    }


def result_json(result: TransferResult, data: Any) -> dict[str, Any]:
    """What `result.json` holds: losses, metrics and levels, per search and per stem."""
    provenance = result.preset.provenance
    return {
        "format": "stito.result",
        "version": 1,
        "method": provenance.method if provenance else "",
        "encoder": provenance.encoder if provenance else "",
        "seed": provenance.seed if provenance else 0,
        "interrupted": result.matched.interrupted,
        "output_gain_db": result.rendered.output_gain_db,
        "true_peak_dbtp": result.rendered.true_peak_db,
        "searches": _match_json(result.matched),
        "stems": {
            row.name: {
                metric.name: {"input": metric.input, "result": metric.result, "reference": metric.reference}
                for metric in row.metrics
            }
            for row in data.rows
        },
        "notes": list(result.notes),
    }


def summary(result: TransferResult, outdir: Path, *, as_json: bool = False) -> str:
    """The answer on stdout: a few lines, or the JSON of `result.json`."""
    if as_json:
        return (outdir / "result.json").read_text(encoding="utf-8").rstrip()
    lines = []
    for name, match in result.matched.matches.items():
        removed = 1 - match.loss_after / match.loss_before if match.loss_before > 0 else 0.0
        lines.append(
            f"{name:<10} distance to reference {match.loss_before:.4f} -> {match.loss_after:.4f} "
            f"({removed:.0%} removed), {match.evaluations} evaluations in {match.seconds:.1f} s: {match.stop}"
        )
    lines += [f"note: {note}" for note in result.notes]
    written = [name for name in NAMES if (outdir / name).exists()]
    lines.append(f"{outdir}: {', '.join(written)}")
    return "\n".join(lines)
