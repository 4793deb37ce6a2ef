"""Means with what they are worth: 95 % intervals over independent draws, and the odds that two of them differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stito import streams
from stito.streams import Purpose

__all__ = ["Estimate", "Paired", "bootstrap", "estimate", "paired", "share"]

CONFIDENCE = 0.95
DRAWS = 2000
ALIKE = 1e-9
"""Differences that differ by no more than this part of them are one and the same."""


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


def share(hits: int, count: int) -> Estimate:
    """How often something happened, with Wilson's score interval, which is right for all and for none of them too."""
    from scipy import stats

    if not count:
        return Estimate(math.nan, math.nan, math.nan, 0)
    low, high = stats.binomtest(hits, count).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(hits / count, float(low), float(high), count)


Values = NDArray[np.float64]
Statistic = Callable[[Values], Values]
"""Of values (draws, n) what each draw comes to, (draws,)."""


def bootstrap(values: Values, statistic: Statistic = lambda drawn: drawn.mean(1)) -> tuple[float, float]:
    """The 95 % interval of a statistic of independent values (n,) or rows (n, k), by drawing them anew.

    Expanded percentiles (Hesterberg, "What teachers should know about the bootstrap", 2015): with few values plain ones
    are too narrow, by what Student's t is wider than the normal distribution, and by a divisor of n instead of n - 1.
    Of five normal values they still hold the mean only in 90 %. The same draws for the same n, so that intervals of
    several methods are over the same cases.
    """
    from scipy import stats

    count = len(values)
    reach = math.sqrt(count / (count - 1)) * stats.t.ppf(0.5 + CONFIDENCE / 2, count - 1) if count > 1 else 0.0
    share = float(stats.norm.cdf(reach))
    picks = streams.generator(0, Purpose.BOOTSTRAP).integers(count, size=(DRAWS, count))
    low, high = np.percentile(statistic(values[picks]), [100 * (1 - share), 100 * share])
    return float(low), float(high)


@dataclass(frozen=True)
class Paired:
    """A mean difference with its 95 % bootstrap interval.

    `p` is that of the Wilcoxon signed-rank test and `t_p` that of the paired t-test, both multiplied by the number of
    tests (Bonferroni).
    """

    cases: int
    difference: float
    low: float
    high: float
    p: float
    t_p: float


def paired(ours: Values, theirs: Values, *, tests: int) -> Paired:
    """Two methods on the same cases, ours minus theirs, each (n,), as one of so many tests."""
    from scipy import stats

    apart = ours - theirs
    low, high = bootstrap(apart)
    p = float(stats.wilcoxon(apart).pvalue) if apart.any() else 1.0
    alike = bool(np.ptp(apart) <= ALIKE * np.abs(apart).max())
    t_p = float(not apart.any()) if alike else float(stats.ttest_1samp(apart, 0.0).pvalue)
    return Paired(len(apart), float(apart.mean()), low, high, min(1.0, p * tests), min(1.0, t_p * tests))
