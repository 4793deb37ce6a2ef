"""What is written of a whole batch: summary.csv, and a page with a table that links the reports."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path

from stito.audio import write_atomic
from stito.pages import Templates
from stito.report.values import written_reduction
from stito.terminal import text_table
from stito.version import __version__
from stito.workflows.batch_job import BatchRow

__all__ = ["PAGE", "TABLE", "batch_json", "batch_table", "write_summary"]

TABLE, PAGE = "summary.csv", "index.html"


@dataclass(frozen=True)
class _Shown:
    """A row as the page shows it: places on the rail are in % of the widest distance."""

    row: BatchRow
    before: float = 0.0
    after: float = 0.0
    distances: tuple[str, str] = ("", "")
    reduction: str = ""
    seconds: str = ""


def write_summary(outdir: Path, rows: Sequence[BatchRow], count: int) -> None:
    """summary.csv and index.html of the pairs that are finished, of `count` in all; each whole or not at all."""
    write_atomic(outdir / TABLE, _csv(rows), overwrite=True)
    write_atomic(outdir / PAGE, _page(rows, count), overwrite=True)


def batch_json(rows: Sequence[BatchRow]) -> dict[str, object]:
    """The rows for scripts."""
    return {"format": "stito.batch", "version": 1, "pairs": [asdict(row) for row in rows]}


def batch_table(rows: Sequence[BatchRow]) -> str:
    """The rows as text."""
    heads = ("pair", "status", "method", "encoder", "before", "after", "reduction", "seconds")
    cells = [
        (row.name, row.status, row.method, row.encoder, *shown.distances, shown.reduction, shown.seconds)
        for row, shown in zip(rows, _shown(rows), strict=True)
    ]
    return text_table(heads, cells, align="llllrrrr")


def _csv(rows: Sequence[BatchRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(BatchRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return text.getvalue()


def _page(rows: Sequence[BatchRow], count: int) -> str:
    failed = sum(row.status == "failed" for row in rows)
    return _templates().render(
        "batch.html.j2", shown=_shown(rows), count=count, made=len(rows) - failed, failed=failed, version=__version__
    )


def _shown(rows: Sequence[BatchRow]) -> list[_Shown]:
    widest = max((max(row.distance_before or 0, row.distance_after or 0) for row in rows), default=0) or 1
    return [_one_shown(row, widest) for row in rows]


def _one_shown(row: BatchRow, widest: float) -> _Shown:
    seconds = "" if row.seconds is None else f"{row.seconds:.1f}"
    if row.distance_before is None or row.distance_after is None:
        return _Shown(row, seconds=seconds)
    return _Shown(
        row,
        round(100 * row.distance_before / widest, 1),
        round(100 * row.distance_after / widest, 1),
        (f"{row.distance_before:.3g}", f"{row.distance_after:.3g}"),
        "" if row.reduction_percent is None else written_reduction(row.reduction_percent),
        seconds,
    )


@cache
def _templates() -> Templates:
    return Templates("stito.workflows")
