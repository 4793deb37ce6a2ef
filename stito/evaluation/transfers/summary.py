"""What rows come to: means with their intervals, differences between methods with their odds, quality against time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from stito.evaluation.transfers.rows import Row

__all__ = ["MAIN", "Catch", "Pair", "catches", "courses", "pairs", "summarise"]

MAIN = ("left_right", "mid_side")
"""What methods are ranked by."""
DRAWS = 2000
INTERVAL = (2.5, 97.5)
ALIKE = 1e-9
"""Differences that differ by no more than this part of them are one and the same."""

Summary = Mapping[str, Mapping[str, Mapping[str, float]]]


@dataclass(frozen=True)
class Pair:
    """Two methods on the cases of both: mean difference (first minus second) with its 95 % bootstrap interval.

    `p` is that of the Wilcoxon signed-rank test and `t_p` that of the paired t-test, both multiplied by the number of
    pairs (Bonferroni), as Koo et al. correct theirs.
    """

    first: str
    second: str
    measure: str
    cases: int
    difference: float
    low: float
    high: float
    p: float
    t_p: float


@dataclass(frozen=True)
class Catch:
    """How soon a search gets to where another ended, over cases.

    `share` is the median share of the other's evaluations after which its final loss was reached, counting cases in
    which it never was as infinitely many; `reached` in how many it was.
    """

    search: str
    other: str
    cases: int
    reached: int
    share: float


def summarise(rows: Sequence[Row]) -> Summary:
    """By kind of stem (and `all`, `dry`, `reverb`) and method: mean measures with 95 % bootstrap intervals over cases.

    Truths with `reverb` are apart because no other room than their own repeats their echoes, however alike it sounds.

    Also, of each distance, `..._reduction`: the share of the mean of `input` that is gone; and `..._below_match`: how
    much nearer than `match`, case by case. Their intervals are over the same draws of cases.
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


def _picks(count: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(count, size=(DRAWS, count))


def _with_interval(name: str, value: float, drawn: NDArray[np.float64]) -> dict[str, float]:
    low, high = np.percentile(drawn, INTERVAL)
    return {name: value, f"{name}_low": float(low), f"{name}_high": float(high)}


def _summary(rows: Sequence[Row], method: str) -> dict[str, float]:
    mine, inputs, closed = (_by_case(rows, name) for name in (method, "input", "match"))
    cases = sorted(mine)
    picks = _picks(len(cases))
    found: dict[str, float] = {
        "cases": len(cases),
        "seconds": float(np.mean([mine[case].seconds for case in cases])),
        "evaluations": float(np.mean([mine[case].evaluations for case in cases])),
    }
    for measure in mine[cases[0]].measures:
        if not all(measure in mine[case].measures for case in cases):
            continue
        values = _values(mine, cases, measure)
        found |= _with_interval(measure, float(values.mean()), values[picks].mean(1))
        if measure not in MAIN:
            continue
        if set(cases) <= set(inputs):
            before = _values(inputs, cases, measure)
            gone = 1 - values[picks].mean(1) / before[picks].mean(1)
            found |= _with_interval(f"{measure}_reduction", float(1 - values.mean() / before.mean()), gone)
        if set(cases) <= set(closed):
            nearer = _values(closed, cases, measure) - values
            found |= _with_interval(f"{measure}_below_match", float(nearer.mean()), nearer[picks].mean(1))
    return found


def _values(rows: Mapping[int, Row], cases: Sequence[int], measure: str) -> NDArray[np.float64]:
    return np.array([rows[case].measures[measure] for case in cases])


def pairs(rows: Sequence[Row]) -> list[Pair]:
    """Every two methods on the cases that both have; none for fewer than two such cases."""
    together = list(combinations(_methods(rows), 2))
    return [
        pair
        for measure in MAIN
        for first, second in together
        for pair in _paired(_by_case(rows, first), _by_case(rows, second), first, second, measure, len(together))
    ]


def _paired(
    ours: Mapping[int, Row], theirs: Mapping[int, Row], first: str, second: str, measure: str, tests: int
) -> Iterator[Pair]:
    cases = sorted(set(ours) & set(theirs))
    if len(cases) < 2:
        return
    apart = _values(ours, cases, measure) - _values(theirs, cases, measure)
    low, high = np.percentile(apart[_picks(len(cases))].mean(1), INTERVAL)
    p = float(stats.wilcoxon(apart).pvalue) if apart.any() else 1.0
    alike = bool(np.ptp(apart) <= ALIKE * np.abs(apart).max())
    t_p = float(not apart.any()) if alike else float(stats.ttest_1samp(apart, 0.0).pvalue)
    yield Pair(
        first,
        second,
        measure,
        len(cases),
        float(apart.mean()),
        float(low),
        float(high),
        min(1.0, p * tests),
        min(1.0, t_p * tests),
    )


def courses(rows: Sequence[Row]) -> dict[str, list[tuple[float, float, float]]]:
    """By method the mean distances after so many seconds: (seconds, left_right, mid_side)."""
    found = {}
    for method in _methods(rows):
        all_of = [row.course for row in rows if row.method == method and row.course]
        if all_of:
            means = np.array(all_of).mean(0)
            found[method] = [(float(moment), float(a), float(b)) for moment, a, b in means]
    return found


def catches(rows: Sequence[Row]) -> list[Catch]:
    """Of every two searches that differ in where they start alone, how soon each gets to where the other ended."""
    searches = [name for name in _methods(rows) if any(row.history for row in rows if row.method == name)]
    found = []
    for search in searches:
        for other in searches:
            if search != other and search.split(":")[:2] == other.split(":")[:2]:
                ours, theirs = _by_case(rows, search), _by_case(rows, other)
                shares = [_share(ours[case], theirs[case]) for case in sorted(set(ours) & set(theirs))]
                reached = sum(np.isfinite(shares))
                found.append(Catch(search, other, len(shares), int(reached), float(np.median(shares))))
    return found


def _share(ours: Row, theirs: Row) -> float:
    """The share of the other's evaluations after which its final loss was reached."""
    goal = theirs.history[-1][1]
    return next((count / theirs.evaluations for count, loss in ours.history if loss <= goal), np.inf)
