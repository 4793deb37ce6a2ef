"""What was measured of each variant and seed, kept on disk as soon as it is there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stito.audio import write_atomic
from stito.errors import OutputError

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


class Rows:
    """Rows in a file of JSON lines, all of one recipe and one evaluation."""

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        """What is there already; `OutputError` if it is of another evaluation."""
        self._path, self._header = path, json.dumps(identity, sort_keys=True)
        self.rows: list[Row] = []
        if not path.is_file():
            return
        header, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
        if header != self._header:
            raise OutputError(f"{path} is of another evaluation.", hint="Choose another folder, or delete this one.")
        self.rows = [Row.parsed(json.loads(line)) for line in lines]

    def add(self, row: Row) -> None:
        """Keep a row."""
        self.rows.append(row)
        lines = [self._header, *(json.dumps(asdict(kept)) for kept in self.rows)]
        write_atomic(self._path, "\n".join(lines) + "\n", overwrite=True)

    def has(self, variant: str, seed: int) -> bool:
        """Whether that training has been measured."""
        return any((row.variant, row.seed) == (variant, seed) for row in self.rows)
