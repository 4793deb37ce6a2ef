"""Faults of space: drowned in a room."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from stito.data.degradation.fault import Fault
from stito.effects.param import Settings

__all__ = ["REVERB"]

WETTEST = 0.75


def _reverb(x: Tensor, sample_rate: int, generator: np.random.Generator) -> Settings:
    del x, sample_rate
    decay = float(generator.uniform(1.2, 3.0))
    return {
        "decay_low_s": decay,
        "decay_mid_s": decay,
        "decay_high_s": 0.6 * decay,
        "pre_delay_ms": float(generator.uniform(0.0, 40.0)),
        "low_cut_hz": float(generator.uniform(30.0, 150.0)),
        "mix": WETTEST,
    }


REVERB = Fault("reverb", "far away in a large wide room", "reverb", _reverb, moves=("mix+",))
