"""From a song's few lines to a score: which chord sounds when, where the beats fall, what is sung.

Patterns are strings of sixteenths, one string a bar: a symbol starts something, `-` holds it, `.` is silence.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from stito.demo.synth import Tape
from stito.demo.theory import Chord, nearest, scale_note
from stito.demo.voice import Sung

__all__ = ["Score", "Song", "Step"]

LEAD_S = 0.06
"""Silence before the first beat: the first consonant comes before it."""

RING_S = 1.6
"""How long the last chord rings."""


@dataclass(frozen=True)
class Song:
    """What is written down of a song: `melody` is (beat, beats, degree), one lap of the progression long.

    Every progression has the length of the first; the last chord of the song is `ending`, its last note a degree.
    """

    name: str
    bpm: float
    beats_per_bar: int
    tonic: int
    scale: str
    swing: float
    progressions: tuple[tuple[Chord, ...], ...]
    melody: tuple[tuple[float, float, int], ...]
    ending: tuple[str, int]
    syllables: str

    @property
    def lap(self) -> float:
        """Beats of one pass through the progression."""
        return sum(chord.beats for chord in self.progressions[0])

    @property
    def seconds(self) -> float:
        """How long the song is when nobody says otherwise: one lap, and the last chord."""
        return LEAD_S + self.lap * 60 / self.bpm + RING_S


@dataclass(frozen=True)
class Step:
    """One symbol of a pattern, in beats from the start of the song."""

    symbol: str
    beat: float
    beats: float


class Score:
    """A song laid out over a length: bars as they fit, then the last chord.

    Seed 0 is the song as written; another one transposes it, may take another progression, and bends the melody.
    """

    def __init__(self, song: Song, seconds: float, seed: int, sample_rate: int) -> None:
        self.song = song
        self.seconds = seconds
        self.sample_rate = sample_rate
        self._seed = seed
        self._beat_s = 60 / song.bpm
        draw = self.generator("song")
        self.tonic = song.tonic + (int(draw.integers(-4, 4)) if seed else 0)
        bar_s = self._beat_s * song.beats_per_bar
        self.bars = max(int((seconds - LEAD_S - RING_S) / bar_s + 1e-6), 1)
        self.chords = self._laid_out(song.progressions[int(draw.integers(len(song.progressions))) if seed else 0])

    @property
    def beats(self) -> float:
        """The beat on which the last chord falls."""
        return float(self.bars * self.song.beats_per_bar)

    def generator(self, part: str) -> Generator:
        """The part's own stream of random numbers: one player's mistakes never move another's."""
        words = (self.song.name, part)
        return np.random.default_rng([self._seed, *(zlib.crc32(word.encode()) for word in words)])

    def tape(self) -> Tape:
        """An empty tape as long as the song."""
        return Tape.blank(self.seconds, self.sample_rate)

    def time(self, beat: float) -> float:
        """When a beat falls, in seconds; swing puts the second sixteenth of each pair late."""
        eighth, place = divmod(beat * 2, 1.0)
        late = 0.5 + self.song.swing / 2
        bent = place * late / 0.5 if place < 0.5 else late + (place - 0.5) * (1 - late) / 0.5
        return LEAD_S + (eighth + bent) / 2 * self._beat_s

    def span(self, step: Step) -> float:
        """How long a step lasts, in seconds."""
        return self.time(step.beat + step.beats) - self.time(step.beat)

    def last(self) -> Step:
        """The last chord, held to the end."""
        return Step("!", self.beats, (self.seconds - self.time(self.beats)) / self._beat_s)

    def _laid_out(self, progression: Sequence[Chord]) -> list[tuple[Step, Chord]]:
        """Every chord and where it stands, the last one included."""
        found: list[tuple[Step, Chord]] = []
        beat, place = 0.0, 0
        while beat < self.beats:
            chord = progression[place % len(progression)]
            found.append((Step("X", beat, min(chord.beats, self.beats - beat)), chord))
            beat, place = beat + chord.beats, place + 1
        last = self.last()
        return [*found, (last, Chord(0, self.song.ending[0], last.beats))]

    def chord_at(self, beat: float) -> Chord:
        """The chord that sounds on a beat."""
        return next(chord for step, chord in reversed(self.chords) if step.beat <= beat + 1e-6)

    def play(self, patterns: Sequence[str], fill: str | None = None) -> Iterator[Step]:
        """The steps of the bars, the patterns taking turns; `fill` takes the last bar of each lap and of the song."""
        bars_per_lap = round(self.song.lap / self.song.beats_per_bar)
        for bar in range(self.bars):
            closing = (bar + 1) % bars_per_lap == 0 or bar + 1 == self.bars
            pattern = fill if fill and closing else patterns[bar % len(patterns)]
            start = 0
            while start < len(pattern):
                stop = start + 1
                while stop < len(pattern) and pattern[stop] == "-":
                    stop += 1
                if pattern[start] != ".":
                    beat = bar * self.song.beats_per_bar + start / 4
                    yield Step(pattern[start], beat, (stop - start) / 4)
                start = stop

    def line(self) -> list[Sung]:
        """The melody, lap after lap and each a little different, ending on the last chord."""
        draw = self.generator("melody")
        lap_beats = self.song.lap
        syllables = self.song.syllables.split()
        sung: list[Sung] = []
        for lap in range(int(np.ceil(self.beats / lap_beats))):
            shift = 0 if lap == 0 and self._seed == 0 else int(draw.integers(-2, 3))
            mirror = bool(shift) and bool(draw.integers(2))
            for beat, beats, degree in self.song.melody:
                if lap * lap_beats + beat >= self.beats:
                    break
                step = Step("", lap * lap_beats + beat, beats)
                note = self._melody_note(step, 8 - degree if mirror else degree + shift)
                sung.append(self._sing(step, note, syllables[len(sung) % len(syllables)], draw))
        last = Step("", self.beats, min(self.last().beats * 0.8, 2.2))
        note = scale_note(self.tonic, self.song.scale, self.song.ending[1])
        return [*sung, self._sing(last, note, syllables[len(sung) % len(syllables)], draw)]

    def _melody_note(self, step: Step, degree: int) -> int:
        """Long notes belong to the chord; short ones pass by as they like."""
        note = scale_note(self.tonic, self.song.scale, degree)
        chord = self.chord_at(step.beat)
        return nearest(note, (self.tonic + tone for tone in chord.tones(5))) if step.beats >= 1 else note

    def _sing(self, step: Step, note: int, syllable: str, draw: Generator) -> Sung:
        late = float(np.clip(draw.normal(0.008, 0.010), -0.015, 0.03))
        strong = 0.08 if step.beat % 1 == 0 else 0.0
        velocity = float(np.clip(0.68 + strong + 0.12 * np.sin(step.beat * 0.8) + draw.normal(0, 0.06), 0.4, 1.0))
        return Sung(self.time(step.beat) + late, self.span(step) * 0.94, note, velocity, syllable)
