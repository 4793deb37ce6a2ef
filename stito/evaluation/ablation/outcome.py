"""What an ablation found: each variant beside the full recipe, over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from stito.evaluation.ablation.rows import Detection, Row
from stito.evaluation.ablation.variants import FULL
from stito.evaluation.degradations.outcome import ALL
from stito.evaluation.statistics import Estimate, estimate
from stito.evaluation.table import Table, figure

__all__ = ["Outcome"]

Value = Callable[[Row], float]
Judge = Callable[[Row], Detection]
JUDGED = "0.5"
"""The severity at which variants are compared, if it was tried."""


@dataclass(frozen=True)
class Outcome:
    """The rows of all variants and seeds, and what they were trained and tried on in a sentence."""

    recipe: str
    data: str
    steps: int
    rows: Sequence[Row]

    @property
    def variants(self) -> list[str]:
        """Their names, the full recipe first."""
        return list(dict.fromkeys(row.variant for row in sorted(self.rows, key=lambda row: row.variant != FULL)))

    @property
    def seeds(self) -> int:
        """How many trainings there are of the full recipe."""
        return sum(row.variant == FULL for row in self.rows)

    @property
    def judge(self) -> Judge:
        """What variants are compared by: what the networks themselves predict, where they do; else a head."""
        return _own if all(row.own for row in self.rows) else _head

    @property
    def severities(self) -> list[str]:
        """At which degraded mixes were tried."""
        return list(self.rows[0].head.auc)

    @property
    def severity(self) -> str:
        """The one at which variants are compared."""
        return JUDGED if JUDGED in self.severities else self.severities[-1]

    def values(self, variant: str, value: Value) -> list[float]:
        """A figure of each training of a variant, in the order of seeds."""
        return [value(row) for row in sorted(self.rows, key=lambda row: row.seed) if row.variant == variant]

    def against_full(self, variant: str, value: Value) -> Estimate:
        """How much a variant has more than the full recipe of the same seed."""
        full = {row.seed: value(row) for row in self.rows if row.variant == FULL}
        ours = {row.seed: value(row) for row in self.rows if row.variant == variant}
        return estimate(ours[seed] - full[seed] for seed in sorted(ours) if seed in full)

    def points(self) -> dict[str, list[float]]:
        """The AUC of each training, by variant: what the picture shows."""
        return {variant: self.values(variant, _auc(self.judge, self.severity)) for variant in self.variants}

    def tables(self) -> list[Table]:
        """Variants by what their networks predict, then by a head on their embeddings; and AUC by fault."""
        judges = {"what they predict themselves": _own} if self.judge is _own else {}
        judges["the same head"] = _head
        return [*(self._table(name, judge) for name, judge in judges.items()), self._by_fault()]

    def _table(self, name: str, judge: Judge) -> Table:
        """AUC by severity, rank correlation, and what is gained against the full recipe."""
        values: list[Value] = [_auc(judge, severity) for severity in self.severities]
        values.append(lambda row: judge(row).correlation[ALL])
        compared = _auc(judge, self.severity)
        rows = tuple(
            (
                variant,
                *(_cell(estimate(self.values(variant, value))) for value in values),
                "" if variant == FULL else _cell(self.against_full(variant, compared)),
            )
            for variant in self.variants
        )
        heads = (*(f"AUC, {severity}" for severity in self.severities), "rank correlation")
        note = (
            f"How well degraded mixes are told from good ones, by severity. Means over {self.seeds} seeds with 95 % "
            f"intervals (Student's t), each of {self.steps} steps. The last column is AUC at {self.severity} less that "
            "of the full recipe with the same seed."
        )
        return Table(f"Variants by {name}", ("variant", *heads, "against full"), rows, note)

    def _by_fault(self) -> Table:
        """The mean AUC of each fault."""
        faults = [name for name in self.rows[0].head.auc[self.severity] if name != ALL]
        rows = tuple(
            (fault, *(figure(self._mean(variant, fault), digits=2) for variant in self.variants)) for fault in faults
        )
        return Table(f"AUC by fault, severity {self.severity}", ("fault", *self.variants), rows)

    def _mean(self, variant: str, fault: str) -> float:
        return estimate(self.values(variant, _auc(self.judge, self.severity, fault))).mean

    def as_json(self) -> dict[str, Any]:
        """What `result.json` holds."""
        auc = _auc(self.judge, self.severity)
        return {
            "format": "stito.ablation",
            "version": 1,
            "recipe": self.recipe,
            "data": self.data,
            "steps": self.steps,
            "judge": "own faults" if self.judge is _own else "head",
            "severity": float(self.severity),
            "variants": {
                variant: {
                    "auc": estimate(self.values(variant, auc)).as_json(),
                    "against_full": self.against_full(variant, auc).as_json(),
                }
                for variant in self.variants
            },
            "rows": [asdict(row) for row in self.rows],
        }


def _own(row: Row) -> Detection:
    assert row.own is not None
    return row.own


def _head(row: Row) -> Detection:
    return row.head


def _auc(judge: Judge, severity: str, fault: str = ALL) -> Value:
    return lambda row: judge(row).auc[severity][fault]


def _cell(value: Estimate) -> str:
    """A mean with half of its interval, where there is one."""
    margin = figure(value.margin, digits=2)
    return figure(value.mean, digits=2) + (f" ± {margin}" if value.draws > 1 else "")
