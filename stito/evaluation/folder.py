"""What a study leaves in its folder: its figures, its tables as text, and its page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from stito.audio import write_atomic
from stito.evaluation.table import Table

__all__ = ["NAMES", "Outcome", "Tabled", "markdown", "write_pages"]

NAMES = ("result.json", "tables.md", "report.html")
"""What every study writes; some have pictures or weights beside it."""


class Outcome(Protocol):
    """What came of a study."""

    @property
    def data(self) -> str:
        """What it was made of, in a sentence."""
        ...

    def as_json(self) -> dict[str, Any]:
        """All figures."""
        ...


class Tabled(Outcome, Protocol):
    """One that makes its own tables."""

    def tables(self) -> list[Table]:
        """As they are shown."""
        ...


def markdown(title: str, outcome: Outcome, tables: Sequence[Table]) -> str:
    """The tables as text."""
    return "\n\n".join([f"# {title}", f"Data: {outcome.data}", *(table.markdown() for table in tables)]) + "\n"


def write_pages(outdir: Path, outcome: Outcome, text: str, page: str) -> None:
    """`result.json`, `tables.md` and `report.html` in a folder, each whole or not at all."""
    write_atomic(outdir / "result.json", json.dumps(outcome.as_json(), indent=2) + "\n", overwrite=True)
    write_atomic(outdir / "tables.md", text, overwrite=True)
    write_atomic(outdir / "report.html", page, overwrite=True)
