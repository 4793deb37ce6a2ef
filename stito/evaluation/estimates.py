"""Means with what they are worth: 95 % intervals over independent draws."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

__all__ = ["Estimate", "estimate"]

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A mean over `draws` independent draws, and its 95 % interval (NaN with a single draw)."""

    mean: float
    low: float
    high: float
    draws: int

    @property
    def margin(self) -> float:
        """Half of the interval: what is written after the plus and minus."""
        return (self.high - self.low) / 2

    def as_json(self) -> dict[str, float | int | None]:
        """The estimate without NaN, which JSON has not."""
        numbers = {"mean": self.mean, "low": self.low, "high": self.high}
        return {
            **{name: value if math.isfinite(value) else None for name, value in numbers.items()},
            "draws": self.draws,
        }


def estimate(values: Iterable[float]) -> Estimate:
    """The mean of one value per draw, with Student's t interval: with four draws it is wide, and rightly so."""
    from scipy import stats

    found = np.array(list(values), dtype=np.float64)
    count, mean = len(found), float(found.mean()) if len(found) else math.nan
    if count < 2:
        return Estimate(mean, math.nan, math.nan, count)
    reach = float(stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1) * found.std(ddof=1) / math.sqrt(count))
    return Estimate(mean, mean - reach, mean + reach, count)
