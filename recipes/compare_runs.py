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

CASES = ("streams", "data", "seconds", "mixed", "strength", "multitrack", "separator")
"""What of a plan says which cases there are."""

Rows = Mapping[int, Mapping[str, Any]]


def read(run: Path, method: str) -> tuple[dict[str, Any], Rows]:
    """What says which cases a run is of, and a method's rows by case."""
    header, *lines = (run / "cases.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line]
    plan = json.loads(header)
    return {key: plan.get(key) for key in CASES}, {row["case"]: row for row in rows if row["method"] == method}


def compared(first: Rows, second: Rows, stem: str | None) -> list[str]:
    """A row of the table, of one kind of stems or of all."""
    cases = [case for case, row in first.items() if case in second and stem in (None, row["stem"])]
    columns = [stem or "all", str(len(cases))]
    moves = [[run[case]["measures"].get("moves") for case in cases] for run in (first, second)]
    columns.append("" if None in moves[0] + moves[1] else " → ".join(f"{median(values):g}" for values in moves))
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
    (cases, first), (others, second) = (read(run, arguments.method) for run in (arguments.first, arguments.second))
    if cases != others:
        parser.error(f"The runs are of other cases: {cases}, and {others}.")
    stems = sorted({row["stem"] for case, row in first.items() if case in second})
    if not stems:
        parser.error(f"Both runs have no case of '{arguments.method}' in common.")
    rows = [compared(first, second, stem) for stem in (None, *stems)]
    print(
        text_table(["stems", "cases", "moves", "left/right", "rises by", "mid/side", "rises by"], rows, align="lrlllll")
    )


if __name__ == "__main__":
    main()
