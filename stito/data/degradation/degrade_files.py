"""Faults on files: stems in, the same stems with faults and their mix out, and a label of what was done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from stito import streams
from stito.audio import check_writable, keep_inputs, to_stereo, write_atomic, write_audio
from stito.console.strips import gain, headroom_db
from stito.data.degradation.degradation import degrade, draw_faults
from stito.errors import UnknownNameError
from stito.mix import Mix, add_up, read_mix
from stito.streams import Purpose
from stito.terminal import text_table

__all__ = ["LABEL_FILE", "Degraded", "degrade_files"]

LABEL_FILE = "degradation.json"


@dataclass(frozen=True)
class Degraded:
    """What was written, and what was done: `label` is the content of `degradation.json`."""

    files: tuple[Path, ...]
    label: Mapping[str, Any]

    def table(self) -> str:
        """One line per fault."""
        rows = [(fault["stem"], fault["fault"], f"{fault['severity']:.2f}") for fault in self.label["faults"]]
        table = text_table(("stem", "fault", "severity"), rows, align="llr")
        return f"{table}\noutput gain {self.label['output_gain_db']:+.1f} dB"


def degrade_files(
    source: Path,
    out: Path,
    *,
    seed: int = 0,
    stem: str | None = None,
    fault: str | None = None,
    severity: float | None = None,
    force: bool = False,
) -> Degraded:
    """Give a mix controlled faults; same seed, same files.

    `out` is a folder, which gets `<stem>.wav` for each stem, `mix.wav` where there are several, and
    `degradation.json`. Files keep sample rate and format and become stereo; all together are turned down where one
    would go over -1 dBTP. Without a `fault` there are one to three, without a `severity` each has its own. `stem` is
    what a single file is; of a folder, the only stem that gets faults.

    Raises the errors of `read_mix` and `draw_faults`, `SettingsError` for a severity beyond 0 to 1, `UnknownNameError`
    for a fault or stem that is not there, and `OutputError` or `OutputExistsError`, before any rendering.
    """
    mix = read_mix(source, stem=None if source.is_dir() else stem)
    if stem is not None and source.is_dir() and stem not in mix.stems:
        raise UnknownNameError.of("stem", stem, mix.stems)
    targets = {name: out / f"{mix.name if mix.kind == 'mix' else name}.wav" for name in mix.stems}
    if len(mix.stems) > 1:
        targets["mix"] = out / "mix.wav"
    keep_inputs(targets.values(), source)
    for path in (*targets.values(), out / LABEL_FILE):
        check_writable(path, overwrite=force)
    stems = {name: to_stereo(x) for name, x in mix.stems.items()}
    generator = streams.generator(seed, Purpose.DEGRADATION)
    chosen = stems if stem is None else {stem: stems[stem]}
    faults = None if fault is None else [fault]
    drawn = draw_faults(chosen, mix.sample_rate, generator, faults=faults, severity=severity)
    degraded, done = degrade(stems, mix.sample_rate, drawn, generator)
    taken_db = _write(mix, degraded, targets, force)
    label = {
        "format": "stito.degradation",
        "version": 1,
        "seed": seed,
        "output_gain_db": round(taken_db, 6),
        "faults": [damage.as_json() for damage in done],
    }
    write_atomic(out / LABEL_FILE, json.dumps(label, indent=2) + "\n", overwrite=force)
    return Degraded((*targets.values(), out / LABEL_FILE), label)


def _write(mix: Mix, degraded: Mapping[str, Tensor], targets: Mapping[str, Path], force: bool) -> float:
    """Write stems and their sum; the gain in dB under which none of them goes over the ceiling."""
    sounds = dict(degraded)
    if "mix" in targets and len(sounds) > 1:
        sounds["mix"] = add_up(degraded.values())
    taken_db = headroom_db(sounds.values(), mix.sample_rate)
    for name, audio in sounds.items():
        form = mix.format if name == "mix" else mix.format_of(name)
        write_audio(targets[name], audio * gain(taken_db), mix.sample_rate, subtype=form.subtype, overwrite=force)
    return taken_db
