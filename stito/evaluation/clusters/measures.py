"""How well classes are told apart by distances alone: neighbours and silhouettes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["neighbours_agree", "silhouettes"]

Matrix = NDArray[np.float64]


def neighbours_agree(distances: Matrix, labels: Sequence[str], neighbours: int) -> NDArray[np.bool_]:
    """Whether most of the nearest other sounds of each are of its class, (n,); where two tie, the nearer class counts.

    >>> apart = np.abs(np.subtract.outer([0.0, 1.0, 8.0, 9.0], [0.0, 1.0, 8.0, 9.0]))
    >>> neighbours_agree(apart, ["low", "low", "high", "high"], 1).tolist()
    [True, True, True, True]
    """
    apart = distances.copy()
    np.fill_diagonal(apart, np.inf)
    found = []
    for place, row in enumerate(apart):
        nearest = [labels[other] for other in np.argsort(row, kind="stable")[: min(neighbours, len(row) - 1)]]
        ((elected, _),) = Counter(nearest).most_common(1)  # of equal counts the one that was met first
        found.append(elected == labels[place])
    return np.array(found)


def silhouettes(distances: Matrix, labels: Sequence[str]) -> Matrix:
    """Of each sound (b - a) / max(a, b), (n,): 1 in a class far from the others, below 0 in a wrong one.

    `a` is the mean distance to the others of its class, `b` that to the nearest other class. Source: P. J. Rousseeuw,
    "Silhouettes: a graphical aid to the interpretation and validation of cluster analysis", 1987.
    """
    names = np.array(labels)
    classes = sorted(set(labels))
    means = np.stack([distances[:, names == name].mean(1) for name in classes], axis=1)
    found = np.zeros(len(names))
    for place, label in enumerate(labels):
        own = classes.index(label)
        others = int((names == label).sum()) - 1
        if not others:
            continue
        within = means[place, own] * (others + 1) / others  # its distance to itself, 0, does not count
        beyond = np.delete(means[place], own).min()
        found[place] = (beyond - within) / max(beyond, within, 1e-12)
    return found
