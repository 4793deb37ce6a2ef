"""Random effects on files: stems in, the same stems in another style out, and what was done to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from stito import streams
from stito.audio import check_writable, in_pairs, keep_inputs, write_atomic, write_audio
from stito.console.strips import gain, headroom_db
from stito.data.manipulation import Manipulation, Manipulator, load_manipulator
from stito.mix import Mix, read_mix
from stito.stems import STEMS
from stito.streams import Purpose
from stito.terminal import text_table

__all__ = ["Manipulated", "manipulate_files"]

SETTINGS_FILE = "manipulation.json"


@dataclass(frozen=True)
class Manipulated:
    """What was written, and what was done: `document` is the content of `manipulation.json`."""

    files: tuple[Path, ...]
    document: Mapping[str, Any]

    def table(self) -> str:
        """One line per stem: its effects in the order of the signal."""
        rows = [
            (name, " -> ".join(entry["effect"] for entry in stem["chain"]) or "nothing")
            for name, stem in self.document["stems"].items()
        ]
        table = text_table((), rows, align="ll")
        return f"{table}\noutput gain {self.document['output_gain_db']:+.1f} dB"


def manipulate_files(
    source: Path,
    out: Path,
    *,
    seed: int = 0,
    stem: str | None = None,
    strength: float = 1.0,
    irs: Path | None = None,
    force: bool = False,
) -> Manipulated:
    """Give a file or a folder of stems a random style, each stem its own; same seed, same files.

    `out` is a folder, which gets `<stem>.wav` for each stem and `manipulation.json`. A stem's kind, on which its reverb
    depends, is its name, or `stem` for a file; any other name counts as `other`. Files keep sample rate, channels and
    format; all together are turned down where one would go over -1 dBTP. With a `strength` below 1 the same effects do
    less, down to nothing at 0. `irs` is a folder of impulse responses to take the place of rooms that are made up.

    Raises the errors of `read_mix`, of `load_manipulator`, and `OutputError` or `OutputExistsError`, before any
    rendering.
    """
    mix = read_mix(source, stem=stem)
    targets = {name: out / f"{mix.name if mix.kind == 'mix' else name}.wav" for name in mix.stems}
    settings_file = out / SETTINGS_FILE
    keep_inputs(targets.values(), source)
    for path in (*targets.values(), settings_file):
        check_writable(path, overwrite=force)
    manipulator = load_manipulator(sample_rate=mix.sample_rate, impulses=irs)
    kinds = [name if name in STEMS else "other" for name in _kinds(mix)]
    manipulation = manipulator.sample(kinds, streams.generator(seed, Purpose.MANIPULATION)).milder(strength)
    rendered = {
        name: _rendered(manipulator, x, manipulation.rows([row])) for row, (name, x) in enumerate(mix.stems.items())
    }
    taken_db = headroom_db(rendered.values(), mix.sample_rate)
    for name, audio in rendered.items():
        audio = audio.mul_(gain(taken_db))
        write_audio(targets[name], audio, mix.sample_rate, subtype=mix.format_of(name).subtype, overwrite=force)
    document = {
        "format": "stito.manipulation",
        "version": 1,
        "seed": seed,
        "strength": strength,
        "impulses": str(irs) if irs else "synthetic",
        "output_gain_db": round(taken_db, 6),
        "stems": {name: manipulator.describe(manipulation, row) for row, name in enumerate(mix.stems)},
    }
    write_atomic(settings_file, json.dumps(document, indent=2) + "\n", overwrite=force)
    return Manipulated((*targets.values(), settings_file), document)


def _kinds(mix: Mix) -> list[str]:
    """The names by which the kinds of the stems are told; a file that nobody named is named by itself."""
    return [mix.name.lower()] if mix.kind == "mix" else list(mix.stems)


def _rendered(manipulator: Manipulator, x: Tensor, manipulation: Manipulation) -> Tensor:
    """Audio (channels, t) under one configuration: mono is folded back, more than two channels go through in pairs."""
    return in_pairs(x, lambda pair: manipulator.render(pair[None], manipulation)[0])
