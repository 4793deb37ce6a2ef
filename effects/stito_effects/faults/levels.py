"""Faults of balance: a stem too loud or too quiet."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from stito.data.degradation.fault import Fault
from stito.effects.param import Settings

__all__ = ["GAIN"]

MOST_DB = 9.0


def _gain(x: Tensor, sample_rate: int, generator: np.random.Generator) -> Settings:
    del x, sample_rate
    return {"gain_db": float(generator.choice((-1, 1))) * MOST_DB}


GAIN = Fault(
    "gain",
    "too loud or too quiet against the others, up to 9 dB",
    "gain",
    _gain,
    keeps_level=False,
    moves=("gain_db+", "gain_db-"),
)
