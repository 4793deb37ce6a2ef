"""Excerpts as text: compressed audio that a page can carry inside itself and every browser can decode."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import soundfile

from stito.report.data import Array, Clip

__all__ = ["Excerpt", "encode", "level_gains_db"]

MP3_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000})
MP3_COMPRESSION = 0.1
"""On libsndfile's scale from 0 (best) to 1: LAME's V1, about 225 kbit/s, where listeners hear no difference."""


@dataclass(frozen=True)
class Excerpt:
    """Encoded audio: its MIME type and its bytes in base64."""

    mime: str
    text: str


def encode(samples: Array, sample_rate: int) -> Excerpt:
    """Compress audio (channels, t) to MP3, or to FLAC where this libsndfile or the rate does not allow it."""
    frames = np.ascontiguousarray(samples.T, dtype=np.float32)
    if sample_rate in MP3_RATES and "MP3" in soundfile.available_formats():
        return Excerpt("audio/mpeg", _mp3(frames, sample_rate))
    return Excerpt("audio/flac", _flac(frames, sample_rate))


def level_gains_db(clips: Sequence[Clip]) -> list[float]:
    """The gain of each clip, never above 0 dB, at which all are as loud as the quietest; silence is left alone."""
    loudnesses = [clip.lufs for clip in clips if np.isfinite(clip.lufs)]
    return [min(loudnesses) - clip.lufs if np.isfinite(clip.lufs) else 0.0 for clip in clips]


def _mp3(frames: Array, sample_rate: int) -> str:
    buffer = io.BytesIO()
    soundfile.write(
        buffer,
        frames,
        sample_rate,
        format="MP3",
        subtype="MPEG_LAYER_III",
        bitrate_mode="VARIABLE",
        compression_level=MP3_COMPRESSION,
    )
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _flac(frames: Array, sample_rate: int) -> str:
    buffer = io.BytesIO()
    soundfile.write(buffer, frames.clip(-1.0, 1.0), sample_rate, format="FLAC", subtype="PCM_16")
    return base64.b64encode(buffer.getvalue()).decode("ascii")
