"""A melody as it is sung: by one singer, by one twice over, or by two an octave apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from arrange import Note
from frames import analysed, synthesised
from hmm_singer import CREDIT, sung
from singers import HIGH, LOW, Singer, another, sung_by
from syllables import syllables
from torch import Tensor

__all__ = ["read", "sing", "written"]

CASTS = {"one": 0.6, "one, doubled": 0.2, "two": 0.2}
"""How many sing, and how often."""
APART_S = 0.025
"""How far a second voice is from the first in time, at most."""
WIDTH = (0.2, 0.9)
"""How far to the sides two takes of one singer are."""
SECOND_DB = (-9.0, -3.0)
"""How loud a second singer is."""


def sing(
    line: Sequence[Note], seconds: float, sample_rate: int, generator: np.random.Generator
) -> tuple[Tensor, dict[str, object]]:
    """A line sung, (2, t), and what is to be known of it.

    The first voice begins each note when the line does; a second one is up to 25 ms away. Raises
    `SingingError` where the singer cannot.
    """
    manner, words = syllables(line, generator)
    cast = str(generator.choice(list(CASTS), p=list(CASTS.values())))
    first = another(generator)
    second = first if cast == "one, doubled" else another(generator, HIGH if first.register == LOW else LOW)
    x, words = sung(line, words, seconds, sample_rate)
    voice = analysed(x, sample_rate)
    length = round(seconds * sample_rate)

    def take(singer: Singer, late_s: float = 0.0) -> Tensor:
        x = synthesised(sung_by(voice, line, singer, generator))
        late = round(late_s * sample_rate)
        x = np.pad(x, (max(0, late), length))[max(0, -late) :][:length]
        return torch.from_numpy(x / max(1e-9, np.sqrt(np.mean(x**2)))).float()

    takes = [take(first)]
    if cast != "one":
        takes.append(take(second, generator.uniform(-APART_S, APART_S)))
    width, second_db = generator.uniform(*WIDTH), generator.uniform(*SECOND_DB)
    about: dict[str, object] = {"sung": CREDIT, "manner": manner, "cast": cast}
    about["notes"] = [written(note, word) for note, word in zip(line, words, strict=True)]
    about["singers"] = [one.about() for one in ((first, second) if cast == "two" else (first,))]
    return _placed(takes, cast, width, second_db), about


def written(note: Note, word: str) -> str:
    """A note as text: from and to, in seconds, its key and its syllable."""
    return f"{note.start:.3f} {note.end:.3f} {note.key} {word}"


def read(text: str) -> tuple[Note, str]:
    """The same as a note again."""
    start, end, key, word = text.split()
    return Note(float(start), float(end), int(key)), word


def _placed(takes: Sequence[Tensor], cast: str, width: float, second_db: float) -> Tensor:
    """Takes (t,) as a stem (2, t): doubles to the sides, others in the middle."""
    if cast == "one, doubled":
        near, far = (1 + width) / 2, (1 - width) / 2
        return torch.stack([near * takes[0] + far * takes[1], far * takes[0] + near * takes[1]])
    x = takes[0] if cast == "one" else takes[0] + 10 ** (second_db / 20) * takes[1]
    return torch.stack([x, x])
