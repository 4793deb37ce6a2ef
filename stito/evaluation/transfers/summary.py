"""What rows come to: means with their intervals, differences between methods with their odds, quality against time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from stito.evaluation.statistics import Paired, bootstrap, paired
from stito.evaluation.transfers.rows import Row

__all__ = ["MAIN", "Catch", "Pair", "Summary", "catches", "courses", "pairs", "summarise"]

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
class Catch:
    """How soon a search gets to where another ended, over cases.

    `share` is the median share of the other's evaluations after which its final distance was reached, counting cases in
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
            gone = bootstrap(both, lambda drawn: 1 - drawn[..., 0].mean(1) / drawn[..., 1].mean(1))
            found |= _with_interval(f"{measure}_reduction", float(1 - values.mean() / before.mean()), gone)
        if set(cases) <= set(closed):
            nearer = _values(closed, cases, measure) - values
            found |= _with_interval(f"{measure}_below_match", float(nearer.mean()), bootstrap(nearer))
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
    """Of every two searches that differ in where they start alone, how soon each gets to where the other ended.

    Cases of which one was near enough where it started, and searched for nothing, have no part in it.
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
                    found.append(Catch(search, other, len(shares), int(reached), float(np.median(shares))))
    return found


def _share(ours: Row, theirs: Row) -> float:
    """The share of the other's evaluations after which its final distance was reached."""
    goal = theirs.history[-1][1]
    return next((count / theirs.evaluations for count, distance in ours.history if distance <= goal), np.inf)
