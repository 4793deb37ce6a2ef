"""Faults of dynamics: squashed flat, or pumped up. Thresholds follow the level of the stem."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from stito.data.degradation.fault import Fault
from stito.effects.param import Settings

__all__ = ["COMPRESSION", "EXPANSION"]

WINDOW_S = 0.05
SILENT_DB = -50.0
"""Windows further than this below the loudest are pauses."""
FLOOR = 1e-5


def _usual_peak_db(x: Tensor, sample_rate: int, share: float) -> float:
    """The level below which so large a share of the peaks of short windows lies, pauses left out, in dBFS."""
    size = min(round(WINDOW_S * sample_rate), x.shape[-1])
    peaks = 20 * torch.log10(x.unfold(-1, size, size).abs().amax(dim=(0, 2)).clamp_min(FLOOR))
    return float(peaks[peaks >= peaks.amax() + SILENT_DB].quantile(share))


def _compression(x: Tensor, sample_rate: int, generator: np.random.Generator) -> Settings:
    threshold = _usual_peak_db(x, sample_rate, 0.5) - generator.uniform(12.0, 18.0)
    return {
        "threshold_db": min(max(threshold, -60.0), 0.0),
        "ratio": 12.0,
        "attack_ms": float(generator.uniform(0.5, 1.5)),
        "release_ms": float(generator.uniform(40.0, 150.0)),
    }


def _expansion(x: Tensor, sample_rate: int, generator: np.random.Generator) -> Settings:
    threshold = _usual_peak_db(x, sample_rate, 0.9)
    return {
        "threshold_db": min(max(threshold, -80.0), -10.0),
        "ratio": 3.0,
        "attack_ms": float(generator.uniform(1.0, 10.0)),
        "release_ms": float(generator.uniform(50.0, 200.0)),
    }


COMPRESSION = Fault(
    "compression",
    "squashed: no punch, no difference between loud and soft",
    "compressor",
    _compression,
    moves=("ratio+",),
)
EXPANSION = Fault(
    "expansion",
    "pumped up: loud notes leap out, soft ones and tails are gone",
    "expander",
    _expansion,
    moves=("ratio+",),
)
