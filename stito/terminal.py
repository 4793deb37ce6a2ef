"""What is printed: tables as text, laid out by `rich`; and nothing where the terminal is gone."""

from __future__ import annotations

import io
import os
import stat
import sys
import textwrap
from collections.abc import Sequence

__all__ = ["leave_terminal", "text_table"]

GAP = 2
LEAST_PROSE = 30
"""The last column of a table in a narrow terminal is folded no narrower than this."""


def text_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, align: str = "", indent: int = 0) -> str:
    """Columns and rows as text, nothing of it cut off: plain and as wide as it needs to be where it is not a terminal.

    In a terminal heads are bold, and words in a last column that is aligned to the left are folded to fit.

    Args:
        heads: the names of the columns; none, for rows alone.
        rows: their cells, as many in each row as there are columns.
        align: `l` or `r` for each column; by default the first is to the left and the others, figures, to the right.
        indent: spaces before each line.

    >>> print(text_table(("knob", "from", "to"), [("gain_db", "-24", "24"), ("q", "0.1", "8")]))
    knob     from  to
    gain_db   -24  24
    q         0.1   8
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    columns = len(heads) or max(map(len, rows), default=0)
    sides = align or "l" + "r" * (columns - 1)
    terminal = sys.stdout.isatty()
    widths = [
        max((cell_len(row[i]) for row in (*([heads] if heads else ()), *rows)), default=0) for i in range(columns)
    ]
    width = needed = sum(widths) + GAP * max(0, columns - 1)
    folded = terminal and columns > 1 and sides[-1] == "l"
    if folded:
        width = min(needed, max(Console().width - indent, needed - widths[-1] + LEAST_PROSE))
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, show_header=bool(heads), header_style="bold")
    for i in range(columns):
        last = i == columns - 1
        head = Text(heads[i]) if heads else ""
        table.add_column(
            head, justify="right" if sides[i] == "r" else "left", no_wrap=not (last and folded), overflow="fold"
        )
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(file=io.StringIO(), width=max(1, width), force_terminal=terminal, legacy_windows=False)
    with console.capture() as captured:
        console.print(table)
    lines = "\n".join(line.rstrip() for line in captured.get().splitlines())
    return textwrap.indent(lines, " " * indent)


def leave_terminal() -> None:
    """Let what is printed go nowhere if it went to a terminal: writing to one that was closed is an error."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        if stat.S_ISCHR(os.fstat(descriptor).st_mode):
            os.dup2(nowhere, descriptor)
    os.close(nowhere)
