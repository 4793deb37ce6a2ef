"""The result of an evaluation of transfers: tables, `result.json`, and a page with pictures."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stito.audio import write_atomic
from stito.evaluation import plots
from stito.evaluation.folder import NAMES
from stito.evaluation.listening.trials import PREDICTIONS
from stito.evaluation.measures import measures
from stito.evaluation.page import Picture, render_template
from stito.evaluation.table import NOTHING, SIGNIFICANT, Table, figure, finite
from stito.evaluation.transfers.methods import audio_file
from stito.evaluation.transfers.plan import TransferPlan
from stito.evaluation.transfers.rows import Row
from stito.evaluation.transfers.summary import MAIN, Summary, anytime_curves, evaluations_to_target, pairs, summarise
from stito.pages import data_url

__all__ = ["NAMES", "TransferOutcome", "write_outcome", "write_predictions"]


DISTANCES = "Distance to the truth by kind of stem, mean and 95 % interval. Blue: left/right, orange: mid/side."
ANYTIME_CURVES = (
    "Anytime curves: distance to the truth (left/right) of each method's best result after so many seconds."
)


@dataclass(frozen=True)
class TransferOutcome:
    """All rows of a plan, and what they come to."""

    plan: TransferPlan
    rows: Sequence[Row]

    @cached_property
    def summary(self) -> Summary:
        """Means with their intervals, worked out once for all that shows them."""
        return summarise(self.rows)

    def as_json(self) -> dict[str, Any]:
        """What `result.json` holds."""
        return {
            "format": "stito.transfers",
            "version": 3,
            "data": self.plan.data,
            "plan": asdict(self.plan),
            "measures": {name: asdict(measure) for name, measure in measures().items()},
            "summary": self.summary,
            "pairs": [asdict(pair) for pair in pairs(self.rows)],
            "anytime_curves": anytime_curves(self.rows),
            "evaluations_to_target": [finite(asdict(pair)) for pair in evaluations_to_target(self.rows)],
        }

    def tables(self) -> list[Table]:
        """All tables, the distances first."""
        found = [_distances(self.summary), _measures(self.summary), *_pairs(self.rows)]
        found += [_anytime_curves(self.rows)] if anytime_curves(self.rows) else []
        found += [_evaluations_to_target(self.rows)] if evaluations_to_target(self.rows) else []
        return found

    def text(self) -> str:
        """Everything for a terminal, with the data it was measured on."""
        return "\n\n".join([*(table.text() for table in self.tables()), self._data()])

    def markdown(self) -> str:
        """Everything for a document."""
        parts = ["# Transfers with a known truth", self._data()]
        return "\n\n".join([*parts, *(table.markdown() for table in self.tables())]) + "\n"

    def _data(self) -> str:
        """What was measured on."""
        inputs = "Inputs with effects of their own" if self.plan.mixed else "FX-normalised inputs"
        return f"Data: {self.plan.data} {inputs}; effects at a strength of {self.plan.strength:g}."


def write_outcome(outdir: Path, outcome: TransferOutcome, *, command: str = "") -> None:
    """`result.json`, `tables.md` and `report.html` in a folder, each whole or not at all."""
    write_atomic(outdir / "result.json", json.dumps(outcome.as_json(), indent=2) + "\n", overwrite=True)
    write_atomic(outdir / "tables.md", outcome.markdown(), overwrite=True)
    shown = {kind: found for kind, found in outcome.summary.items() if kind not in ("dry", "reverb")}
    pictures = [Picture(data_url(plots.distances_png(shown)), DISTANCES)]
    curves = anytime_curves(outcome.rows)
    if curves:
        pictures.append(Picture(data_url(plots.anytime_curves_png(curves)), ANYTIME_CURVES))
    page = render_template(
        "transfers.html.j2", outcome=outcome, tables=outcome.tables(), pictures=pictures, command=command
    )
    write_atomic(outdir / "report.html", page, overwrite=True)


def write_predictions(audio: Path, rows: Sequence[Row]) -> None:
    """Beside the sounds of `evaluate_transfers`, what was measured of them: what a listening test may agree with."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for row in rows:
        file = audio_file(audio, row.case, row.stem, row.method)
        found.setdefault(file.parent.name, {})[file.stem] = row.measures
    write_atomic(audio / PREDICTIONS, json.dumps(found, indent=2) + "\n", overwrite=True)


