"""What ratings come to: who is left out and why, medians, differences between conditions, and whether metrics agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from stito.errors import SettingsError
from stito.evaluation.listening.responses import Key, Rating
from stito.evaluation.listening.trials import HIDDEN
from stito.evaluation.measures import measures
from stito.evaluation.statistics import Paired, bootstrap, paired

__all__ = ["Agreement", "Analysis", "Listener", "Score", "analyse"]

MID_ANCHOR = "anchor70"
GOOD, SHARE = 90.0, 0.15
EASY = 0.25
"""Where this share of listeners rates the mid anchor above 90, the item is to blame and not they."""


@dataclass(frozen=True)
class Listener:
    """A listener, on how many trials, and why their ratings do not count, if so."""

    name: str
    trials: int
    hidden_missed: float
    anchor_missed: float
    excluded: str = ""


@dataclass(frozen=True)
class Score:
    """The ratings of a condition: median with a 95 % bootstrap interval over listeners, quartiles and mean."""

    condition: str
    ratings: int
    median: float
    low: float
    high: float
    first_quartile: float
    third_quartile: float
    mean: float


@dataclass(frozen=True)
class Difference:
    """How two conditions differ, the first minus the second: each listener's mean over trials, over listeners.

    A listener's ratings hang together, so it is listeners that are counted.
    """

    first: str
    second: str
    found: Paired


@dataclass(frozen=True)
class Agreement:
    """How a measure ranks systems beside how listeners do.

    `rho` is Spearman's correlation with the mean rating of each trial and system, its sign turned where less is better;
    `same_order` the share of pairs within a trial that both put in the same order.
    """

    measure: str
    sounds: int
    rho: float
    pairs: int
    same_order: float


@dataclass(frozen=True)
class Analysis:
    """The whole outcome of a test."""

    listeners: Sequence[Listener]
    scores: Sequence[Score]
    differences: Sequence[Difference]
    agreement: Sequence[Agreement]
    kept: Sequence[Rating]


def analyse(ratings: Sequence[Rating], key: Key, *, keep_all: bool = False) -> Analysis:
    """Screen listeners (unless `keep_all`), then score conditions, compare them, and ask metrics.

    Left out are, as BS.1534-3 has it (sec. 4.1.2), listeners who rate the hidden reference below 90 in more than 15 %
    of their trials, or the mid anchor above 90 in more than 15 % of those in which at most a quarter of all do.

    Raises:
        SettingsError: there are no ratings, or nobody's are left.
    """
    if not ratings:
        raise SettingsError("There are no ratings.", hint="Let somebody listen first.")
    listeners = _screened(ratings)
    out = {listener.name for listener in listeners if listener.excluded} if not keep_all else set()
    kept = [rating for rating in ratings if rating.listener not in out]
    if not kept:
        raise SettingsError("No listener passed the screening.", hint="Look at all of them with --keep-all.")
    scores = _scores(kept)
    order = [score.condition for score in scores]
    return Analysis(listeners, scores, _differences(kept, order), _agreement(kept, key), kept)


def _screened(ratings: Sequence[Rating]) -> list[Listener]:
    by = {(rating.listener, rating.trial, rating.condition): rating.score for rating in ratings}
    trials = list(dict.fromkeys(rating.trial for rating in ratings))
    names = list(dict.fromkeys(rating.listener for rating in ratings))
    easy = set()
    for trial in trials:
        anchors = [by[name, trial, MID_ANCHOR] for name in names if (name, trial, MID_ANCHOR) in by]
        if anchors and sum(score > GOOD for score in anchors) / len(anchors) > EASY:
            easy.add(trial)
    return [_listener(name, trials, easy, by) for name in names]


def _listener(name: str, trials: Sequence[str], easy: set[str], by: Mapping[tuple[str, str, str], float]) -> Listener:
    hidden = [by[name, trial, HIDDEN] < GOOD for trial in trials if (name, trial, HIDDEN) in by]
    anchor = [
        by[name, trial, MID_ANCHOR] > GOOD for trial in trials if trial not in easy and (name, trial, MID_ANCHOR) in by
    ]
    missed, praised = (sum(wrong) / len(wrong) if wrong else 0.0 for wrong in (hidden, anchor))
    why = ""
    if missed > SHARE:
        why = f"rated the hidden reference below {GOOD:.0f} in {missed:.0%} of the trials"
    elif praised > SHARE:
        why = f"rated the mid anchor above {GOOD:.0f} in {praised:.0%} of the trials"
    return Listener(name, len(hidden), missed, praised, why)


def _table(ratings: Sequence[Rating]) -> dict[str, dict[tuple[str, str], float]]:
    """By condition the score of each listener and trial."""
    found: dict[str, dict[tuple[str, str], float]] = {}
    for rating in ratings:
        found.setdefault(rating.condition, {})[rating.listener, rating.trial] = rating.score
    return found


def _scores(ratings: Sequence[Rating]) -> list[Score]:
    """The best first."""
    found = []
    for condition, scores in _table(ratings).items():
        values = np.array(list(scores.values()))
        listeners, trials = (list(dict.fromkeys(names)) for names in zip(*scores, strict=True))
        every = np.array([[scores.get((who, trial), math.nan) for trial in trials] for who in listeners])
        median = float(np.median(values))
        low, high = math.nan, math.nan
        if len(listeners) > 1:
            low, high = bootstrap(every, lambda drawn: np.nanmedian(drawn, axis=(1, 2)))
        first, third = np.percentile(values, [25, 75])
        found.append(Score(condition, len(values), median, low, high, float(first), float(third), float(values.mean())))
    return sorted(found, key=lambda score: (-score.median, -score.mean))


def _differences(ratings: Sequence[Rating], order: Sequence[str]) -> list[Difference]:
    table = _table(ratings)
    together = list(combinations(order, 2))
    found = []
    for first, second in together:
        apart: dict[str, list[float]] = {}
        for who, trial in set(table[first]) & set(table[second]):
            apart.setdefault(who, []).append(table[first][who, trial] - table[second][who, trial])
        if len(apart) > 1:
            means = np.array([np.mean(apart[who]) for who in sorted(apart)])
            found.append(Difference(first, second, paired(means, np.zeros_like(means), tests=len(together))))
    return found


def _agreement(ratings: Sequence[Rating], key: Key) -> list[Agreement]:
    from scipy import stats

    scores_of: dict[tuple[str, str], list[float]] = {}
    for rating in ratings:
        scores_of.setdefault((rating.trial, rating.condition), []).append(rating.score)
    means = {place: float(np.mean(scores)) for place, scores in scores_of.items()}
    names = dict.fromkeys(name for trial in key.measures.values() for of in trial.values() for name in of)
    defined, found = measures(), []
    for measure in names:
        better = defined[measure].better if measure in defined else "less"
        if better == "neither":  # it does not rank systems
            continue
        sign = 1.0 if better == "more" else -1.0
        turned = {
            (trial, condition): sign * values[measure]
            for trial, conditions in key.measures.items()
            for condition, values in conditions.items()
            if measure in values and (trial, condition) in means
        }
        if len(turned) < 3:
            continue
        ours, theirs = list(turned.values()), [means[place] for place in turned]
        varied = len(set(ours)) > 1 and len(set(theirs)) > 1
        rho = float(stats.spearmanr(ours, theirs).statistic) if varied else math.nan
        pairs = [
            (turned[a] - turned[b]) * (means[a] - means[b])
            for a, b in combinations(turned, 2)
            if a[0] == b[0] and turned[a] != turned[b] and means[a] != means[b]
        ]
        same = sum(product > 0 for product in pairs) / len(pairs) if pairs else math.nan
        found.append(Agreement(measure, len(turned), rho, len(pairs), same))
    return sorted(found, key=lambda of: -of.rho if math.isfinite(of.rho) else math.inf)
