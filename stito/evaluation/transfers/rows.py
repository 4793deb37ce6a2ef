"""The measured rows, one for each case and method, written to disk as soon as they are there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stito.audio import write_atomic
from stito.errors import OutputError
from stito.evaluation.transfers.plan import TransferPlan

__all__ = ["Log", "Row"]

RENAMED = {
    "judge": "evaluation_encoder",
    "judge_digest": "evaluation_encoder_digest",
    "course": "anytime_curve",
}
"""Keys of logs of earlier versions, and what they are called now."""


@dataclass(frozen=True)
class Row:
    """What one method made of one case; `digest` is of its weights, `reverb` whether the truth has it.

    `measures` are those of `stito.evaluation.measures` that apply. `anytime_curve` has the distance to the truth of the
    best result so far at each of the plan's seconds: (seconds, left_right, mid_side). `history` has (evaluations,
    distance to the reference) of a search's best wherever it changed.
    """

    case: int
    stem: str
    method: str
    measures: dict[str, float]
    seconds: float
    evaluations: int = 0
    digest: str = ""
    reverb: bool = False
    anytime_curve: list[tuple[float, float, float]] = field(default_factory=list)
    history: list[tuple[int, float]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"case {self.case}, {self.stem}: {self.method} {self.left_right:.3f} {self.mid_side:.3f}"

    @property
    def left_right(self) -> float:
        """The distance to the truth."""
        return self.measures["left_right"]

    @property
    def mid_side(self) -> float:
        """The distance to the truth, of mid and side."""
        return self.measures["mid_side"]


class Log:
    """Rows in a file of JSON lines, of one plan: an interrupted evaluation goes on where it stopped."""

    def __init__(self, path: Path | None, plan: TransferPlan) -> None:
        """`OutputError` if the file is of another plan; without a path nothing is kept."""
        self._path, self._header = path, json.dumps(plan.identity(), sort_keys=True)
        self.rows: list[Row] = []
        if path is None or not path.is_file():
            return
        header, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
        if json.dumps(_read(header), sort_keys=True) != self._header:
            raise OutputError(f"{path} is of another evaluation.", hint="Choose another folder, or delete it.")
        self.rows = [row for row in map(_row, lines) if row]

    def add(self, row: Row) -> None:
        """Keep a row, in place of an earlier one of the same case, method and weights."""
        same = (row.case, row.method, row.digest)
        self.rows = [kept for kept in self.rows if (kept.case, kept.method, kept.digest) != same] + [row]
        if self._path:
            lines = [self._header, *(json.dumps(asdict(kept)) for kept in self.rows)]
            write_atomic(self._path, "\n".join(lines) + "\n", overwrite=True)


def _read(line: str) -> dict[str, Any] | None:
    """The values of a line under their current names; nothing for a line that was cut off."""
    try:
        values = json.loads(line)
    except json.JSONDecodeError:
        return None
    if not isinstance(values, dict):
        return None
    return {RENAMED.get(str(key), str(key)): value for key, value in values.items()}


def _row(line: str) -> Row | None:
    """The row of a line; nothing for one that was cut off."""
    values = _read(line)
    if values is None:
        return None
    points = {name: [tuple(entry) for entry in values[name]] for name in ("anytime_curve", "history")}
    return Row(**{**values, **points})
