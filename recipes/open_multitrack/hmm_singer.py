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
from frames import Array
from musicxml import musicxml
from pysinsy.sinsy import Sinsy

from stito.audio import resample

__all__ = ["CREDIT", "sung"]

CREDIT = "NIT SONG070 F001, Nagoya Institute of Technology, CC BY 3.0; sung by Sinsy"
LOWEST, HIGHEST = 63, 75
_one_at_a_time = Lock()


def sung(line: Sequence[Note], words: Sequence[str], seconds: float, sample_rate: int) -> Array:
    """A line on these words, (t,), as long as asked for."""
    reachable = [replace(note, key=min(max(note.key, LOWEST), HIGHEST)) for note in line]
    with _one_at_a_time, tempfile.TemporaryDirectory() as folder:
        score = Path(folder) / "score.xml"
        score.write_bytes(musicxml(reachable, words, seconds))
        singer = _singer()
        singer.loadScoreFromMusicXML(str(score))
        try:
            x, rate = singer.synthesize()
        finally:
            singer.clearScore()
    y = resample(torch.from_numpy(x / 2**15).float()[None], rate, sample_rate)[0].double().numpy()
    length = round(seconds * sample_rate)
    return np.pad(y[:length], (0, max(0, length - len(y))))


@cache
def _singer() -> Any:
    """The singer with its voice."""
    singer = Sinsy()
    singer.setLanguages("j", pysinsy.get_default_dic_dir())
    singer.loadVoices(pysinsy.get_default_htsvoice())
    return singer
