"""The summary of rows: means with intervals, paired tests between methods, anytime curves, evaluations to target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from stito.evaluation.statistics import Paired, bootstrap, paired
from stito.evaluation.transfers.rows import Row

__all__ = [
    "MAIN",
    "EvaluationsToTarget",
    "Pair",
    "Summary",
    "anytime_curves",
    "evaluations_to_target",
    "pairs",
    "summarise",
]

MAIN = ("left_right", "mid_side")
"""What methods are ranked by."""
Summary = Mapping[str, Mapping[str, Mapping[str, float]]]


@dataclass(frozen=True)
class Pair:
    """How two methods differ in a measure, the first minus the second, over the cases of both."""

    first: str
    second: str
    measure: str
    found: Paired


@dataclass(frozen=True)
class EvaluationsToTarget:
    """How many evaluations a search needs to reach its target: the final distance of another search, over cases.

    `share` is the median over cases of these evaluations, as a share of the other search's; a case in which the target
    was never reached counts as infinitely many. `reached` is the number of cases in which it was.
    """

    search: str
    other: str
    cases: int
    reached: int
    share: float


def summarise(rows: Sequence[Row]) -> Summary:
    """By kind of stem (and `all`, `dry`, `reverb`) and method: mean measures with 95 % bootstrap intervals over cases.

    Truths with `reverb` are apart because no other room than their own repeats their echoes, however alike it sounds.

    Also, for each distance: `..._reduction_percent`, by how much the mean of `input` is reduced, in % (negative where
    it grew); and `..._below_match`, the mean difference to the method `match`, case by case (positive where the
    distance is smaller). Their intervals are over the same draws of cases.
    """
    subjects = dict.fromkeys(row.stem for row in rows)
    parts = {
        "all": list(rows),
        "dry": [row for row in rows if not row.reverb],
        "reverb": [row for row in rows if row.reverb],
        **({stem: [row for row in rows if row.stem == stem] for stem in subjects} if len(subjects) > 1 else {}),
    }
    return {
        part: {method: _summary(chosen, method) for method in _methods(chosen)}
        for part, chosen in parts.items()
        if chosen
    }


def _methods(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.method for row in rows))


def _by_case(rows: Sequence[Row], method: str) -> dict[int, Row]:
    return {row.case: row for row in rows if row.method == method}


def _with_interval(name: str, value: float, interval: tuple[float, float]) -> dict[str, float]:
    return {name: value, f"{name}_low": interval[0], f"{name}_high": interval[1]}


def _summary(rows: Sequence[Row], method: str) -> dict[str, float]:
    mine, inputs, closed = (_by_case(rows, name) for name in (method, "input", "match"))
    cases = sorted(mine)
    found: dict[str, float] = {
        "cases": len(cases),
        "seconds": float(np.mean([mine[case].seconds for case in cases])),
        "evaluations": float(np.mean([mine[case].evaluations for case in cases])),
    }
    for measure in mine[cases[0]].measures:
        if not all(measure in mine[case].measures for case in cases):
            continue
        values = _values(mine, cases, measure)
        found |= _with_interval(measure, float(values.mean()), bootstrap(values))
        if measure not in MAIN:
            continue
        if set(cases) <= set(inputs):
            before = _values(inputs, cases, measure)
            both = np.stack([values, before], axis=1)
            interval = bootstrap(both, lambda drawn: 100 * (1 - drawn[..., 0].mean(1) / drawn[..., 1].mean(1)))
            reduction = 100 * (1 - float(values.mean() / before.mean()))
            found |= _with_interval(f"{measure}_reduction_percent", reduction, interval)
        if set(cases) <= set(closed):
            below = _values(closed, cases, measure) - values
            found |= _with_interval(f"{measure}_below_match", float(below.mean()), bootstrap(below))
    return found


def _values(rows: Mapping[int, Row], cases: Sequence[int], measure: str) -> NDArray[np.float64]:
    return np.array([rows[case].measures[measure] for case in cases])


def pairs(rows: Sequence[Row]) -> list[Pair]:
    """Every two methods on the cases that both have, where these are two or more; corrected for the number of pairs."""
    together = list(combinations(_methods(rows), 2))
    found = []
    for measure in MAIN:
        for first, second in together:
            ours, theirs = _by_case(rows, first), _by_case(rows, second)
            cases = sorted(set(ours) & set(theirs))
            if len(cases) > 1:
                values = (_values(of, cases, measure) for of in (ours, theirs))
                found.append(Pair(first, second, measure, paired(*values, tests=len(together))))
    return found


def anytime_curves(rows: Sequence[Row]) -> dict[str, list[tuple[float, float, float]]]:
    """The anytime curve of each method: its mean distances to the truth after so many seconds.

    Returns:
        By method, points (seconds, left_right, mid_side).
    """
    found = {}
    for method in _methods(rows):
        curves = [row.anytime_curve for row in rows if row.method == method and row.anytime_curve]
        if curves:
            means = np.array(curves).mean(0)
            found[method] = [(float(moment), float(a), float(b)) for moment, a, b in means]
    return found


def evaluations_to_target(rows: Sequence[Row]) -> list[EvaluationsToTarget]:
    """For every two searches that differ only in where they start: how soon each reaches the other's final distance.

    Cases in which one of them did not search, because it started close enough, are left out.
    """
    searches = [name for name in _methods(rows) if any(row.history for row in rows if row.method == name)]
    found = []
    for search in searches:
        for other in searches:
            if search != other and search.split(":")[:2] == other.split(":")[:2]:
                ours, theirs = _by_case(rows, search), _by_case(rows, other)
                both = [case for case in sorted(set(ours) & set(theirs)) if ours[case].history and theirs[case].history]
                if both:
                    shares = [_share(ours[case], theirs[case]) for case in both]
                    reached = sum(np.isfinite(shares))
                    found.append(
                        EvaluationsToTarget(search, other, len(shares), int(reached), float(np.median(shares)))
                    )
    return found


def _share(ours: Row, theirs: Row) -> float:
    """The share of the other's evaluations after which its final distance was reached."""
    goal = theirs.history[-1][1]
    return next((count / theirs.evaluations for count, distance in ours.history if distance <= goal), np.inf)
