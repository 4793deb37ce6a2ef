"""From notes to a line that one person can sing: one note at a time, in range, with time to breathe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from statistics import median
from typing import TypeVar

from arrange import Note, Part

__all__ = ["HIGHEST", "LOWEST", "folded", "line_of", "sung_line", "sung_part"]

LOWEST, HIGHEST = 55, 79
"""G3 to G5: what a high voice sings with ease."""
TOGETHER_S = 0.05
"""Notes that begin within this time are a chord, whose highest note is sung."""
SHORTEST_S = 0.1
"""What is shorter has no time for a syllable."""
BREATH_S = 0.25
"""A shorter rest is sung through; a longer one is time to breathe."""
PHRASE_S = 7.0
"""After so long without a rest, a note ends early."""

Key = TypeVar("Key", int, float)
"""A MIDI key, or one between two."""


def sung_part(parts: Mapping[Part, Sequence[Note]], stems: Mapping[Part, str]) -> Part | None:
    """Which of the parts that stand in for vocals has the melody: the one that sounds longest; None without any."""
    vocals = sorted(part for part, stem in stems.items() if stem == "vocals")
    return max(vocals, key=lambda part: sum(note.end - note.start for note in line_of(parts[part])), default=None)


def sung_line(notes: Iterable[Note], *, semitones: int = 0) -> list[Note]:
    """The melody of a part, so many semitones higher, by octaves where a voice can sing it."""
    return breathing(in_range([replace(note, key=note.key + semitones) for note in line_of(notes)]))


def line_of(notes: Iterable[Note]) -> list[Note]:
    """One note at a time: of a chord the highest, and each note ends where the next begins.

    What comes sooner than a syllable after the note before is left out, and that note takes its time.
    """
    line: list[Note] = []
    for note in sorted(notes, key=lambda note: (note.start, note.key)):
        since = note.start - line[-1].start if line else float("inf")
        if since < TOGETHER_S and note.key > line[-1].key:
            line[-1] = replace(note, start=line[-1].start, end=max(note.end, line[-1].end))
        elif since < SHORTEST_S:
            line[-1] = replace(line[-1], end=max(note.end, line[-1].end))
        else:
            line.append(note)
    beginnings = [*(note.start for note in line[1:]), float("inf")]
    return [replace(note, end=_end(note, after)) for note, after in zip(line, beginnings, strict=True)]


def _end(note: Note, after: float) -> float:
    """Where a note ends before another begins."""
    return after if after - note.end < BREATH_S else max(note.end, note.start + SHORTEST_S)


def in_range(line: Sequence[Note]) -> list[Note]:
    """The line moved by the octaves that bring its middle nearest to the range's, what still lies outside folded in."""
    if not line:
        return []
    octaves = round(((LOWEST + HIGHEST) / 2 - median(note.key for note in line)) / 12)
    return [replace(note, key=folded(note.key + 12 * octaves, LOWEST, HIGHEST)) for note in line]


def folded(key: Key, lowest: int, highest: int) -> Key:
    """A key moved by as few octaves as it takes into a range."""
    while key < lowest:
        key += 12
    while key > highest:
        key -= 12
    return key


def breathing(line: Sequence[Note]) -> list[Note]:
    """The line with time to breathe in its long phrases: a note long enough ends early."""
    out: list[Note] = []
    began = float("-inf")
    for note in line:
        if not out or note.start > out[-1].end:
            began = note.start
        if note.end - began > PHRASE_S and note.end - note.start >= 2 * BREATH_S:
            note = replace(note, end=note.end - BREATH_S)
        out.append(note)
    return out
