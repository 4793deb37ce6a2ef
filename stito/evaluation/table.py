"""A table as text, as Markdown, and as cells for a page; figures as papers write them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stito.terminal import text_table

__all__ = ["NOTHING", "SIGNIFICANT", "Table", "figure", "finite", "probability"]

NOTHING = "–"
WIDTH = 120
SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Table:
    """A title, the heads of the columns, rows of cells, and a note on how to read them."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def text(self) -> str:
        """The table for a terminal."""
        note = textwrap.wrap(self.note, WIDTH, initial_indent="  ", subsequent_indent="  ")
        return "\n".join([self.title, text_table(self.heads, self.rows, indent=2), *note])

    def markdown(self) -> str:
        """The table for a document."""
        rule = "|".join(["---", *("---:" for _ in self.heads[1:])])
        lines = [f"## {self.title}", "", f"| {' | '.join(self.heads)} |", f"|{rule}|"]
        lines += [f"| {' | '.join(row)} |" for row in self.rows]
        return "\n".join([*lines, *(["", self.note] if self.note else [])])


def figure(value: float, *, digits: int = 3) -> str:
    """A number as papers write it: without the leading zero, a dash where it was not measured."""
    if not math.isfinite(value):
        return NOTHING
    text = f"{abs(value):.{digits}f}"
    sign = "\N{MINUS SIGN}" if value < 0 and text.strip("0.") else ""
    return sign + text.removeprefix("0")


def probability(p: float) -> str:
    """A p-value as papers write it, with a star where it is significant."""
    return ("<.001" if p < 0.001 else figure(p)) + ("*" if p < SIGNIFICANT else "")


def finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values without infinity and NaN, which JSON has not."""
    return {
        key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in values.items()
    }
