"""Where an HMM singer's filters went unstable: notes that are thousands of times too loud, or no numbers at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from arrange import Note
from frames import Array

__all__ = ["calmer", "loud_notes"]

LOUDEST = 2.0
"""Singing peaks at about .4 of full scale."""
BEFORE_S = 0.1
"""A consonant begins before its note."""
CALM = "らあな"
"""What is sung instead, first things first."""


def loud_notes(x: Array, line: Sequence[Note], sample_rate: int) -> list[int]:
    """The numbers of the notes that burst in audio (t,), up to where it is no numbers any more."""
    lost = np.nonzero(~np.isfinite(x))[0]
    end = int(lost[0]) + 1 if len(lost) else len(x)
    burst = ~(np.abs(x[:end]) <= LOUDEST)
    spans = (
        slice(max(0, round((note.start - BEFORE_S) * sample_rate)), round(note.end * sample_rate)) for note in line
    )
    found = [at for at, span in enumerate(spans) if burst[span].any()]
    return found or ([0] if burst.any() and line else [])


def calmer(words: Sequence[str], at: Sequence[int]) -> list[str]:
    """The words with others at these places, that are sung without a burst more often."""
    return [CALM[(CALM.find(word) + 1) % len(CALM)] if number in at else word for number, word in enumerate(words)]
