"""The outcome of a listening test: tables, `result.json`, every rating that counts, and a page with a picture."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stito.audio import write_atomic
from stito.evaluation import plots
from stito.evaluation.listening.analysis import Analysis
from stito.evaluation.listening.responses import Key
from stito.evaluation.page import Picture, render_template
from stito.evaluation.table import Table, figure, finite, probability
from stito.pages import data_url

__all__ = ["NAMES", "ListeningOutcome", "write_listening"]

NAMES = ("result.json", "tables.md", "ratings.csv", "report.html")
BOXES = "Ratings by condition: median, quartiles, and whiskers to the last rating within 1.5 times their distance."


@dataclass(frozen=True)
class ListeningOutcome:
    """A test and what its ratings come to."""

    key: Key
    analysis: Analysis

    @property
    def left_out(self) -> int:
        """How many listeners do not count."""
        return len(self.analysis.listeners) - self.counted

    @property
    def counted(self) -> int:
        """How many listeners count."""
        return len({rating.listener for rating in self.analysis.kept})

    def as_json(self) -> dict[str, Any]:
        """What `result.json` holds."""
        of = self.analysis
        return {
            "format": "stito.listening.result",
            "version": 1,
            "test": self.key.test,
            "trials": len(self.key.names),
            "listeners": [asdict(listener) for listener in of.listeners],
            "scores": [finite(asdict(score)) for score in of.scores],
            "differences": [asdict(difference) for difference in of.differences],
            "agreement": [finite(asdict(agreement)) for agreement in of.agreement],
        }

    def tables(self) -> list[Table]:
        """All tables, the ratings first."""
        found = [self._scores()]
        found += [self._differences()] if self.analysis.differences else []
        found += [self._agreement()] if self.analysis.agreement else []
        return [*found, self._listeners()]

    def text(self) -> str:
        """Everything for a terminal."""
        return "\n\n".join(table.text() for table in self.tables())

    def markdown(self) -> str:
        """Everything for a document."""
        return "\n\n".join([f"# {self.key.test}", *(table.markdown() for table in self.tables())]) + "\n"

    def _scores(self) -> Table:
        rows = tuple(
            (
                of.condition,
                f"{of.median:.0f}" + (f" ({of.low:.0f} to {of.high:.0f})" if of.low == of.low else ""),
                f"{of.first_quartile:.0f} to {of.third_quartile:.0f}",
                f"{of.mean:.1f}",
                str(of.ratings),
            )
            for of in self.analysis.scores
        )
        note = (
            f"{self.counted} listeners, {len(self.key.names)} trials. Medians with 95 % bootstrap intervals over "
            "listeners."
        )
        return Table("Ratings, 0 to 100", ("condition", "median", "quartiles", "mean", "ratings"), rows, note)

    def _differences(self) -> Table:
        rows = tuple(
            (
                f"{of.first} over {of.second}",
                f"{of.found.difference:+.1f} ({of.found.low:+.1f} to {of.found.high:+.1f})",
                probability(of.found.p),
                probability(of.found.t_p),
            )
            for of in self.analysis.differences
        )
        note = (
            "Mean over listeners of their mean over trials; Wilcoxon signed-rank test and paired t-test over "
            "listeners, p times the number of comparisons; * below .05."
        )
        return Table("Differences", ("", "points", "p, Wilcoxon", "p, t-test"), rows, note)

    def _agreement(self) -> Table:
        rows = tuple(
            (of.measure, figure(of.rho), f"{of.same_order:.0%}" if of.pairs else "", str(of.sounds))
            for of in self.analysis.agreement
        )
        note = (
            "Spearman's correlation of each measure with mean ratings, turned so that 1 is agreement, and the share of "
            "pairs of systems within a trial that measure and listeners put in the same order."
        )
        return Table("Agreement of metrics with listeners", ("measure", "rho", "same order", "sounds"), rows, note)

    def _listeners(self) -> Table:
        rows = tuple((of.name, str(of.trials), of.excluded or "counts") for of in self.analysis.listeners)
        return Table("Listeners", ("listener", "trials", "screening (BS.1534-3)"), rows)


def write_listening(outdir: Path, outcome: ListeningOutcome) -> None:
    """`result.json`, `tables.md`, `ratings.csv` and `report.html` in a folder, each whole or not at all."""
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerow(["listener", "trial", "condition", "score"])
    for rating in outcome.analysis.kept:
        writer.writerow([rating.listener, outcome.key.names[rating.trial], rating.condition, f"{rating.score:g}"])
    write_atomic(outdir / "ratings.csv", rows.getvalue(), overwrite=True)
    write_atomic(outdir / "result.json", json.dumps(outcome.as_json(), indent=2) + "\n", overwrite=True)
    write_atomic(outdir / "tables.md", outcome.markdown(), overwrite=True)
    ratings = {
        of.condition: [rating.score for rating in outcome.analysis.kept if rating.condition == of.condition]
        for of in outcome.analysis.scores
    }
    picture = Picture(data_url(plots.boxes_png(ratings)), BOXES)
    page = render_template(
        "listening.html.j2", outcome=outcome, tables=outcome.tables(), pictures=[picture], command=""
    )
    write_atomic(outdir / "report.html", page, overwrite=True)
