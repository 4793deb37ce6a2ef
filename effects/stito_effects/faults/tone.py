"""Faults of tone: resonances, shelves, tilts, missing lows and highs. The level is kept, so that only tone changes."""

from __future__ import annotations

import math

import numpy as np
from torch import Tensor

from stito.data.degradation.fault import Fault
from stito.effects.param import Settings

__all__ = ["BANDWIDTH", "PEAK", "SHELF", "TILT"]

PEAK_DB = 15.0
PEAKS = {"low": (100.0, 400.0), "low_mid": (400.0, 1200.0), "high_mid": (1200.0, 4000.0), "high": (4000.0, 8000.0)}
"""Where a resonance may be, in Hz, by the band of the equaliser that makes it."""
SHELF_DB, SHELF_Q = 15.0, 0.7
TILT_DB, TILT_Q, TILT_HZ = 10.0, 0.3, {"low_shelf_hz": 400.0, "high_shelf_hz": 2500.0}
BAND_DB, BAND_Q = 24.0, 1.0
LOWEST_HZ, HIGHEST_HZ = (200.0, 450.0), (2500.0, 5000.0)


def _log_uniform(generator: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(generator.uniform(math.log(low), math.log(high))))


def _sign(generator: np.random.Generator) -> float:
    return float(generator.choice((-1, 1)))


def _peak(x: Tensor, sample_rate: int, generator: np.random.Generator) -> Settings:
    del x, sample_rate
    band = str(generator.choice(sorted(PEAKS)))
    return {
        f"{band}_gain_db": _sign(generator) * PEAK_DB,
        f"{band}_hz": _log_uniform(generator, *PEAKS[band]),
        f"{band}_q": float(generator.uniform(0.8, 2.5)),
    }


def _shelf(x: Tensor, sample_rate: int, generator: np.random.Generator) -> Settings:
    del x, sample_rate
    if generator.random() < 0.5:
        band, hz = "low_shelf", _log_uniform(generator, 120.0, 350.0)
    else:
        band, hz = "high_shelf", _log_uniform(generator, 3000.0, 8000.0)
    return {f"{band}_gain_db": _sign(generator) * SHELF_DB, f"{band}_hz": hz, f"{band}_q": SHELF_Q}


def _tilt(x: Tensor, sample_rate: int, generator: np.random.Generator) -> Settings:
    del x, sample_rate
    brighter = _sign(generator) * TILT_DB
    gains = {"low_shelf_gain_db": -brighter, "high_shelf_gain_db": brighter}
    return {**gains, **TILT_HZ, "low_shelf_q": TILT_Q, "high_shelf_q": TILT_Q}


def _bandwidth(x: Tensor, sample_rate: int, generator: np.random.Generator) -> Settings:
    del x, sample_rate
    which = generator.integers(3)
    settings: Settings = {}
    if which != 0:
        hz = _log_uniform(generator, *LOWEST_HZ)
        settings |= {"low_shelf_gain_db": -BAND_DB, "low_shelf_hz": hz, "low_shelf_q": BAND_Q}
    if which != 1:
        hz = _log_uniform(generator, *HIGHEST_HZ)
        settings |= {"high_shelf_gain_db": -BAND_DB, "high_shelf_hz": hz, "high_shelf_q": BAND_Q}
    return settings


def _either_way(*bands: str) -> tuple[str, ...]:
    return tuple(f"{band}_gain_db{sign}" for band in bands for sign in "+-")


SHELVES = ("low_shelf", "high_shelf")

PEAK = Fault(
    "peak", "a resonance or a hole in the tone, up to 15 dB", "parametric_eq", _peak, moves=_either_way(*PEAKS)
)
SHELF = Fault(
    "shelf", "too much or too little bass or treble, up to 15 dB", "parametric_eq", _shelf, moves=_either_way(*SHELVES)
)
TILT = Fault(
    "tilt",
    "too bright or too dull throughout, up to 10 dB at either end",
    "parametric_eq",
    _tilt,
    moves=_either_way(*SHELVES),
)
BANDWIDTH = Fault(
    "bandwidth",
    "lows, highs or both are missing, by up to 24 dB",
    "parametric_eq",
    _bandwidth,
    moves=tuple(f"{band}_gain_db-" for band in SHELVES),
)
