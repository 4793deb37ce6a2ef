"""What was measured of each variant and seed, kept on disk as soon as it is there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stito.evaluation.log import RowLog

__all__ = ["Detection", "Row", "Rows"]


@dataclass(frozen=True)
class Detection:
    """How well degraded mixes are told from good ones: AUC by severity and fault, and rank correlation by fault."""

    auc: dict[str, dict[str, float]]
    correlation: dict[str, float]


@dataclass(frozen=True)
class Row:
    """One training: its variant and seed, its parameters, its score in validation, and what its weights detect.

    `own` is by the severities that the network itself predicts (None where it predicts none), `head` by a head that is
    fitted to its embedding.
    """

    variant: str
    seed: int
    parameters: int
    validation: float
    head: Detection
    own: Detection | None = None

    @classmethod
    def parsed(cls, values: dict[str, Any]) -> Row:
        """The row of a JSON object."""
        found = {name: values[name] and Detection(**values[name]) for name in ("head", "own")}
        return cls(**{**values, **found})


class Rows(RowLog[Row]):
    """Rows in a file of JSON lines, all of one recipe and one evaluation."""

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        """What is there already; `OutputError` if it is of another evaluation."""
        super().__init__(path, identity, Row.parsed, lambda row: (row.variant, row.seed))

    def has(self, variant: str, seed: int) -> bool:
        """Whether that training has been measured."""
        return any((row.variant, row.seed) == (variant, seed) for row in self.rows)
