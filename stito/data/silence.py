"""Where a stem sounds: pauses teach an encoder of effects nothing, since effects are inaudible in them."""

from __future__ import annotations

import torch
from torch import Tensor

from stito.audio import is_silent

__all__ = ["faded", "sounding"]

WINDOW_S = 0.05
"""Levels are measured in windows of this length."""
DEPTH_DB = 50.0
"""What is quieter than the loud parts by more than this is silence: tails end there inaudibly."""
PAUSE_S = 0.5
"""Shorter silences are part of the music."""
LEAD_S, TAIL_S = 0.05, 0.2
"""So much silence is left before and after the sound, so that onsets and tails are whole."""
SHORTEST_S = 2.0
"""Shorter stretches are dropped: too short for an effect to be audible."""
FADE_S = 0.01


def sounding(x: Tensor, sample_rate: int) -> list[tuple[int, int]]:
    """The stretches of audio (2, t) between its pauses, as (first, last + 1) samples, each at least 2 s long.

    A pause is more than .5 s at 50 dB below the loud parts: the 95th percentile of the levels that are no silence.
    """
    if is_silent(x):
        return []
    size = round(WINDOW_S * sample_rate)
    windows = torch.nn.functional.pad(x, (0, -x.shape[-1] % size)).unfold(-1, size, size)
    level = 10 * torch.log10(windows.square().mean(dim=(0, 2)) + 1e-20)
    loud = level[level > level.max() - DEPTH_DB].quantile(0.95)
    marks = torch.nn.functional.pad((level > loud - DEPTH_DB).int(), (1, 1)).diff()
    firsts, lasts = (marks == 1).nonzero().flatten().tolist(), (marks == -1).nonzero().flatten().tolist()
    merged: list[tuple[int, int]] = []
    for first, last in zip(firsts, lasts, strict=True):
        if merged and (first - merged[-1][1]) * WINDOW_S <= PAUSE_S:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    lead, tail = round(LEAD_S * sample_rate), round(TAIL_S * sample_rate)
    places = [(max(0, first * size - lead), min(x.shape[-1], last * size + tail)) for first, last in merged]
    return [(start, end) for start, end in places if end - start >= SHORTEST_S * sample_rate]


def faded(x: Tensor, sample_rate: int) -> Tensor:
    """Audio (2, t) that begins and ends at zero, over 10 ms, so that a cut makes no click."""
    size = round(FADE_S * sample_rate)
    ramp = torch.linspace(0, 1, size, dtype=x.dtype)
    out = x.clone()
    out[:, :size] *= ramp
    out[:, -size:] *= ramp.flip(0)
    return out
