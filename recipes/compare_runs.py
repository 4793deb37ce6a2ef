"""Two runs of `stito evaluate transfer` on the same cases: by how much one method's rows differ between them.

    python recipes/compare_runs.py found/ simplified/ --method ensemble

Each row: a kind of stems, its cases, the median of moves, and distances to the truth: in both runs, and by how much
they rise from the first to the second, with 95 % bootstrap intervals over cases.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np

from stito.evaluation.statistics import bootstrap
from stito.terminal import text_table

DISTANCES = ("left_right", "mid_side")

Rows = Mapping[int, Mapping[str, Any]]


def rows_of(run: Path, method: str) -> Rows:
    """A method's rows by case."""
    lines = (run / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines if line]
    return {row["case"]: row for row in found if row.get("method") == method}


def compared(first: Rows, second: Rows, stem: str | None) -> list[str]:
    """A row of the table, of one kind of stems or of all."""
    cases = [case for case, row in first.items() if case in second and stem in (None, row["stem"])]
    columns = [stem or "all", str(len(cases))]
    moves = [[run[case]["measures"].get("moves", 0.0) for case in cases] for run in (first, second)]
    columns.append(" → ".join(f"{median(values):g}" for values in moves))
    for name in DISTANCES:
        before, after = ([run[case]["measures"][name] for case in cases] for run in (first, second))
        rises = np.subtract(after, before)
        low, high = bootstrap(rises)
        columns += [f"{mean(before):.3f} → {mean(after):.3f}", f"{rises.mean():.3f} ({low:.3f} to {high:.3f})"]
    return columns


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--method", required=True)
    arguments = parser.parse_args(argv)
    first, second = (rows_of(run, arguments.method) for run in (arguments.first, arguments.second))
    stems = sorted({row["stem"] for row in first.values()})
    rows = [compared(first, second, stem) for stem in (None, *stems)]
    print(
        text_table(["stems", "cases", "moves", "left/right", "rises by", "mid/side", "rises by"], rows, align="lrlllll")
    )


if __name__ == "__main__":
    main()