def _span(found: Mapping[str, float], name: str) -> str:
    if name not in found:
        return NOTHING
    return f"{figure(found[name])} ({figure(found[name + '_low'])} to {figure(found[name + '_high'])})"


def _percent(found: Mapping[str, float], name: str) -> str:
    return f"{found[name]:.0f}%" if name in found else NOTHING


def _distances(summary: Summary) -> Table:
    heads = (
        "cases",
        "method",
        "n",
        "left/right",
        "reduction",
        "below match",
        "mid/side",
        "reduction",
        "moves",
        "evaluations",
        "seconds",
    )
    lines = []
    for kind, methods in summary.items():
        for method, found in methods.items():
            reductions = [_percent(found, f"{measure}_reduction_percent") for measure in MAIN]
            lines.append(
                (
                    kind,
                    method,
                    f"{found['cases']:.0f}",
                    _span(found, "left_right"),
                    reductions[0],
                    _span(found, "left_right_below_match"),
                    _span(found, "mid_side"),
                    reductions[1],
                    f"{found['moves']:.1f}" if "moves" in found else NOTHING,
                    f"{found['evaluations']:.0f}",
                    f"{found['seconds']:.1f}",
                )
            )
    note = (
        "Multi-scale spectral distance of the result to the truth, mean over cases with a 95 % bootstrap interval. "
        "Reduction: by how much the input's distance shrank. Below match: by how much the distance is smaller than "
        "that of `match`, case by case. Moves: knobs off neutral, per stem. Seconds are of one core; the first case of "
        "a process also loads what is needed."
    )
    return Table("Distance to the truth (Table 2 of Koo et al.)", heads, tuple(lines), note)


def _measures(parts: Summary) -> Table:
    summary = parts["all"]
    shown = [
        of
        for of in measures().values()
        if of.name not in (*MAIN, "moves") and any(of.name in row for row in summary.values())
    ]
    names = [of.name for of in shown]
    lines = tuple((method, *(figure(found.get(name, math.nan)) for name in names)) for method, found in summary.items())
    note = "Metrics compare the result with the truth. " + " ".join(map(str, shown))
    return Table("Other measures, all cases", ("method", *names), lines, note)


def _pairs(rows: Sequence[Row]) -> list[Table]:
    found = {(pair.measure, pair.first, pair.second): pair for pair in pairs(rows)}
    methods = list(dict.fromkeys(row.method for row in rows))
    tables = []
    for measure, words in zip(MAIN, ("left/right", "mid/side"), strict=True):
        lines = []
        for second in methods[1:]:
            cells = []
            for first in methods[:-1]:
                pair = found.get((measure, first, second))
                star = "*" if pair and pair.found.p < SIGNIFICANT else ""
                cells.append(f"{figure(-pair.found.difference)}{star}" if pair else "")
            lines.append((second, *cells))
        if lines and any(cell for line in lines for cell in line[1:]):
            note = (
                "Row minus column, mean over the cases of both. * p < .05 by the Wilcoxon signed-rank test, corrected "
                "for the number of pairs (Bonferroni)."
            )
            tables.append(Table(f"Between methods, {words}", ("", *methods[:-1]), tuple(lines), note))
    return tables


def _anytime_curves(rows: Sequence[Row]) -> Table:
    found = anytime_curves(rows)
    moments = [f"{moment:g} s" for moment, _, _ in next(iter(found.values()))]
    lines = tuple((method, *(f"{figure(a)} / {figure(b)}" for _, a, b in curve)) for method, curve in found.items())
    note = (
        "Distance to the truth (left/right / mid/side) after so many seconds of one core, mean over all cases: of the "
        "input until a method has a result, then of the best so far."
    )
    return Table("Anytime curves", ("method", *moments), lines, note)


def _evaluations_to_target(rows: Sequence[Row]) -> Table:
    lines = tuple(
        (
            pair.search,
            pair.other,
            f"{pair.reached} of {pair.cases}",
            f"{pair.share:.0%}" if math.isfinite(pair.share) else NOTHING,
        )
        for pair in evaluations_to_target(rows)
    )
    note = (
        "The target is the other search's final distance to the reference. Evaluations until it was reached, as a "
        "share of the other's, median over cases; a case in which it was never reached counts as the largest."
    )
    return Table("Evaluations to target", ("search", "target: the end of", "reached", "evaluations"), lines, note)
