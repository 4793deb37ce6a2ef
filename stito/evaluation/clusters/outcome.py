"""What an evaluation of clusters found: accuracy of neighbours and silhouettes, with intervals over sounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stito.evaluation.clusters.measures import neighbours_agree, silhouettes
from stito.evaluation.statistics import Estimate, bootstrap
from stito.evaluation.table import Table, figure

__all__ = ["Outcome"]

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """The distances of all sounds from each other by every encoder, and what the sounds are.

    `encoders` has their digests, `names` and `labels` are those of the sounds, `distances` (n, n) by encoder.
    """

    encoders: Mapping[str, str]
    data: str
    neighbours: int
    seed: int
    names: Sequence[str]
    labels: Sequence[str]
    distances: Mapping[str, Values]
    skipped: Sequence[str] = ()

    @property
    def classes(self) -> list[str]:
        """Their names."""
        return sorted(set(self.labels))

    @cached_property
    def agreement(self) -> dict[str, Values]:
        """Of each sound whether its neighbours are of its class, 0 or 1, by encoder."""
        return {
            encoder: neighbours_agree(apart, self.labels, self.neighbours).astype(np.float64)
            for encoder, apart in self.distances.items()
        }

    @cached_property
    def silhouette(self) -> dict[str, Values]:
        """The silhouette of each sound, by encoder."""
        return {encoder: silhouettes(apart, self.labels) for encoder, apart in self.distances.items()}

    def tables(self) -> list[Table]:
        """The figures of each encoder, then the accuracy by class."""
        accuracy, silhouette = self._estimates(self.agreement), self._estimates(self.silhouette)
        rows = tuple((encoder, _cell(accuracy[encoder]), _cell(silhouette[encoder])) for encoder in self.encoders)
        most = max(Counter(self.labels).values()) / len(self.labels)
        near = "the nearest other sound is" if self.neighbours == 1 else f"most of the {self.neighbours} nearest are"
        note = (
            f"Accuracy: how often {near} of a sound's class; whoever always says the largest class has "
            f"{figure(most, digits=2)}. Silhouette: 1 where classes are far apart, 0 "
            f"where they overlap. Intervals of 95 % over {len(self.labels)} sounds."
        )
        by_class = tuple(
            (name, *(_cell(self._of(encoder, name)) for encoder in self.encoders)) for name in self.classes
        )
        return [
            Table("Clusters", ("encoder", f"accuracy by {self.neighbours} nearest", "silhouette"), rows, note),
            Table("Accuracy by class", ("class", *self.encoders), by_class),
        ]

    def as_json(self) -> dict[str, Any]:
        """What `result.json` holds."""
        accuracy, silhouette = self._estimates(self.agreement), self._estimates(self.silhouette)
        return {
            "format": "stito.clusters",
            "version": 1,
            "data": self.data,
            "neighbours": self.neighbours,
            "seed": self.seed,
            "encoders": {
                encoder: {
                    "digest": digest,
                    "accuracy": accuracy[encoder].as_json(),
                    "silhouette": silhouette[encoder].as_json(),
                    "accuracy_by_class": {name: self._of(encoder, name).as_json() for name in self.classes},
                }
                for encoder, digest in self.encoders.items()
            },
            "sounds": [
                {
                    "name": name,
                    "class": label,
                    "silhouette": {encoder: round(float(self.silhouette[encoder][n]), 4) for encoder in self.encoders},
                }
                for n, (name, label) in enumerate(zip(self.names, self.labels, strict=True))
            ],
            "skipped": list(self.skipped),
        }

    def _estimates(self, values: Mapping[str, Values]) -> dict[str, Estimate]:
        return {encoder: _estimate(of) for encoder, of in values.items()}

    def _of(self, encoder: str, label: str) -> Estimate:
        return _estimate(self.agreement[encoder][np.array(self.labels) == label])


def _estimate(values: Values) -> Estimate:
    return Estimate(float(values.mean()), *bootstrap(values), len(values))


def _cell(value: Estimate) -> str:
    return f"{figure(value.mean, digits=2)} [{figure(value.low, digits=2)}, {figure(value.high, digits=2)}]"
