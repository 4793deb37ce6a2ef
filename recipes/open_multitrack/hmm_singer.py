"""Sinsy, an HMM singer: a score to the voice of NIT SONG070 F001 (CC BY 3.0, Nagoya Institute of Technology).

Its pitch is drawn to the middle of its range, and it whispers below C#4. So it is given keys that it can sing, and its
pitch is set afterwards (`intonation.py`).
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
import pysinsy
import torch
from arrange import Note
from bursts import calmer, loud_notes
from frames import Array
from musicxml import musicxml
from pysinsy.sinsy import Sinsy

from stito.audio import resample

__all__ = ["CREDIT", "SingingError", "sung"]

CREDIT = "NIT SONG070 F001, Nagoya Institute of Technology, CC BY 3.0; sung by Sinsy"
LOWEST, HIGHEST = 64, 75
TRIES = 6
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
    singer = Sinsy()
    singer.setLanguages("j", pysinsy.get_default_dic_dir())
    singer.loadVoices(pysinsy.get_default_htsvoice())
    return singer
