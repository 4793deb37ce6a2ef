"""The players: each reads a score and its own patterns, and records one tape with a human's unevenness.

Symbols of a drum row: `K k` kick, `S s g` snare down to a ghost, `R` rim, `C` clap, `H h i` closed hat, `o` open hat,
`r` ride, `1 2 3` toms, `B b` brush taps, `~` a brush drawn round. Of a bass pattern: `R` root, `5` fifth, `8` octave,
`a` a step before the next root. Of a chord pattern: `D d` down, `U u` up, `X x` all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator

from stito.demo.drums import Kit
from stito.demo.score import Score, Step
from stito.demo.synth import Audio, Tape, electric_piano, ensemble, pluck
from stito.demo.theory import voice_lead

__all__ = ["BassSound", "Row", "bass", "drums", "guitar", "harp", "piano", "strings"]

Row = tuple[tuple[str, ...], str]
"""Patterns that take turns, and the fill."""

BassSound = Callable[[int, float, float, Generator, int], Audio]

DRUM_LEVELS = {
    "K": 0.85, "k": 0.62, "S": 1.0, "s": 0.7, "g": 0.25, "R": 0.6, "C": 0.8, "H": 1.15, "h": 0.75, "i": 0.45, "o": 0.9,
    "r": 0.8, "1": 0.8, "2": 0.85, "3": 0.9, "B": 0.8, "b": 0.4, "~": 0.8,
}  # fmt: skip
DRUM_PANS = {"H": 0.38, "h": 0.38, "i": 0.38, "o": 0.38, "r": -0.42, "1": 0.3, "2": -0.05, "3": -0.35, "C": -0.08}
TOMS_HZ = {"1": 168.0, "2": 124.0, "3": 92.0}


def drums(score: Score, rng: Generator, kit: Kit, rows: Sequence[Row], *, spread_s: float, crash: float) -> Tape:
    """A drummer: the rows at once, hits `spread_s` off the grid, and a last kick with a crash of that velocity."""
    tape = score.tape()
    for patterns, fill in rows:
        for step in score.play(patterns, fill):
            velocity = DRUM_LEVELS[step.symbol] * float(np.clip(rng.normal(1.0, 0.07), 0.8, 1.15))
            at_s = score.time(step.beat) + float(np.clip(rng.normal(0, spread_s), -2.5 * spread_s, 2.5 * spread_s))
            tape.lay(_hit(kit, step, velocity, score), at_s, pan=DRUM_PANS.get(step.symbol, 0.0))
    end_s = score.time(score.beats)
    tape.lay(kit.kick(0.8), end_s)
    tape.lay(kit.ride(0.8), end_s, pan=-0.4)
    tape.lay(kit.crash(crash), end_s + 0.002)
    return tape


def _hit(kit: Kit, step: Step, velocity: float, score: Score) -> Audio:
    match step.symbol:
        case "K" | "k":
            return kit.kick(velocity)
        case "S" | "s" | "g":
            return kit.snare(velocity)
        case "R":
            return kit.rim(velocity)
        case "C":
            return kit.clap(velocity)
        case "o":
            return kit.hat(velocity, open_s=0.9 * score.span(step) + 0.08)
        case "r":
            return kit.ride(velocity)
        case "B" | "b":
            return kit.brush_tap(velocity)
        case "~":
            return kit.brush(velocity, score.span(step))
        case "1" | "2" | "3":
            return kit.tom(velocity, TOMS_HZ[step.symbol])
        case _:
            return kit.hat(velocity)


def bass(score: Score, rng: Generator, sound: BassSound, patterns: Row, *, low: int) -> Tape:
    """A bass player: one note at a time, the first octave from `low` up, following the chords."""
    tape = score.tape()
    for step in [*score.play(*patterns), score.last()]:
        root = _from(low, score.tonic + score.chord_at(step.beat).low)
        note = root
        if step.symbol == "5":
            note = root + 7 if root + 7 <= low + 14 else root - 5
        elif step.symbol == "8":
            note = root + 12
        elif step.symbol == "a":
            target = _from(low, score.tonic + score.chord_at(step.beat + step.beats).low)
            note = target - 1 if rng.uniform() < 0.5 else target + 2
        strong = 0.1 if step.beat % 1 == 0 else 0.0
        velocity = float(np.clip(rng.normal(0.78 + strong, 0.05), 0.5, 1.0))
        late = float(np.clip(rng.normal(0.003, 0.004), -0.006, 0.012))
        tape.lay(sound(note, score.span(step) * 0.97, velocity, rng, score.sample_rate), score.time(step.beat) + late)
    return tape


def _from(low: int, note: int) -> int:
    """`note`, moved by octaves into the octave that begins at `low`."""
    return low + (note - low) % 12


def _voiced(score: Score, voices: int, low: int, high: int) -> list[tuple[Step, tuple[int, ...]]]:
    """Every chord as notes, each led from the one before."""
    found: list[tuple[Step, tuple[int, ...]]] = []
    for step, chord in score.chords:
        tones = [score.tonic + tone for tone in chord.tones(voices)]
        found.append((step, voice_lead(found[-1][1] if found else None, tones, low, high)))
    return found


def _notes_at(voiced: Sequence[tuple[Step, tuple[int, ...]]], beat: float) -> tuple[int, ...]:
    return next(notes for step, notes in reversed(voiced) if step.beat <= beat + 1e-6)


def piano(score: Score, rng: Generator, patterns: Row) -> Tape:
    """An electric pianist: four notes a chord, rolled a little, low notes to the left and high ones to the right."""
    tape, voiced = score.tape(), _voiced(score, 4, 52, 74)
    for step in [*score.play(*patterns), score.last()]:
        touch = {"X": 0.82, "x": 0.6}.get(step.symbol, 0.75)
        for place, note in enumerate(_notes_at(voiced, step.beat)):
            velocity = float(np.clip(rng.normal(touch + 0.05 * (place == 3), 0.04), 0.3, 1.0))
            sound = electric_piano(note, score.span(step) + 0.08, velocity, rng, score.sample_rate)
            at_s = score.time(step.beat) + 0.006 * place + abs(float(rng.normal(0, 0.004)))
            tape.lay(sound, at_s, pan=0.5 * (place / 3 - 0.5))
    return tape


def guitar(score: Score, rng: Generator, patterns: Row, *, pan: float, low: int, bright_hz: float) -> Tape:
    """A guitarist strumming five strings; a string sounds until it is struck again."""
    tape, voiced = score.tape(), _voiced(score, 5, low, low + 24)
    for step in [*score.play(*patterns), score.last()]:
        touch = {"D": 0.9, "d": 0.66, "U": 0.72, "u": 0.5}.get(step.symbol, 0.8)
        strings = list(enumerate(_notes_at(voiced, step.beat)))
        if step.symbol in "Uu":
            strings = strings[:1:-1]  # the hand going up catches the high strings only
        roll_s = abs(float(rng.normal(0.009, 0.002))) if step.symbol != "!" else 0.03
        start_s = score.time(step.beat) + float(np.clip(rng.normal(0, 0.006), -0.012, 0.012))
        for order, (string, note) in enumerate(strings):
            velocity = float(np.clip(rng.normal(touch - 0.03 * order, 0.06), 0.2, 1.0))
            cents = float(rng.normal(0, 2.0)) / 100
            held_s = score.span(step) + 0.03
            sound = pluck(note + cents, held_s, velocity, rng, score.sample_rate, t60_s=2.6, bright_hz=bright_hz)
            tape.lay(sound, start_s + order * roll_s, pan=pan + 0.06 * (string - 2))
    return tape


def strings(score: Score, rng: Generator) -> Tape:
    """A string section: each chord held until the next, overlapping a little."""
    tape = score.tape()
    for step, notes in _voiced(score, 4, 50, 74):
        velocity = float(np.clip(rng.normal(0.7, 0.05), 0.5, 0.9))
        sound = ensemble(notes, score.span(step) + 0.3, velocity, rng, score.sample_rate)
        tape.lay(sound, score.time(step.beat) - 0.03)
    return tape


def harp(score: Score, rng: Generator, *, pan: float) -> Tape:
    """A nylon guitar or harp breaking each chord into quavers, up and down."""
    tape, voiced = score.tape(), _voiced(score, 4, 56, 80)
    order = (0, 1, 2, 3, 2, 1)
    for place in range(int(score.beats * 2)):
        beat = place / 2
        note = _notes_at(voiced, beat)[order[place % len(order)]]
        velocity = float(np.clip(rng.normal(0.72 if place % 6 else 0.85, 0.06), 0.3, 1.0))
        sound = pluck(note, 1.6, velocity, rng, score.sample_rate, t60_s=2.0, bright_hz=2200.0, damping=0.15, pick=0.4)
        tape.lay(sound, score.time(beat) + abs(float(rng.normal(0, 0.006))), pan=pan + 0.2 * (place % 2 - 0.5))
    for place, note in enumerate(_notes_at(voiced, score.beats)):
        sound = pluck(note, 2.0, 0.8, rng, score.sample_rate, bright_hz=2200.0)
        tape.lay(sound, score.time(score.beats) + 0.05 * place, pan=pan)
    return tape
