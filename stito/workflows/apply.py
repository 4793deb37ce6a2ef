"""A preset on files: the same settings on other audio."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

from stito.audio import check_writable, keep_inputs, write_atomic, write_audio
from stito.compute.cores import undivided
from stito.console.preset import Preset, load_preset
from stito.console.strips import Rendered
from stito.engine.render import render_part
from stito.errors import StitoError
from stito.mix import read_mix
from stito.workflows.folder import (
    APPLIED,
    AUDIO,
    DESCRIBING,
    FORMATS,
    audio_files,
    prepare,
    recorded_files,
    remove_earlier,
    write_audio_files,
)

__all__ = ["run_apply"]


def run_apply(
    preset_path: Path,
    source: Path,
    out: Path,
    *,
    stem: str | None = None,
    amount: float | str = 1.0,
    loudness: float | None = None,
    ceiling: float | None = None,
    force: bool = False,
) -> Rendered:
    """Render a preset, or a part of it, on files: into a folder, or into one file if `out` names a .wav.

    `loudness` and `ceiling` count for the preset's own.
    """
    preset = _delivered(load_preset(preset_path), loudness, ceiling)
    single = out.suffix.lower() == ".wav"
    keep_inputs([out] if single else [out / name for name in AUDIO], source)
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
    with undivided():
        rendered = render_part(mix, preset, amount)
    if single:
        write_audio(out, rendered.mix, rendered.sample_rate, subtype=mix.format.subtype, overwrite=force)
    else:
        written = audio_files(mix.layout, rendered.stems)
        earlier = recorded_files(out)
        remove_earlier(out, [name for name in earlier if name.startswith("stems/") or name in DESCRIBING], written)
        write_audio_files(rendered, mix.layout, out)
        record = {"preset": str(preset_path.absolute()), "input": str(source.absolute()), "amount": str(amount)}
        document = {"format": FORMATS[APPLIED], "version": 1, **record, "files": [*written, APPLIED]}
        write_atomic(out / APPLIED, json.dumps(document, indent=2) + "\n", overwrite=True)
    return rendered


def _delivered(preset: Preset, loudness: float | None, ceiling: float | None) -> Preset:
    """The preset with another loudness and ceiling, where these are given."""
    given = {"loudness_lufs": loudness, "ceiling_dbtp": ceiling}
    asked = replace(preset.delivery, **{name: value for name, value in given.items() if value is not None})
    return preset.model_copy(update=asdict(asked))
