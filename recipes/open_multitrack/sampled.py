"""Sampled instruments, as SFZ: what keys they have, and a line played on them, the same each time.

SFZ files map samples to keys as they please: an octave from where they sound, with noises and key switches above. So
every key is struck once and its pitch measured; the longest row in tune is what the instrument plays. Players draw from
a generator that cannot be seeded: so samples that take turns at random take turns in order, and nothing else is random.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import median
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import torch
from arrange import Note
from melody import folded
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    import pysfizz

__all__ = ["Range", "fitted", "instruments", "key_of", "keys_of", "play", "range_of", "settled"]

HEADER = re.compile(r"(?=<\w+>)")
TURN = re.compile(r"\b(lo|hi)rand=([0-9.]+)")
CHANCE = re.compile(r"\b\w+_random=\S+")
EQUAL = 0.05
"""Shares of .33, .33 and .34 are equal."""
BLOCK = 256
PROBED = range(20, 90)
PROBE_VELOCITY = 90
PROBE_S = (0.05, 0.4)
"""What is listened to of a key, from when it is struck."""
RELEASE_S = 2.0
"""How long a note is heard after its end, at most."""
LOWEST_HZ, HIGHEST_HZ = 28.0, 400.0
QUIET = 1e-4
CLEAR = 0.5
"""How alike two periods of a note with a pitch are."""
NEAR_CENTS = 60.0
LEAST_KEYS = 12
UNCLEAR_KEYS = 2
_one_at_a_time = Lock()


@dataclass(frozen=True)
class Range:
    """Keys that sound in tune, from the lowest to the highest, and by how many octaves they sound higher than named."""

    low: int
    high: int
    octaves: int


def instruments(folders: Sequence[Path]) -> list[Path]:
    """The SFZ files in these folders; `ValueError` if one cannot be played the same each time."""
    paths = sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() == ".sfz")
    for path in paths:
        settled(path)
    return paths


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
    import pysfizz  # optional

    synth = pysfizz.Synth(sample_rate=sample_rate, block_size=BLOCK)
    with _one_at_a_time, tempfile.TemporaryDirectory() as folder:  # while it loads, errors of all threads go nowhere
        file = Path(folder) / path.name
        file.write_text(settled(path), encoding="utf-8")
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


def key_of(x: NDArray[np.float32], sample_rate: int) -> float | None:
    """The MIDI key that a low note (t,) sounds at, with its fraction; None where there is no pitch.

    The period is where the autocorrelation first comes near its highest: a bass may have next to no fundamental.
    """
    x = x - x.mean()
    if not len(x) or np.abs(x).max() < QUIET:
        return None
    longest, shortest = int(sample_rate / LOWEST_HZ), int(sample_rate / HIGHEST_HZ)
    spectrum = np.fft.rfft(x, 1 << (2 * len(x)).bit_length())
    alike = np.fft.irfft(np.abs(spectrum) ** 2)[: longest + 1] / np.arange(len(x), len(x) - longest - 1, -1)
    alike = alike / max(alike[0], 1e-20)
    best = alike[shortest:].max()
    if best < CLEAR:
        return None
    here = alike[shortest:longest]
    around = np.maximum(alike[shortest - 1 : longest - 1], alike[shortest + 1 : longest + 1])
    peaks = np.nonzero(here >= np.maximum(around, 0.9 * best))[0]
    return 69 + 12 * float(np.log2(sample_rate / (shortest + peaks[0]) / 440)) if len(peaks) else None


def range_of(sounding: Mapping[int, float | None]) -> Range | None:
    """The longest row of keys that sound where they say, or all the same octaves away; None if that is hardly any.

    Some keys in it may have no clear pitch: noise is part of how a string is struck.

    Args:
        sounding: for each key that was tried, the key that it sounds at.
    """
    pitched = {key: sounds for key, sounds in sounding.items() if sounds is not None}
    away = {key: round((sounds - key) / 12) for key, sounds in pitched.items()}
    true = [key for key in sorted(away) if abs(pitched[key] - key - 12 * away[key]) <= NEAR_CENTS / 100]
    rows: list[list[int]] = []
    for key in true:
        if rows and away[key] == away[rows[-1][-1]] and key - rows[-1][-1] <= 1 + UNCLEAR_KEYS:
            rows[-1].append(key)
        else:
            rows.append([key])
    row = max(rows, key=len, default=[])
    return Range(row[0], row[-1], away[row[0]]) if len(row) >= LEAST_KEYS else None


def fitted(line: Sequence[Note], keys: Range) -> list[Note]:
    """A line in the keys of an instrument that sound as it does; by octaves where it lies outside them.

    The line as a whole moves first, by the fewest octaves that bring its middle in; then the notes that are left over.
    """
    if not line:
        return []
    middle = median(note.key for note in line) - 12 * keys.octaves
    move = round(folded(middle, keys.low, keys.high) - middle) - 12 * keys.octaves
    return [replace(note, key=folded(note.key + move, keys.low, keys.high)) for note in line]


def settled(path: Path) -> str:
    """The text of an SFZ file, as one that can lie anywhere and plays the same each time.

    `ValueError` for a file that includes others, or whose samples take turns in shares that are not equal.
    """
    text = path.read_text(encoding="utf-8", errors="replace")
    if "#include" in text:
        raise ValueError(f"{path}: files that include others are not read")
    inside = re.search(r"\bdefault_path=(\S+)", text)
    place = f"{path.parent.resolve().as_posix()}/{inside[1] if inside else ''}"
    blocks = HEADER.split(CHANCE.sub("", re.sub(r"\bdefault_path=\S+", "", text)))
    try:
        return f"<control> hint_ram_based=1 default_path={place}\n" + "".join(_in_order(blocks))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _in_order(blocks: Sequence[str]) -> Iterator[str]:
    """Headers, each with what belongs to it: a share of all draws becomes a place in a row."""
    turns = 0
    for block in blocks:
        bounds = {which: float(value) for which, value in TURN.findall(block)}
        if not bounds:
            yield block
            continue
        low, high = bounds.get("lo", 0.0), bounds.get("hi", 1.0)
        if not low or not turns:
            turns = max(1, round(1 / max(high - low, 0.01)))
        place = round(low * turns)
        if abs(low * turns - place) > EQUAL or abs((high - low) * turns - 1) > EQUAL:
            raise ValueError(f"samples take turns in unequal shares, one from {low:g} to {high:g} among {turns}")
        yield TURN.sub("", block).rstrip() + f"\nseq_length={turns}\nseq_position={place + 1}\n\n"
