"""What an evaluation on degraded mixes found: AUC and rank correlations, with intervals over songs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stito.evaluation.degradations.cases import GOOD, Plan
from stito.evaluation.statistics import Estimate, bootstrap
from stito.evaluation.table import Table, figure

__all__ = ["ALL", "Judged", "Outcome", "area_under_curve", "rank_correlation"]

ALL = "all"
"""The mean over faults."""

Values = NDArray[np.float64]
Picks = NDArray[np.intp]
"""Numbers of songs."""


@dataclass(frozen=True)
class Judged:
    """A mix, by song, place, fault and severity, and the severity that the head of each encoder predicts."""

    song: str
    place: int
    fault: str
    severity: float
    predicted: Mapping[str, float]


@dataclass(frozen=True)
class Outcome:
    """All mixes that were tried, with what they were tried on in a sentence, and the digests of the encoders."""

    encoders: Mapping[str, str]
    data: str
    plan: Plan
    judged: Sequence[Judged]

    @property
    def faults(self) -> list[str]:
        """The faults that were tried."""
        return sorted({each.fault for each in self.judged} - {GOOD})

    @cached_property
    def songs(self) -> list[str]:
        """The songs that were tried."""
        return sorted({each.song for each in self.judged})

    @cached_property
    def detection(self) -> dict[tuple[str, float, str], Estimate]:
        """AUC of degraded against good mixes, by encoder, severity and fault; `ALL` is the mean over faults."""
        return {
            (encoder, severity, fault): self._estimate(partial(self._separated, encoder, severity), fault)
            for encoder in self.encoders
            for severity in self.plan.severities
            for fault in (ALL, *self.faults)
        }

    @cached_property
    def correlation(self) -> dict[tuple[str, str], Estimate]:
        """Spearman's correlation of severity, 0 included, and prediction over all songs, by encoder and fault."""
        return {
            (encoder, fault): self._estimate(partial(self._correlated, encoder), fault)
            for encoder in self.encoders
            for fault in (ALL, *self.faults)
        }

    def auc(self, encoder: str, severity: float, fault: str) -> float:
        """The AUC alone, without an interval, which takes seconds."""
        return self._mean(partial(self._separated, encoder, severity), fault, np.arange(len(self.songs)))

    def rank(self, encoder: str, fault: str) -> float:
        """The rank correlation alone."""
        return self._mean(partial(self._correlated, encoder), fault, np.arange(len(self.songs)))

    def _mean(self, statistic: Callable[[str, Picks], float], fault: str, picks: Picks) -> float:
        """A statistic of a fault, or its mean over all faults, on a choice of songs."""
        return float(np.mean([statistic(of, picks) for of in (self.faults if fault == ALL else [fault])]))

    def _estimate(self, statistic: Callable[[str, Picks], float], fault: str) -> Estimate:
        """A statistic of a fault on all songs, and its interval when songs are drawn anew."""
        mean, numbers = partial(self._mean, statistic, fault), np.arange(len(self.songs))
        low, high = bootstrap(
            numbers.astype(np.float64), lambda drawn: np.array([mean(row.astype(np.intp)) for row in drawn])
        )
        return Estimate(mean(numbers), low, high, len(numbers))

    def _separated(self, encoder: str, severity: float, fault: str, picks: Picks) -> float:
        return area_under_curve(self._of(encoder, GOOD, 0.0, picks), self._of(encoder, fault, severity, picks))

    def _correlated(self, encoder: str, fault: str, picks: Picks) -> float:
        levels = [(GOOD, 0.0), *((fault, severity) for severity in self.plan.severities)]
        groups = [self._of(encoder, *level, picks) for level in levels]
        truth = [np.full(len(of), severity) for of, (_, severity) in zip(groups, levels, strict=True)]
        return rank_correlation(np.concatenate(truth), np.concatenate(groups))

    def _of(self, encoder: str, fault: str, severity: float, picks: Picks) -> Values:
        """The predictions for the mixes of some songs."""
        by_song = self._by_song[encoder, fault, severity]
        return np.concatenate([by_song[pick] for pick in picks])

    @cached_property
    def _by_song(self) -> dict[tuple[str, str, float], list[Values]]:
        found: dict[tuple[str, str, float], list[list[float]]] = {}
        for each in self.judged:
            for encoder, predicted in each.predicted.items():
                by_song = found.setdefault((encoder, each.fault, each.severity), [[] for _ in self.songs])
                by_song[self.songs.index(each.song)].append(predicted)
        return {key: [np.array(of) for of in by_song] for key, by_song in found.items()}

    def tables(self) -> list[Table]:
        """A table of AUC for each severity, by fault and encoder, and one of correlations."""
        heads, songs = ("fault", *self.encoders), f"Intervals of 95 % over {len(self.songs)} songs."
        means = f"How often a degraded mix gets a higher predicted severity than a good one; .5 is guessing. {songs}"
        found = []
        for severity in self.plan.severities:
            rows = tuple(
                (fault, *(_cell(self.detection[encoder, severity, fault]) for encoder in self.encoders))
                for fault in (ALL, *self.faults)
            )
            found.append(Table(f"Detection at severity {severity:g} (AUC)", heads, rows, means))
        rows = tuple(
            (fault, *(_cell(self.correlation[encoder, fault]) for encoder in self.encoders))
            for fault in (ALL, *self.faults)
        )
        note = f"Spearman's correlation over all songs together, good mixes included as severity 0. {songs}"
        return [*found, Table("Rank correlation with severity", heads, rows, note)]

    def as_json(self) -> dict[str, Any]:
        """What `result.json` holds."""
        kinds = (ALL, *self.faults)
        return {
            "format": "stito.degradations",
            "version": 1,
            "data": self.data,
            "plan": asdict(self.plan),
            "encoders": {
                encoder: {
                    "digest": digest,
                    "auc": {
                        f"{severity:g}": {fault: self.detection[encoder, severity, fault].as_json() for fault in kinds}
                        for severity in self.plan.severities
                    },
                    "correlation": {fault: self.correlation[encoder, fault].as_json() for fault in kinds},
                }
                for encoder, digest in self.encoders.items()
            },
            "mixes": [asdict(each) for each in self.judged],
        }


def area_under_curve(good: Values, bad: Values) -> float:
    """How often a value of `bad` is above one of `good`; ties count half. NaN where either is empty."""
    if not len(good) or not len(bad):
        return math.nan
    ordered = np.sort(good)
    below, upto = np.searchsorted(ordered, bad, "left"), np.searchsorted(ordered, bad, "right")
    return float((below + upto).mean() / (2 * len(good)))


def rank_correlation(truth: Values, values: Values) -> float:
    """Spearman's correlation; 0 where one of both is constant."""
    from scipy import stats

    if np.ptp(truth) == 0 or np.ptp(values) == 0:
        return 0.0
    ours, theirs = (stats.rankdata(each) for each in (truth, values))
    return float(np.corrcoef(ours, theirs)[0, 1])


def _cell(value: Estimate) -> str:
    """A mean with its interval."""
    return f"{figure(value.mean, digits=2)} [{figure(value.low, digits=2)}, {figure(value.high, digits=2)}]"
