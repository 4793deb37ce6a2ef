"""Sampled instruments, as SFZ: what keys they have, and a line played on them.

SFZ files map samples to keys as they please: an octave from where they sound, with noises and key switches above. So
every key is struck once and its pitch measured; the longest row in tune is what the instrument plays.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np
import pysfizz
import torch
from arrange import Note
from ranges import Range, fitted, key_of, range_of
from sfz import settled
from torch import Tensor

__all__ = ["instruments", "keys_of", "play"]

BLOCK = 256
PROBED = range(20, 90)
PROBE_VELOCITY = 90
PROBE_S = (0.05, 0.4)
"""What is listened to of a key, from when it is struck."""
RELEASE_S = 2.0
"""How long a note is heard after its end, at most."""
_one_at_a_time = Lock()


def instruments(folders: Sequence[Path]) -> list[Path]:
    """The SFZ files in these folders."""
    return sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() == ".sfz")


@cache
def keys_of(path: Path, sample_rate: int) -> Range | None:
    """The keys of an instrument that sound in tune."""
    synth = loaded(path, sample_rate)
    if synth is None:
        return None
    start, end = PROBE_S
    struck = {key: synth.render_note(key, PROBE_VELOCITY, end, end) for key in PROBED}
    return range_of({key: key_of(x[:, round(start * sample_rate) :].mean(0), sample_rate) for key, x in struck.items()})


def loaded(path: Path, sample_rate: int) -> pysfizz.Synth | None:
    """A player with an instrument; None if the file has none."""
    synth = pysfizz.Synth(sample_rate=sample_rate, block_size=BLOCK)
    with _one_at_a_time, tempfile.TemporaryDirectory() as folder:  # while it loads, errors of all threads go nowhere
        file = Path(folder) / path.name
        file.write_text(settled(path.read_text(encoding="utf-8", errors="replace"), path.parent), encoding="utf-8")
        return synth if synth.load_sfz_file(file) else None


def play(path: Path, line: Sequence[Note], seconds: float, sample_rate: int) -> Tensor:
    """A line played on an instrument, (2, t); the same each time."""
    synth, keys = loaded(path, sample_rate), keys_of(path, sample_rate)
    length = round(seconds * sample_rate)
    out = np.zeros((2, length), np.float32)
    if synth is None or keys is None:
        return torch.from_numpy(out)
    for note in fitted(line, keys):
        at, held = round(note.start * sample_rate), note.end - note.start
        x = synth.render_note(note.key, note.velocity, held, held + RELEASE_S)[:, : max(0, length - at)]
        out[:, at : at + x.shape[-1]] += x
    return torch.from_numpy(out)
