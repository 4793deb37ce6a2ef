"""Many singers out of one: who they are, by seed, and one voice made theirs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from arrange import Note
from frames import Frames, aired, breathed, resized, shaped
from intonation import in_tune, vibrato

__all__ = ["Singer", "another", "sung_by"]

LOW, HIGH = -12, 0
"""Male and female register, in semitones from the line that the singer is given."""


@dataclass(frozen=True)
class Singer:
    """What tells a singer from others."""

    register: int
    """Semitones from the line, -12 for a male voice."""
    formants: float
    """How much higher the formants are than those of the voice that all are made of."""
    presence_db: float
    """How loud it is from 2 to 4 kHz, against the whole."""
    bright_db: float
    """How loud it is from 4 to 8 kHz, against the whole: the voice that all are made of is dull."""
    breath: float
    """The share of tone that is breath above 5 kHz."""
    air_db: float
    """How loud it is above 8 kHz, against 3 to 6.5 kHz."""
    vibrato_hz: float
    vibrato_cents: float
    off_cents: float
    """How far notes are from where they should be, as a standard deviation."""

    def about(self) -> dict[str, float]:
        """The same as rounded numbers, to be written down."""
        return {name: round(value, 3) for name, value in asdict(self).items()}


def another(generator: np.random.Generator, register: int | None = None) -> Singer:
    """A singer at random, in one of the registers or in a given one: low voices have low formants."""
    low = generator.random() < 0.5 if register is None else register == LOW
    return Singer(
        register=LOW if low else HIGH,
        formants=generator.uniform(0.85, 0.95) if low else generator.uniform(0.93, 1.15),
        presence_db=generator.uniform(-22.0, -12.0),
        bright_db=generator.uniform(-29.0, -18.0),
        breath=generator.uniform(0.0, 0.4),
        air_db=generator.uniform(-20.0, -8.0),
        vibrato_hz=generator.uniform(5.0, 6.0),
        vibrato_cents=generator.uniform(10.0, 50.0),
        off_cents=generator.uniform(3.0, 12.0),
    )


def sung_by(voice: Frames, line: Sequence[Note], singer: Singer, generator: np.random.Generator) -> Frames:
    """A line as a singer sings it, each time a little differently."""
    off = generator.normal(0.0, singer.off_cents, len(line))
    f0 = in_tune(voice.f0, line, off)
    bend = vibrato(len(f0), line, singer.vibrato_hz, singer.vibrato_cents, generator.uniform(0, 2 * np.pi))
    voice = replace(voice, f0=f0 * 2 ** ((bend + 100 * singer.register) / 1200))
    voice = breathed(shaped(resized(voice, singer.formants), singer.presence_db, singer.bright_db), singer.breath)
    return aired(voice, singer.air_db)
