"""The pitch of a sung line: brought to its notes, in another octave, with vibrato."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from arrange import Note
from frames import FRAME_S, Array

from stito.demo.synth import hertz

__all__ = ["cents_off", "in_tune", "vibrato"]

TURN_S = 0.05
"""Before and after a note's edges its correction gives way to its neighbour's."""
EDGE_S = 0.08
"""The edges of a note are left out of what it is taken to sound at."""
STEADY_S = 0.3
"""How long a note stands before its vibrato is all there."""


def core(note: Note, frames: int) -> slice:
    """The frames of a note without its edges; at least the one in its middle."""
    edge = min(EDGE_S, (note.end - note.start) / 3)
    first = min(frames - 1, round((note.start + edge) / FRAME_S))
    return slice(first, max(first + 1, round((note.end - edge) / FRAME_S)))


def cents_off(f0: Array, line: Sequence[Note]) -> Array:
    """How far the middle of each note is from its key, in cents, (notes,); NaN where it has no pitch."""
    out = np.full(len(line), np.nan)
    for at, note in enumerate(line):
        sung = f0[core(note, len(f0))]
        if (sung > 0).any():
            out[at] = 1200 * np.log2(np.median(sung[sung > 0]) / hertz(note.key))
    return out


def in_tune(f0: Array, line: Sequence[Note], off: Array) -> Array:
    """The pitch (frames,) with each note `off` (notes,) cents from its key, its own bends and glides kept."""
    measured = cents_off(f0, line)
    known = ~np.isnan(measured)
    if not known.any():
        return f0
    times, moves = [], []
    for note, move in zip(np.array(line, object)[known], (off - measured)[known], strict=True):
        turn = min(TURN_S, (note.end - note.start) / 4)
        times += [note.start + turn, note.end - turn]
        moves += [move, move]
    cents = np.interp(np.arange(len(f0)) * FRAME_S, times, moves)
    return np.asarray(f0 * 2 ** (cents / 1200))


def vibrato(frames: int, line: Sequence[Note], rate_hz: float, cents: float, phase: float) -> Array:
    """The vibrato of a line in cents, (frames,): it begins when a note has stood for a while."""
    times = np.arange(frames) * FRAME_S
    depth = np.zeros(frames)
    for note in line:
        inside = (times >= note.start) & (times < note.end)
        depth[inside] = np.clip((times[inside] - note.start) / STEADY_S - 0.5, 0.0, 1.0)
    return np.asarray(cents * depth * np.sin(2 * np.pi * rate_hz * times + phase))
