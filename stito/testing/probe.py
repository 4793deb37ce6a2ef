"""The sound that plug-ins are tried on, and the error for those that break a rule."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stito.errors import PluginError

__all__ = ["ROWS", "ContractError", "probe"]

ROWS = 1e-5
"""The largest deviation, relative to the peak, of a row of a batch from that row alone."""


class ContractError(PluginError, AssertionError):
    """A plug-in breaks a rule of its contract."""


def probe(sample_rate: int, seconds: float = 0.8, dtype: torch.dtype = torch.float32) -> Tensor:
    """A test signal (1, 2, t) on which every knob is audible: hits, chords and noise, loud and soft, in stereo."""
    t = torch.arange(round(seconds * sample_rate), dtype=torch.float64) / sample_rate
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2, len(t), generator=generator, dtype=torch.float64)
    hits = torch.exp(-((t % 0.2) / 0.02))
    swell = 0.1 + 0.9 * torch.sin(math.pi * t / seconds).square()
    bass = torch.sin(2 * math.pi * 55 * t) + 0.5 * torch.sin(2 * math.pi * 110 * t)
    chord = sum((torch.sin(2 * math.pi * hz * t) / k for k, hz in enumerate((220, 277, 1330, 5000), 1)), start=0 * t)
    left = 0.25 * bass + 0.30 * swell * chord + hits * noise[0] + 0.02 * noise[0]
    right = 0.25 * bass + 0.15 * swell * chord + 0.4 * hits * noise[0] + 0.2 * swell * noise[1]
    stereo = torch.stack([left, right])
    return (0.7 * stereo / stereo.abs().max())[None].to(dtype)
