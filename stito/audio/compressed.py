"""Audio where size counts: data sets and what travels between machines (FLAC, Ogg Vorbis), pages (FLAC)."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray
from torch import Tensor

from stito.audio.model import peak_of
from stito.errors import AudioError, OutputError, SettingsError
from stito.files.atomic import replacing

__all__ = ["lossless", "write_compressed"]

_BLOCK = 1 << 16
"""Frames handed over at a time: libsndfile's Vorbis encoder needs stack in proportion, and may run out of it."""

_FORMATS = {".flac": ("FLAC", "PCM_24"), ".ogg": ("OGG", "VORBIS")}


def write_compressed(
    path: str | os.PathLike[str], samples: Tensor, sample_rate: int, *, quality: float = 0.6, overwrite: bool = False
) -> None:
    """Write samples (channels, t) as FLAC in 24 bits, or as Ogg Vorbis, by the ending of the name; whole or not at all.

    `quality` is Vorbis's, from 0 to 1: .4 is about 128 kbit/s, .6 about 192.

    Raises:
        AudioError: samples beyond full scale, not finite, or none at all.
        OutputExistsError: the file exists and may not be overwritten.
        OutputError: the folder or disk does not take it, or the name ends in neither `.flac` nor `.ogg`.
        SettingsError: a quality outside [0, 1].
    """
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise OutputError(f"{path} would be neither FLAC nor Ogg.", hint="Let its name end in .flac or .ogg.")
    if not 0 <= quality <= 1:
        raise SettingsError(f"A quality of {quality:g} is not possible.", hint="It goes from 0 to 1.")
    if samples.dim() != 2 or not samples.numel():
        raise AudioError(
            f"{path}: no audio of shape {tuple(samples.shape)} can be written.", hint="Give (channels, t)."
        )
    if not peak_of(samples) <= 1:  # NaN neither
        raise AudioError(f"{path}: the audio is not finite, or goes beyond full scale.", hint="Turn it down.")
    container, subtype = _FORMATS[path.suffix.lower()]
    audio = samples.detach().cpu().numpy().T
    level = 1 - quality if container == "OGG" else 0.5
    with (
        replacing(path, overwrite) as file,
        soundfile.SoundFile(
            file, "w", sample_rate, audio.shape[1], subtype, format=container, compression_level=level
        ) as out,
    ):
        for start in range(0, len(audio), _BLOCK):
            out.write(audio[start : start + _BLOCK])


def lossless(samples: NDArray[np.float32], sample_rate: int) -> bytes:
    """Samples (channels, t) as FLAC in 16 bits, which every browser plays; what is beyond full scale is clipped."""
    buffer = io.BytesIO()
    frames = np.ascontiguousarray(samples.T, dtype=np.float32).clip(-1.0, 1.0)
    soundfile.write(buffer, frames, sample_rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()
