"""The measured rows, one for each case and method, written to disk as soon as they are there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stito.evaluation.log import RowLog
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


class Log(RowLog[Row]):
    """Rows in a file of JSON lines, of one plan: an interrupted evaluation goes on where it stopped."""

    def __init__(self, path: Path | None, plan: TransferPlan) -> None:
        """`OutputError` if the file is of another plan; without a path nothing is kept."""
        super().__init__(path, plan.identity(), _row, lambda row: (row.case, row.method, row.digest), renamed=RENAMED)


def _row(values: dict[str, Any]) -> Row:
    """The row of a line's values."""
    points = {name: [tuple(entry) for entry in values[name]] for name in ("anytime_curve", "history")}
    return Row(**{**values, **points})
