"""Random effects on files: stems in, the same stems in another style out, and what was done to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stito import streams
from stito.audio import check_writable, write_atomic, write_audio
from stito.console.strips import CEILING_DBTP
from stito.data.fxmanipulator.impulses import Impulses
from stito.data.fxmanipulator.manipulator import Manipulation, Manipulator
from stito.data.stems import STEMS
from stito.dsp.loudness import true_peak_db
from stito.mix import Mix, read_mix
from stito.streams import Purpose
from stito.terminal import text_table

__all__ = ["SETTINGS_FILE", "Manipulated", "manipulate_files"]

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
    less, down to nothing at 0. `irs` is a folder of impulse responses to take
    the place of the package's own.

    Raises the errors of `read_mix`, of `Impulses.read`, and `OutputError` or `OutputExistsError`, before any rendering.
    """
    mix = read_mix(source, stem=stem)
    targets = {name: out / f"{mix.name if mix.kind == 'mix' else name}.wav" for name in mix.stems}
    settings_file = out / SETTINGS_FILE
    for path in (*targets.values(), settings_file):
        check_writable(path, overwrite=force)
    impulses = Impulses.read(irs, mix.sample_rate) if irs else Impulses.synthetic(mix.sample_rate)
    manipulator = Manipulator(impulses, sample_rate=mix.sample_rate)
    kinds = [name if name in STEMS else "other" for name in _kinds(mix)]
    manipulation = manipulator.sample(kinds, streams.generator(seed, Purpose.MANIPULATION)).milder(strength)
    rendered = {
        name: _rendered(manipulator, x, manipulation.rows([row])) for row, (name, x) in enumerate(mix.stems.items())
    }
    taken_db = _output_gain_db(rendered, mix.sample_rate)
    for name, audio in rendered.items():
        audio = audio.mul_(10 ** (taken_db / 20))
        write_audio(targets[name], audio, mix.sample_rate, subtype=mix.format_of(name).subtype, overwrite=force)
    document = {
        "format": "stito.manipulation",
        "version": 1,
        "seed": seed,
        "strength": strength,
        "impulses": str(irs) if irs else "synthetic",
        "output_gain_db": round(taken_db, 6),
        "stems": {name: _described(manipulation, row, impulses) for row, name in enumerate(mix.stems)},
    }
    write_atomic(settings_file, json.dumps(document, indent=2) + "\n", overwrite=force)
    return Manipulated((*targets.values(), settings_file), document)


def _kinds(mix: Mix) -> list[str]:
    """The names by which the kinds of the stems are told; a file that nobody named is named by itself."""
    return [mix.name.lower()] if mix.kind == "mix" else list(mix.stems)


def _rendered(manipulator: Manipulator, x: Tensor, manipulation: Manipulation) -> Tensor:
    """Audio (channels, t) under one configuration: mono is folded back, more than two channels go through in pairs."""
    pairs = [x[first : first + 2] for first in range(0, x.shape[0], 2)]
    done = []
    for pair in pairs:
        (stereo,) = manipulator.render(pair.expand(2, -1)[None], manipulation)
        done.append(stereo if pair.shape[0] == 2 else stereo.mean(0, keepdim=True))
    return torch.cat(done) if len(done) > 1 else done[0]


def _output_gain_db(stems: Mapping[str, Tensor], sample_rate: int) -> float:
    """What all stems are turned down by, so that none goes over the ceiling and their balance is kept."""
    highest = max(float(true_peak_db(audio[None], sample_rate)[0]) for audio in stems.values())
    return min(0.0, CEILING_DBTP - highest)


def _described(manipulation: Manipulation, row: int, impulses: Impulses) -> dict[str, Any]:
    described = manipulation.describe(row)
    for entry in described["chain"]:
        if entry["effect"] == "reverb":
            entry["room"] = impulses.names[int(entry["impulse"])]
    return described
