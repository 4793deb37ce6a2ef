"""How well scores were predicted: R², Kendall's tau and Spearman's rho, with intervals over songs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stito.evaluation.statistics import Estimate, bootstrap
from stito.evaluation.table import Table, figure

__all__ = ["MEASURES", "Outcome", "Predicted"]

Values = NDArray[np.float64]
Statistic = Callable[[Values, Values], float]


def _r2(truth: Values, guess: Values) -> float:
    """1 - MSE / variance: 0 for whoever always says the mean."""
    spread = float(np.square(truth - truth.mean()).sum())
    return 1 - float(np.square(truth - guess).sum()) / spread if spread else 0.0


def _kendall(truth: Values, guess: Values) -> float:
    from scipy import stats

    return _or_zero(float(stats.kendalltau(truth, guess).statistic))


def _spearman(truth: Values, guess: Values) -> float:
    from scipy import stats

    return _or_zero(float(stats.spearmanr(truth, guess).statistic)) if np.ptp(truth) and np.ptp(guess) else 0.0


def _or_zero(value: float) -> float:
    return value if value == value else 0.0


MEASURES: Mapping[str, Statistic] = {"R²": _r2, "Kendall's τ": _kendall, "Spearman's ρ": _spearman}
DRAWS = 400
"""Choices of songs of which Kendall's correlation, which is slow, is taken."""


@dataclass(frozen=True)
class Predicted:
    """One mix: where it lies, its song, its score, and the score that heads predict which have not seen its song."""

    path: str
    song: str
    score: float
    predicted: Mapping[str, float]


@dataclass(frozen=True)
class Outcome:
    """All predictions of the heads of each encoder; `score` is the name of what is predicted."""

    encoders: Mapping[str, str]
    score: str
    data: str
    folds: int
    mixes: Sequence[Predicted]

    @cached_property
    def estimates(self) -> dict[tuple[str, str], Estimate]:
        """By encoder and measure; intervals by drawing songs anew."""
        songs = sorted({each.song for each in self.mixes})
        places = [np.array([i for i, each in enumerate(self.mixes) if each.song == song]) for song in songs]
        truth = np.array([each.score for each in self.mixes])
        found = {}
        for encoder in self.encoders:
            guess = np.array([each.predicted[encoder] for each in self.mixes])
            for name, statistic in MEASURES.items():

                def of(drawn: Values, statistic: Statistic = statistic, guess: Values = guess) -> Values:
                    picks = [np.concatenate([places[int(song)] for song in row]) for row in drawn[:DRAWS]]
                    return np.array([statistic(truth[pick], guess[pick]) for pick in picks])

                low, high = bootstrap(np.arange(len(songs), dtype=np.float64), of)
                found[encoder, name] = Estimate(statistic(truth, guess), low, high, len(songs))
        return found

    def table(self) -> Table:
        """One row for each encoder."""
        rows = tuple(
            (encoder, *(_cell(self.estimates[encoder, name]) for name in MEASURES)) for encoder in self.encoders
        )
        songs = len({each.song for each in self.mixes})
        note = (
            f"Predicted {self.score} of {len(self.mixes)} mixes, each by a head that was fitted to other songs, in "
            f"{self.folds} folds. Intervals of 95 % over {songs} songs. Whoever says the mean has an R² of 0."
        )
        return Table(f"Prediction of the {self.score}", ("encoder", *MEASURES), rows, note)

    def as_json(self) -> dict[str, Any]:
        """What `result.json` holds."""
        return {
            "format": "stito.quality",
            "version": 1,
            "score": self.score,
            "data": self.data,
            "folds": self.folds,
            "encoders": {
                encoder: {"digest": digest, **{name: self.estimates[encoder, name].as_json() for name in MEASURES}}
                for encoder, digest in self.encoders.items()
            },
            "mixes": [asdict(each) for each in self.mixes],
        }


def _cell(value: Estimate) -> str:
    return f"{figure(value.mean, digits=2)} [{figure(value.low, digits=2)}, {figure(value.high, digits=2)}]"
