"""Something to sing: syllables of Japanese, one for each note.

They mean nothing. What is wanted of them is the vowels and consonants of a voice, frequent ones more often; how often
is a setting.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from arrange import Note

__all__ = ["KANA", "syllables"]

VOWELS = {"a": 23.0, "i": 21.0, "u": 23.0, "e": 12.0, "o": 21.0}
"""How often each vowel is sung, in percent."""
CONSONANTS = {
    "": (10.0, "あいうえお"),
    "k": (17.0, "かきくけこ"),
    "s": (11.0, "さしすせそ"),
    "t": (15.0, "たちつてと"),
    "n": (14.0, "なにぬねの"),
    "h": (4.0, "はひふへほ"),
    "m": (8.0, "まみむめも"),
    "r": (11.0, "らりるれろ"),
    "g": (3.0, "がぎぐげご"),
    "d": (4.0, "だぢづでど"),
    "b": (2.0, "ばびぶべぼ"),
    "y": (3.0, "やいゆえよ"),
    "w": (2.0, "わいうえを"),
}
"""How often each consonant begins a syllable, in percent, and its kana with the five vowels."""
KANA = frozenset("".join(kana for _, kana in CONSONANTS.values()))
LONG_S = 0.8
"""Longer notes are held on an open vowel."""
OPEN = "aeo"
MANNERS = {"words": 0.75, "la la": 0.15, "vowels": 0.10}
"""How a song is sung."""


def syllables(line: Sequence[Note], generator: np.random.Generator) -> tuple[str, list[str]]:
    """How a line is sung, and a kana for each of its notes."""
    manner = str(generator.choice(list(MANNERS), p=list(MANNERS.values())))
    consonants = {"words": list(CONSONANTS), "la la": [str(generator.choice(["r", "n", "d"]))], "vowels": [""]}[manner]
    return manner, [_kana(note, consonants, generator) for note in line]


def _kana(note: Note, consonants: Sequence[str], generator: np.random.Generator) -> str:
    """A kana that begins with one of these consonants."""
    vowels = [vowel for vowel in VOWELS if vowel in OPEN or note.end - note.start < LONG_S]
    consonant = _weighted({one: CONSONANTS[one][0] for one in consonants}, generator)
    vowel = _weighted({one: VOWELS[one] for one in vowels}, generator)
    return CONSONANTS[consonant][1][list(VOWELS).index(vowel)]


def _weighted(weights: dict[str, float], generator: np.random.Generator) -> str:
    shares = np.array(list(weights.values()))
    return str(generator.choice(list(weights), p=shares / shares.sum()))
