"""WORLD, a vocoder: a voice taken apart into frames, and put together again."""

from __future__ import annotations

import numpy as np
import pyworld
from frames import FRAME_S, Array, Frames

__all__ = ["analysed", "synthesised"]

LOWEST_HZ, HIGHEST_HZ = 130.0, 900.0


def analysed(x: Array, sample_rate: int) -> Frames:
    """The frames of a voice (t,)."""
    x = np.ascontiguousarray(x, np.float64)
    pitch, times = pyworld.dio(x, sample_rate, f0_floor=LOWEST_HZ, f0_ceil=HIGHEST_HZ, frame_period=1000 * FRAME_S)
    f0 = pyworld.stonemask(x, pitch, times, sample_rate)
    envelope = pyworld.cheaptrick(x, f0, times, sample_rate)
    return Frames(f0, envelope, pyworld.d4c(x, f0, times, sample_rate), sample_rate)


def synthesised(voice: Frames) -> Array:
    """The voice of these frames, (t,), as long as they are."""
    arrays = (np.ascontiguousarray(one, np.float64) for one in (voice.f0, voice.envelope, voice.aperiodicity))
    return np.asarray(pyworld.synthesize(*arrays, voice.sample_rate, 1000 * FRAME_S))
