"""Scales, chords and voice leading: the little harmony that the demo songs need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

__all__ = ["QUALITIES", "SCALES", "Chord", "nearest", "scale_note", "voice_lead"]

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "minor": (0, 2, 3, 5, 7, 8, 10),
}
"""Semitones of the seven degrees above the tonic."""

QUALITIES = {
    "major": (0, 4, 7),
    "minor": (0, 3, 7),
    "sus2": (0, 2, 7),
    "7": (0, 4, 7, 10),
    "7sus4": (0, 5, 7, 10),
    "m7": (0, 3, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m9": (0, 3, 7, 10, 14),
    "maj9": (0, 4, 7, 11, 14),
    "13": (0, 4, 10, 14, 21),
    "7alt": (0, 4, 10, 15, 20),
}
"""Semitones of the chord tones above the root."""


@dataclass(frozen=True)
class Chord:
    """A chord in a key: its root and, where it is not the root, its bass, in semitones above the tonic."""

    root: int
    quality: str
    beats: float
    bass: int | None = None

    @property
    def low(self) -> int:
        """What the bass plays, in semitones above the tonic."""
        return self.root if self.bass is None else self.bass

    def tones(self, voices: int) -> tuple[int, ...]:
        """`voices` tones above the tonic: a big chord leaves its root to the bass, a small one doubles root and fifth.

        >>> Chord(5, "m9", 4.0).tones(4)
        (8, 12, 15, 19)
        """
        intervals = QUALITIES[self.quality]
        if len(intervals) > voices:
            intervals = intervals[-voices:]
        doubled = (0, QUALITIES[self.quality][2])
        spare = tuple(doubled[i % 2] for i in range(voices - len(intervals)))
        return tuple(self.root + interval for interval in intervals + spare)


def scale_note(tonic: int, scale: str, degree: int) -> int:
    """The MIDI note of a degree (0 is the tonic, 7 its octave, negative ones lie below).

    >>> scale_note(60, "minor", 9)
    75
    """
    octave, step = divmod(degree, 7)
    return tonic + 12 * octave + SCALES[scale][step]


def nearest(note: int, tones: Iterable[int]) -> int:
    """The note closest to `note` whose pitch class is among `tones`; the lower one of two."""
    classes = {tone % 12 for tone in tones}
    return min(range(note - 6, note + 7), key=lambda other: (other % 12 not in classes, abs(other - note), other))


def voice_lead(previous: Sequence[int] | None, tones: Sequence[int], low: int, high: int) -> tuple[int, ...]:
    """The voicing of `tones` in `low`…`high` that moves least from the previous one, without mud below.

    The range is two octaves, so that a doubled tone finds a second place.
    """
    width = (high - low) / (len(tones) + 1)
    origin = previous or [round(low + width * (i + 1)) for i in range(len(tones))]
    places = [[note for note in range(low, high + 1) if (note - tone) % 12 == 0] for tone in tones]
    voicings = {tuple(sorted(notes)) for notes in product(*places) if len(set(notes)) == len(notes)}

    def cost(notes: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        moved = sum(abs(a - b) for a, b in zip(notes, origin, strict=True))
        mud = sum(4.0 for a, b in pairwise(notes) if b - a < (4 if a < 52 else 2))
        holes = sum(2.0 for a, b in pairwise(notes) if b - a > 9)
        drift = 0.25 * abs(sum(notes) / len(notes) - (low + high) / 2)
        return moved + mud + holes + drift, notes  # the notes settle a draw the same way each time

    return min(voicings, key=cost)
