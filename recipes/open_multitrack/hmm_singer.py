"""Sinsy, an HMM singer: a score to the voice of NIT SONG070 F001 (CC BY 3.0, Nagoya Institute of Technology).

Its pitch is drawn to the middle of its range, and it whispers below C#4. So it is given keys that it can sing, and its
pitch is set afterwards (`intonation.py`). Its filters become unstable now and then: notes are then far too loud,
or no numbers at all, and are sung again on other syllables.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from arrange import Note
from frames import Array
from musicxml import musicxml

from stito.audio import resample

__all__ = ["CREDIT", "SingingError", "calmer", "loud_notes", "sung"]

CREDIT = "NIT SONG070 F001, Nagoya Institute of Technology, CC BY 3.0; sung by Sinsy"
LOWEST, HIGHEST = 64, 75
TRIES = 6
LOUDEST = 2.0
"""Of full scale: what is louder has burst."""
CONSONANT_S = 0.1
"""How long before its note a consonant may begin."""
CALM = "らあな"
"""What is sung instead, first things first."""
_one_at_a_time = Lock()


class SingingError(RuntimeError):
    """The singer's filters are unstable on a line, whatever its words."""


def sung(line: Sequence[Note], words: Sequence[str], seconds: float, sample_rate: int) -> tuple[Array, list[str]]:
    """A line, (t,), as long as asked for, and the words that it is sung on: others where the singer's filters burst."""
    reachable = [replace(note, key=min(max(note.key, LOWEST), HIGHEST)) for note in line]
    tried = list(words)
    for _ in range(TRIES):
        x, rate = _synthesised(musicxml(reachable, tried, seconds))
        loud = loud_notes(x, line, rate)
        if not loud:
            y = resample(torch.from_numpy(x).float()[None], rate, sample_rate)[0].double().numpy()
            length = round(seconds * sample_rate)
            return np.pad(y[:length], (0, max(0, length - len(y)))), tried
        tried = calmer(tried, loud)
    raise SingingError(f"{len(loud)} of {len(line)} notes burst")


def loud_notes(x: Array, line: Sequence[Note], sample_rate: int) -> list[int]:
    """The numbers of the notes that burst in audio (t,), up to where it is no numbers any more.

    To a note belongs all from its consonant to that of the next.
    """
    lost = np.nonzero(~np.isfinite(x))[0][:1]
    burst = np.union1d(np.nonzero(np.abs(x[: lost[0]] if len(lost) else x) > LOUDEST)[0], lost)
    consonants = [round((note.start - CONSONANT_S) * sample_rate) for note in line[1:]]
    return sorted({int(at) for at in np.searchsorted(consonants, burst, side="right")})


def calmer(words: Sequence[str], at: Sequence[int]) -> list[str]:
    """The words with others at these places, that are sung without a burst more often."""
    return [CALM[(CALM.find(word) + 1) % len(CALM)] if number in at else word for number, word in enumerate(words)]


def _synthesised(score: bytes) -> tuple[Array, int]:
    """The audio (t,) of a score, at the singer's rate."""
    with _one_at_a_time, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "score.xml"
        file.write_bytes(score)
        singer = _singer()
        singer.loadScoreFromMusicXML(str(file))
        try:
            x, rate = singer.synthesize()
        finally:
            singer.clearScore()
    return x / 2**15, rate


@cache
def _singer() -> Any:
    """The singer with its voice."""
    import pysinsy  # optional
    from pysinsy.sinsy import Sinsy

    singer = Sinsy()
    singer.setLanguages("j", pysinsy.get_default_dic_dir())
    singer.loadVoices(pysinsy.get_default_htsvoice())
    return singer
