"""The keys that an instrument has, from what each is measured to sound at; and a line brought into them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from arrange import Note
from numpy.typing import NDArray

__all__ = ["Range", "fitted", "key_of", "range_of"]

LOWEST_HZ, HIGHEST_HZ = 28.0, 400.0
QUIET = 1e-4
CLEAR = 0.5
"""How alike two periods of a note with a pitch are."""
NEAR_CENTS = 60.0
LEAST_KEYS = 12
UNCLEAR_KEYS = 2


@dataclass(frozen=True)
class Range:
    """Keys that sound in tune, from the lowest to the highest, and by how many octaves they sound higher than named."""

    low: int
    high: int
    octaves: int


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
    named = [replace(note, key=note.key - 12 * keys.octaves) for note in line]
    middle = median(note.key for note in named)
    move = _inside(middle, keys) - middle
    return [replace(note, key=round(_inside(note.key + move, keys))) for note in named]


def _inside(key: float, keys: Range) -> float:
    """A key moved by the fewest octaves that bring it between the lowest and the highest."""
    while key < keys.low:
        key += 12
    while key > keys.high:
        key -= 12
    return key
