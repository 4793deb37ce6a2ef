"""Table 1 of Koo et al. (2022) for any encoder: does it separate effects, whatever they are applied to?

Each of several draws takes new segments and new random configurations, and puts every segment under every
configuration. The *factors* are the configurations themselves, one column each: whether a clip is under it.
The paper does not define its factors. They can hardly have been the settings: with ten configurations, every setting is
a function of the configuration, so settings predict each other, and even an embedding that consists of them has a
DCIMIG of .1. With a column per configuration 2,048 dims of noise score .10 / .78, about as the paper's worst encoder
does, and tight clusters .66 / 1.00, about as its best. DCIMIG then asks for a code that separates one configuration
from all others. A single code with all ten in a line separates each as well as any other, and scores 0.

What the settings are is asked separately, of clips that have a configuration each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from stito import streams
from stito.data.fxmanipulator.manipulation import EFFECTS
from stito.evaluation.encoders.cases import MULTITRACK, Bench
from stito.evaluation.statistics import Estimate, estimate
from stito.metrics.disentanglement import dci_explicitness, dcimig
from stito.streams import Place, Purpose

__all__ = ["FULL", "MEASURES", "Cloud", "Disentanglement", "Score", "measure_disentanglement"]

FULL = "full"
"""All effects, each with its probability."""


@dataclass(frozen=True)
class Score:
    """One encoder on one subject in one draw; `effects` is `full`, or the one effect that was on.

    `dcimig` and `explicitness` are as published, `held_out` the explicitness on contents that the forests have not
    seen; `..._chance` are what the same embeddings score in shuffled order. The `settings_...` come from clips that
    have a configuration each, under all effects, and are NaN elsewhere.
    """

    encoder: str
    subject: str
    effects: str
    draw: int
    dcimig: float
    dcimig_chance: float
    explicitness: float
    explicitness_chance: float
    held_out: float
    settings_dcimig: float = float("nan")
    settings_dcimig_chance: float = float("nan")
    settings_held_out: float = float("nan")


MEASURES = tuple(entry.name for entry in fields(Score) if entry.name not in ("encoder", "subject", "effects", "draw"))


@dataclass(frozen=True)
class Cloud:
    """The embeddings (n, dim) of one draw, and which segment (n,) and configuration (n,) each is of."""

    embeddings: NDArray[np.float64]
    segment: NDArray[np.int64]
    configuration: NDArray[np.int64]


@dataclass(frozen=True)
class Disentanglement:
    """All scores, and for each encoder the clouds of the first draw by the effect that was on, to be drawn."""

    scores: tuple[Score, ...]
    clouds: Mapping[str, Mapping[str, Cloud]] = field(default_factory=dict)

    def over_draws(
        self, measure: str, encoder: str, *, multitrack: bool | None = None, full: bool | None = None, **where: str
    ) -> Estimate:
        """A measure of one encoder, averaged within each draw over what is asked for; the interval is over draws.

        `multitrack` and `full` choose the columns of the table (None: both); `where` may name `subject`, `effects`.
        """
        chosen: dict[int, list[float]] = {}
        for score in self.scores:
            if (
                score.encoder == encoder
                and multitrack in (None, score.subject == MULTITRACK)
                and full in (None, score.effects == FULL)
                and all(getattr(score, name) == value for name, value in where.items())
            ):
                chosen.setdefault(score.draw, []).append(getattr(score, measure))
        return estimate(float(np.mean(values)) for values in chosen.values())


def measure_disentanglement(
    bench: Bench, *, subjects: Sequence[str] | None = None, effects: Sequence[str] = EFFECTS
) -> Disentanglement:
    """Score the encoders on every subject, under all effects and under each of `effects` alone."""
    subjects = bench.subjects if subjects is None else subjects
    scores: list[Score] = []
    clouds: dict[str, dict[str, Cloud]] = {label: {} for label in bench.encoders}
    for draw in range(bench.plan.seeds):
        for place, subject in enumerate(subjects):
            for name in (FULL, *effects):
                bench.report(f"disentanglement: draw {draw + 1} of {bench.plan.seeds}, {subject}, {name} effects")
                found = _grid(bench, subject, name, draw)
                settings = _settings(bench, subject, draw) if name == FULL else {}
                for label, cloud in found.items():
                    scored = _scored(cloud, bench.plan.seed, "grid", draw, subject, name) | settings.get(label, {})
                    scores.append(Score(label, subject, name, draw, **scored))
                    if draw == 0 and place == 0:
                        clouds[label][name] = cloud
    return Disentanglement(tuple(scores), clouds)


def _grid(bench: Bench, subject: str, effects: str, draw: int) -> dict[str, Cloud]:
    """Every segment under every configuration, embedded by each encoder."""
    segments, configurations = bench.plan.segments, bench.plan.configurations
    only = None if effects == FULL else effects
    place = ("grid", draw, effects)
    cases = bench.draw(subject, *place, segments=segments, configurations=configurations, only=only)
    segment = np.repeat(np.arange(segments), configurations)
    configuration = np.tile(np.arange(configurations), segments)
    embeddings = bench.embed(cases, segment.tolist(), configuration.tolist())
    return {label: Cloud(_table(embedding), segment, configuration) for label, embedding in embeddings.items()}


def _settings(bench: Bench, subject: str, draw: int) -> dict[str, dict[str, float]]:
    """As many clips with a configuration each: whether the settings can be predicted, and are disentangled."""
    count = bench.plan.segments * bench.plan.configurations
    cases = bench.draw(subject, "settings", draw, segments=bench.plan.segments, configurations=count)
    segment = np.arange(count) % bench.plan.segments
    factors, _ = cases.settings()
    shuffled = _shuffled(factors, bench.plan.seed, "settings", draw, subject)
    forests = streams.derived_seed(bench.plan.seed, Purpose.FORESTS, "settings", draw, subject)
    scored = {}
    for label, embedding in bench.embed(cases, segment.tolist(), range(count)).items():
        codes = _table(embedding)
        scored[label] = {
            "settings_dcimig": dcimig(codes, factors),
            "settings_dcimig_chance": dcimig(codes, shuffled),
            "settings_held_out": float(dci_explicitness(codes, factors, [forests], groups=segment)[0]),
        }
    return scored


def _scored(cloud: Cloud, seed: int, *place: Place) -> dict[str, float]:
    """Both metrics with the configurations as factors, in and out of order; the same order for every encoder."""
    factors = np.eye(int(cloud.configuration.max()) + 1)[cloud.configuration]
    shuffled = _shuffled(factors, seed, *place)
    forests = streams.derived_seed(seed, Purpose.FORESTS, *place)
    codes = cloud.embeddings
    return {
        "dcimig": dcimig(codes, factors),
        "dcimig_chance": dcimig(codes, shuffled),
        "explicitness": float(dci_explicitness(codes, factors, [forests])[0]),
        "explicitness_chance": float(dci_explicitness(codes, shuffled, [forests])[0]),
        "held_out": float(dci_explicitness(codes, factors, [forests], groups=cloud.segment)[0]),
    }


def _shuffled(factors: NDArray[np.float64], seed: int, *place: Place) -> NDArray[np.float64]:
    return factors[streams.generator(seed, Purpose.SHUFFLES, *place).permutation(len(factors))]


def _table(embedding: Tensor) -> NDArray[np.float64]:
    return embedding.numpy().astype(np.float64)
