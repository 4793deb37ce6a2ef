"""Faults of the stereo image: off to one side, or collapsed to mono."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from stito.data.degradation.fault import Fault
from stito.dsp.statistics import width_db
from stito.effects.param import Settings

__all__ = ["COLLAPSE", "PLACEMENT"]

NARROWEST_DB = -20.0
"""A side further below the mid than this is as good as mono already."""
FURTHEST = 0.9


def _placement(x: Tensor, sample_rate: int, generator: np.random.Generator) -> Settings:
    del x, sample_rate
    return {"pan": float(generator.choice((-1, 1))) * FURTHEST}


def _collapse(x: Tensor, sample_rate: int, generator: np.random.Generator) -> Settings:
    del x, sample_rate, generator
    return {"width": 0.0}


def _is_wide(x: Tensor, sample_rate: int) -> bool:
    del sample_rate
    return width_db(x) > NARROWEST_DB


PLACEMENT = Fault("placement", "off to the left or the right", "panner", _placement, moves=("pan+", "pan-"))
COLLAPSE = Fault(
    "collapse", "a wide stem made narrow, down to mono", "imager", _collapse, applies=_is_wide, moves=("width-",)
)
