"""From a MIDI song to stems: who plays what, and variations that keep the music but not the sound.

A part is what one program (instrument) plays on one channel. Stems are chosen by General MIDI's families; lead lines
stand in for the voice, of which MIDI files have none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from midi import META, SYSEX, SYSEX_MORE, Event

__all__ = ["Note", "Part", "excerpt", "only", "parts_of", "stems_of", "substitutes"]

NOTE_OFF, NOTE_ON, CONTROL, PROGRAM, BEND = 0x8, 0x9, 0xB, 0xC, 0xE
DRUM_CHANNEL = 9
BASSES = range(32, 40)
STRUCK = range(115, 120)
"""Woodblock, taiko, tom, synth drum, reverse cymbal: drums on a channel of their own."""
VOICES = range(52, 55)
LEADS = (22, 40, *range(56, 61), *range(64, 80), *range(80, 88))
"""Harmonica, violin, brass, reeds, pipes, synthesiser leads: what carries a melody, if it plays one note at a time."""
SUNG = (52, 53, 54, 56, 59, 64, 65, 66, 68, 71, 73, 75, 80, 81, 84, 85)
"""What a lead line may be given to."""
KITS = (0, 0, 8, 16, 24, 25, 32, 40)
BANK_SELECTS = (0, 32)
LOW_KEY, HIGH_KEY = 43, 55
MONOPHONIC = 0.15
"""A line may have two notes at once for this part of its time, as legato playing does."""


@dataclass(frozen=True, order=True)
class Part:
    """What one program plays on one channel."""

    channel: int
    program: int


@dataclass(frozen=True)
class Note:
    """A note, in seconds."""

    start: float
    end: float
    key: int
    velocity: int = 100


def parts_of(events: Iterable[Event]) -> dict[Part, list[Note]]:
    """The notes of each part; a program change takes effect with the next note."""
    programs: dict[int, int] = defaultdict(int)
    sounding: dict[tuple[int, int], tuple[Part, float, int]] = {}
    parts: dict[Part, list[Note]] = defaultdict(list)
    for event in events:
        if event.kind == PROGRAM:
            programs[event.channel] = event.data[0]
        elif event.kind in (NOTE_ON, NOTE_OFF):
            key = event.data[0]
            if (event.channel, key) in sounding:
                part, start, velocity = sounding.pop((event.channel, key))
                parts[part].append(Note(start, event.time, key, velocity))
            if event.kind == NOTE_ON and event.data[1]:
                part = Part(event.channel, programs[event.channel])
                sounding[event.channel, key] = part, event.time, event.data[1]
    return dict(parts)


def stems_of(parts: Mapping[Part, Sequence[Note]]) -> dict[Part, str]:
    """The stem that each part belongs to.

    Drums are what is on channel 10, bass the bass programs and low lines, vocals the choir programs and lead lines. A
    song without a lead gives its busiest high line to the vocals, if the others still have something to play.
    """
    stems = {part: _stem_of(part, notes) for part, notes in parts.items()}
    others = [part for part, stem in stems.items() if stem == "other"]
    if "vocals" not in stems.values() and len(others) > 1:
        lines = [part for part in others if _is_line(parts[part]) and _middle(parts[part]) >= HIGH_KEY]
        if lines:
            stems[max(lines, key=lambda part: (_covered(parts[part]), part))] = "vocals"
    return stems


def _stem_of(part: Part, notes: Sequence[Note]) -> str:
    if part.channel == DRUM_CHANNEL or part.program in STRUCK:
        return "drums"
    if part.program in BASSES or (_middle(notes) < LOW_KEY and _is_line(notes)):
        return "bass"
    if part.program in VOICES or (part.program in LEADS and _is_line(notes) and _middle(notes) >= HIGH_KEY):
        return "vocals"
    return "other"


def _middle(notes: Sequence[Note]) -> float:
    return median(note.key for note in notes)


def _covered(notes: Sequence[Note]) -> float:
    return sum(note.end - note.start for note in notes)


def _is_line(notes: Sequence[Note]) -> bool:
    """Whether notes hardly ever sound together."""
    overlap, end = 0.0, float("-inf")
    for note in sorted(notes, key=lambda note: note.start):
        overlap += max(0.0, min(end, note.end) - note.start)
        end = max(end, note.end)
    return overlap <= MONOPHONIC * _covered(notes)


def substitutes(stems: Mapping[Part, str], generator: np.random.Generator) -> dict[Part, int]:
    """Another program for every second part, of the same family; vocals that are none become something that sings."""
    chosen = {}
    for part in sorted(stems):
        stays, pick = generator.random() < 0.5, int(generator.integers(1 << 30))
        if stems[part] == "drums":
            chosen[part] = KITS[pick % len(KITS)] if part.channel == DRUM_CHANNEL else part.program
        elif stems[part] == "bass":
            chosen[part] = part.program if stays and part.program in BASSES else BASSES[pick % len(BASSES)]
        elif stems[part] == "vocals":
            fits = part.program in VOICES or part.program in LEADS
            chosen[part] = part.program if stays and fits else SUNG[pick % len(SUNG)]
        else:
            chosen[part] = part.program if stays else part.program // 8 * 8 + pick % 8
    return chosen


def excerpt(events: Iterable[Event], start: float, seconds: float, *, speed: float = 1.0) -> list[Event]:
    """The events of a stretch, from time 0 on and `speed` times as fast, with all that was set before it.

    Notes that sound already when it begins are left out, notes that still sound at its end are ended there.
    """
    out, sounding = [], set[tuple[int, int]]()
    for event in events:
        if event.status in (META, SYSEX, SYSEX_MORE):
            continue
        if event.kind == CONTROL and event.data[0] in BANK_SELECTS:
            continue  # banks differ between SoundFonts: the plain General MIDI sounds are in all
        time = (event.time - start) / speed
        if time >= seconds:
            break
        if event.kind in (NOTE_ON, NOTE_OFF):
            place = event.channel, event.data[0]
            if time < 0 or (place not in sounding and not _is_on(event)):
                continue
            (sounding.add if _is_on(event) else sounding.discard)(place)
        out.append(replace(event, time=max(0.0, time)))
    return out + [Event(seconds, NOTE_OFF << 4 | channel, bytes([key, 64])) for channel, key in sorted(sounding)]


def _is_on(event: Event) -> bool:
    return event.kind == NOTE_ON and event.data[1] > 0


def only(events: Iterable[Event], programs: Mapping[Part, int], *, semitones: int = 0) -> list[Event]:
    """What the parts in `programs` play, with these programs instead of their own, so many semitones higher."""
    current: dict[int, int] = defaultdict(int)
    played: dict[int, int] = {}
    keys: dict[tuple[int, int], int] = {}
    out: list[Event] = []
    for event in events:
        channel = event.channel
        if event.kind == PROGRAM:
            current[channel] = event.data[0]
        elif event.kind in (NOTE_ON, NOTE_OFF):
            place = channel, event.data[0]
            part = Part(channel, current[channel])
            if place in keys:
                out.append(Event(event.time, NOTE_OFF << 4 | channel, bytes([keys.pop(place), 64])))
            if not _is_on(event) or part not in programs:
                continue
            if played.get(channel) != programs[part]:
                played[channel] = programs[part]
                out.append(Event(event.time, PROGRAM << 4 | channel, bytes([programs[part]])))
            key = event.data[0] + (0 if channel == DRUM_CHANNEL else semitones)
            if 0 <= key <= 127:
                keys[place] = key
                out.append(replace(event, data=bytes([key, event.data[1]])))
        else:
            out.append(event)
    return out
