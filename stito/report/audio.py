"""Excerpts as text: compressed audio that a page can carry inside itself and every browser can decode."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stito.audio.compressed import lossless
from stito.report.data import Array, Clip

__all__ = ["Excerpt", "encode", "level_gains_db", "player"]


@dataclass(frozen=True)
class Excerpt:
    """Encoded audio: its MIME type and its bytes in base64."""

    mime: str
    text: str


def encode(samples: Array, sample_rate: int) -> Excerpt:
    """Compress audio (channels, t) to FLAC: what is compared is not to differ by its coding."""
    return Excerpt("audio/flac", base64.b64encode(lossless(samples, sample_rate)).decode("ascii"))


def player(clip: Clip) -> str:
    """An HTML player of a clip that carries its audio inside."""
    excerpt = encode(clip.samples, clip.sample_rate)
    return f'<audio controls preload="none" src="data:{excerpt.mime};base64,{excerpt.text}"></audio>'


def level_gains_db(clips: Sequence[Clip]) -> list[float]:
    """The gain of each clip, never above 0 dB, at which all are as loud as the quietest; silence is left alone."""
    loudnesses = [clip.lufs for clip in clips if np.isfinite(clip.lufs)]
    return [min(loudnesses) - clip.lufs if np.isfinite(clip.lufs) else 0.0 for clip in clips]
