"""What an evaluation of undoing damage found: how often mixes come back, by method, reference and fault."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stito.evaluation import plots
from stito.evaluation.folder import NAMES, markdown, write_pages
from stito.evaluation.page import Picture, render_template
from stito.evaluation.statistics import Estimate, estimate, share
from stito.evaluation.table import Table, figure
from stito.evaluation.undo.plan import ANOTHER, ITSELF, UndoPlan
from stito.evaluation.undo.rows import Row
from stito.pages import data_url

__all__ = ["AIM", "NAMES", "UndoOutcome", "write_outcome"]

AIM = 0.8
"""The share of cases that is aimed at."""

ABOUT = {ITSELF: "its undamaged self", ANOTHER: "another good mix"}
"""What the reference is, in words."""


@dataclass(frozen=True)
class UndoOutcome:
    """All rows of a plan, and what they come to."""

    plan: UndoPlan
    rows: Sequence[Row]

    @property
    def data(self) -> str:
        """What was measured on."""
        faults = ", ".join(self.plan.faults) or "any fault"
        return f"{self.plan.data} One to three of {faults}, severity {self.plan.severity:g}."

    @property
    def methods(self) -> list[str]:
        """As they were asked for."""
        return list(dict.fromkeys(row.method for row in self.rows))

    @property
    def references(self) -> list[str]:
        """What the references were."""
        return list(dict.fromkeys(row.reference for row in self.rows))

    @property
    def faults(self) -> list[str]:
        """Those that were done."""
        return sorted({fault for row in self.rows for fault in row.kinds})

    @property
    def cases(self) -> list[Row]:
        """One row of each case: what does not depend on method or reference."""
        return list({row.case: row for row in self.rows}.values())

    def of(self, reference: str, method: str) -> list[Row]:
        """The rows of a method with a reference."""
        return [row for row in self.rows if (row.reference, row.method) == (reference, method)]

    def shares(self) -> dict[str, dict[str, Estimate]]:
        """How often mixes come back, by reference and method."""
        return {
            reference: {method: _back(self.of(reference, method)) for method in self.methods}
            for reference in self.references
        }

    def tables(self) -> list[Table]:
        """How often mixes come back, what becomes of the rest, by fault, by family, and what can be told at all."""
        found = [self._table(reference) for reference in self.references]
        found += [self._by_fault(reference) for reference in self.references]
        found += [self._by_family(reference) for reference in self.references]
        return [*found, self._finder()]

    def as_json(self) -> dict[str, Any]:
        """What `result.json` holds."""
        return {
            "format": "stito.undo",
            "version": 1,
            "data": self.data,
            "plan": asdict(self.plan),
            "aim": AIM,
            "summary": {
                reference: {method: _plain(_summary(self.of(reference, method))) for method in self.methods}
                for reference in self.references
            },
            "by_fault": {
                reference: {
                    fault: {
                        method: _back([row for row in self.of(reference, method) if fault in row.kinds]).as_json()
                        for method in self.methods
                    }
                    for fault in self.faults
                }
                for reference in self.references
            },
            "told": self._told().as_json(),
            "rows": [asdict(row) for row in self.rows],
        }

    def _table(self, reference: str) -> Table:
        heads = (
            "method", "n", "both come back", "features", "quality", "features only", "quality only", "neither",
            "features, damaged stems", "distance before", "after", "severity before", "after", "evaluations", "seconds",
        )  # fmt: skip
        lines = []
        for method in self.methods:
            rows = self.of(reference, method)
            found = _summary(rows)
            lines.append(
                (
                    method,
                    str(len(rows)),
                    *(_cell(found[name]) for name in ("back", "features", "quality")),
                    *(str(found[rest]) for rest in ("features_only", "quality_only", "neither")),
                    _cell(found["features_of_damaged"]),
                    *(figure(found[name], digits=2) for name in MEANS),
                    f"{found['evaluations']:.0f}",
                    f"{found['seconds']:.1f}",
                )
            )
        note = (
            "Features come back where the structured features of the stems are closer to those of the undamaged mix "
            "than before, quality where the predicted faults are less severe, each a mean over stems; shares with 95 % "
            "intervals (Wilson). Beside it the features of the damaged stems alone. "
            f"Distance and severity are means; 1 is a clear difference in every feature. The aim is {100 * AIM:.0f} % "
            "of both. Seconds are of one core."
        )
        return Table(f"Reference: {ABOUT[reference]}", heads, tuple(lines), note)

    def _by_fault(self, reference: str) -> Table:
        lines = []
        for fault in self.faults:
            of = [[row for row in self.of(reference, method) if fault in row.kinds] for method in self.methods]
            lines.append((fault, str(len(of[0])), *(_percent(_back(rows).mean) for rows in of)))
        note = "How often both come back, of the cases that have this fault, alone or with others."
        title = f"By fault, reference: {ABOUT[reference]}"
        return Table(title, ("fault", "n", *self.methods), tuple(lines), note)

    def _by_family(self, reference: str) -> Table:
        families = list(dict.fromkeys(name for row in self.rows for of in row.features.values() for name in of))
        lines = []
        for family in families:
            cells = []
            for method in self.methods:
                changes = [row.family(family) for row in self.of(reference, method) if _has(row, family)]
                before, after = (estimate(of).mean for of in zip(*((c.before, c.after) for c in changes), strict=True))
                cells.append(f"{figure(before, digits=2)} to {figure(after, digits=2)}")
            lines.append((family, *cells))
        title = f"Distance to the undamaged features, reference: {ABOUT[reference]}"
        return Table(title, ("family", *self.methods), tuple(lines), "Means over cases, before and after.")

    def _told(self) -> Estimate:
        """How often the damaged mix is predicted to be worse than the undamaged one: one row of each case."""
        return share(sum(row.predicted.undamaged < row.predicted.before for row in self.cases), len(self.cases))

    def _finder(self) -> Table:
        line = (
            self.plan.finder,
            str(len(self.cases)),
            _cell(self._told()),
            figure(estimate(row.predicted.before for row in self.cases).mean, digits=2),
            figure(estimate(row.predicted.undamaged for row in self.cases).mean, digits=2),
        )
        note = (
            "How often the damaged mix gets a higher predicted severity than the undamaged one: where it does not, "
            "predicted quality has nothing to bring back."
        )
        heads = ("encoder", "n", "damage is told", "severity, damaged", "undamaged")
        return Table("What the predicted severity can tell", heads, (line,), note)


MEANS = ("distance_before", "distance_after", "severity_before", "severity_after")


def _has(row: Row, family: str) -> bool:
    return any(family in families for families in row.features.values())


def _back(rows: Sequence[Row]) -> Estimate:
    return share(sum(row.back for row in rows), len(rows))


def _summary(rows: Sequence[Row]) -> dict[str, Any]:
    """What the rows of a method with a reference come to."""
    means = {
        "distance_before": [row.distance().before for row in rows],
        "distance_after": [row.distance().after for row in rows],
        "severity_before": [row.predicted.before for row in rows],
        "severity_after": [row.predicted.after for row in rows],
        "evaluations": [float(row.evaluations) for row in rows],
        "seconds": [row.seconds for row in rows],
    }
    return {
        "back": _back(rows),
        "features": share(sum(row.features_back for row in rows), len(rows)),
        "quality": share(sum(row.quality_back for row in rows), len(rows)),
        "features_of_damaged": share(sum(row.damaged_back for row in rows), len(rows)),
        "features_only": sum(row.features_back and not row.quality_back for row in rows),
        "quality_only": sum(row.quality_back and not row.features_back for row in rows),
        "neither": sum(not row.features_back and not row.quality_back for row in rows),
        **{name: sum(values) / max(1, len(values)) for name, values in means.items()},
    }


def _plain(summary: dict[str, Any]) -> dict[str, Any]:
    """As it stands in a document."""
    return {name: value.as_json() if isinstance(value, Estimate) else value for name, value in summary.items()}


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %" if value == value else ""


def _cell(value: Estimate) -> str:
    """A share with its interval."""
    return f"{_percent(value.mean)} [{100 * value.low:.0f}, {100 * value.high:.0f}]"


def write_outcome(outdir: Path, outcome: UndoOutcome, *, command: str = "") -> None:
    """`result.json`, `tables.md` and `report.html` in a folder, each whole or not at all."""
    tables = outcome.tables()
    shares = {ABOUT[name]: found for name, found in outcome.shares().items()}
    caption = f"How often both come back, with 95 % intervals, by reference; the line is at {100 * AIM:.0f} %."
    pictures = [Picture(data_url(plots.shares_png(shares, AIM, "% of cases")), caption)]
    page = render_template("undo.html.j2", outcome=outcome, tables=tables, pictures=pictures, command=command)
    write_pages(outdir, outcome, markdown("Undoing damage", outcome, tables), page)
