"""Sensitivity: do embeddings move further when the knobs of an effect do?

For each effect alone, a base configuration is compared with others: the rank correlation (Spearman's rho) between
how far the embeddings are apart and how far the settings are apart, the Euclidean distance of the settings in [0, 1].
Once all clips are of the same content, once every other clip is of another content. 1 means that the embedding orders
settings as the knobs do, 0 that it does not notice them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stito.data.fxmanipulator.manipulation import EFFECTS
from stito.errors import SettingsError
from stito.evaluation.encoders.cases import Bench, Cases
from stito.evaluation.statistics import Estimate, estimate
from stito.models.encoder import distance

__all__ = ["Sensitivity", "measure_sensitivity", "spearman"]

BASES = 8
OTHERS = 20


@dataclass(frozen=True)
class Sensitivity:
    """Spearman's rho of one encoder for one effect; the interval is over base configurations."""

    encoder: str
    effect: str
    same_content: Estimate
    other_content: Estimate


def measure_sensitivity(
    bench: Bench, *, effects: Sequence[str] = EFFECTS, bases: int = BASES, others: int = OTHERS
) -> list[Sensitivity]:
    """Rank correlations for each encoder and effect, over `bases` base configurations, the kinds of stem in turn."""
    if bases < 1 or others < 2:
        raise SettingsError(f"{bases} base configurations with {others} others are too few for a correlation.")
    stems = bench.material.stems
    results = []
    for effect in effects:
        bench.report(f"sensitivity: {effect}")
        found: dict[str, list[tuple[float, float]]] = {label: [] for label in bench.encoders}
        for base in range(bases):
            stem, place = stems[base % len(stems)], ("sensitivity", effect, base)
            cases = bench.draw(stem, *place, segments=1 + others, configurations=1 + others, only=effect)
            for label, correlations in _correlations(bench, cases, others).items():
                found[label].append(correlations)
        for label, values in found.items():
            same, other = (estimate(column) for column in zip(*values, strict=True))
            results.append(Sensitivity(label, effect, same, other))
    return results


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The correlation of the ranks of two lists of values (n,), ties sharing theirs; 0 where one list is constant."""
    from scipy import stats

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(stats.spearmanr(a, b).statistic)


def _correlations(bench: Bench, cases: Cases, others: int) -> dict[str, tuple[float, float]]:
    """For each encoder, on the same content and on others."""
    numbers = list(range(1, 1 + others))
    segment = [0] * (1 + others) + numbers
    configuration = [0, *numbers, *numbers]
    settings, _ = cases.settings()
    apart = np.linalg.norm(settings[1:] - settings[:1], axis=1)
    results = {}
    for label, embeddings in bench.embed(cases, segment, configuration).items():
        moved = distance(bench.encoders[label], embeddings[1:], embeddings[:1]).double().numpy()
        results[label] = spearman(moved[:others], apart), spearman(moved[others:], apart)
    return results
