"""What was measured of one method on one case with one reference, kept as soon as it is there."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stito.evaluation.log import RowLog
from stito.evaluation.undo.plan import UndoPlan

__all__ = ["Change", "Row", "UndoLog"]

LEAST = 1e-4
"""What differs by less than this part has not changed."""


@dataclass(frozen=True)
class Change:
    """Something of a stem that was measured: in the undamaged mix, in the damaged one, and in what a method made."""

    undamaged: float
    before: float
    after: float


@dataclass(frozen=True)
class Row:
    """One method on one case.

    Attributes:
        case: its number.
        song: the damaged one.
        reference: `itself` or `another`.
        method: as it was asked for.
        faults: what was done: stem and fault.
        features: by stem and family, the distance of the structured features to the undamaged ones.
        severity: by stem, that of its worst fault as it is predicted.
        seconds: of one core.
        evaluations: candidates that were tried.
        digest: of the method's weights.
    """

    case: int
    song: str
    reference: str
    method: str
    faults: tuple[tuple[str, str], ...]
    features: Mapping[str, Mapping[str, Change]]
    severity: Mapping[str, Change]
    seconds: float = 0.0
    evaluations: int = 0
    digest: str = ""

    def __str__(self) -> str:
        distance, severity = self.distance(), self.predicted
        return (
            f"case {self.case}, {self.reference}: {self.method}, distance {distance.before:.2f} to "
            f"{distance.after:.2f}, severity {severity.before:.2f} to {severity.after:.2f}"
        )

    @property
    def damaged(self) -> set[str]:
        """The stems that have faults."""
        return {stem for stem, _ in self.faults}

    @property
    def kinds(self) -> set[str]:
        """The faults that they have."""
        return {fault for _, fault in self.faults}

    def family(self, name: str) -> Change:
        """The mean distance over stems of the features of a family."""
        return _mean([families[name] for families in self.features.values() if name in families])

    def distance(self, stems: Collection[str] | None = None) -> Change:
        """The mean distance over stems, all or these, and families."""
        chosen = [families for stem, families in self.features.items() if stems is None or stem in stems]
        return _mean([change for families in chosen for change in families.values()])

    @property
    def predicted(self) -> Change:
        """The mean over stems of the predicted severity of the worst fault."""
        return _mean(list(self.severity.values()))

    @property
    def features_back(self) -> bool:
        """Whether the features of the mix are closer to the undamaged ones than before."""
        return _less(self.distance())

    @property
    def damaged_back(self) -> bool:
        """Whether those of the damaged stems are."""
        return _less(self.distance(self.damaged))

    @property
    def quality_back(self) -> bool:
        """Whether the predicted faults are less severe than before."""
        return _less(self.predicted)

    @property
    def back(self) -> bool:
        """Whether features and quality of the mix are."""
        return self.features_back and self.quality_back

    @classmethod
    def parsed(cls, values: dict[str, Any]) -> Row:
        """The row of a line's values."""
        features = {
            stem: {family: Change(**change) for family, change in families.items()}
            for stem, families in values["features"].items()
        }
        severity = {stem: Change(**change) for stem, change in values["severity"].items()}
        faults = tuple((stem, fault) for stem, fault in values["faults"])
        return cls(**{**values, "faults": faults, "features": features, "severity": severity})


def _mean(changes: Sequence[Change]) -> Change:
    count = len(changes) or math.nan
    return Change(
        sum(change.undamaged for change in changes) / count,
        sum(change.before for change in changes) / count,
        sum(change.after for change in changes) / count,
    )


def _less(change: Change) -> bool:
    return change.after < change.before * (1 - LEAST)


class UndoLog(RowLog[Row]):
    """Rows in a file of JSON lines, of one plan; `OutputError` if it is of another."""

    def __init__(self, path: Path | None, plan: UndoPlan) -> None:
        super().__init__(
            path, plan.identity(), Row.parsed, lambda row: (row.case, row.reference, row.method, row.digest)
        )
