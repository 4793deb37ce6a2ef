"""Everything that evaluations report of a result: the installed metrics, and what only an evaluation can measure."""

from __future__ import annotations

from dataclasses import dataclass

from stito.metrics import Better, load_metrics

__all__ = ["Measure", "measures"]


@dataclass(frozen=True)
class Measure:
    """The name of a number, its unit, which way is better, and its definition in one sentence."""

    name: str
    unit: str
    better: Better
    doc: str

    def __str__(self) -> str:
        return f"{self.name}{f' ({self.unit})' if self.unit else ''}: {self.doc}"


OF_CASES = (
    Measure("to_reference", "", "less", "Distance to the reference in the embedding of the evaluation encoder."),
    Measure("to_truth", "", "less", "Distance to the truth in the embedding of the evaluation encoder."),
    Measure(
        "truth_to_reference",
        "",
        "neither",
        "The truth's own distance to the reference: that of other music under the same effects.",
    ),
    Measure(
        "knobs_off", "", "less", "Mean distance of the knobs from their target settings, as a part of their range."
    ),
    Measure("moves", "", "less", "Knobs off neutral in a stem's strip, mean over stems; bypassed effects have none."),
    Measure("sdr_db", "dB", "more", "Scale-invariant signal-to-distortion ratio of the separated reference."),
)
"""What needs more than two sounds: an evaluation encoder, target settings, a separator."""


def measures() -> dict[str, Measure]:
    """All of them by name, the metrics first; metrics compare the result with the truth."""
    metrics = (Measure(of.name, of.unit, of.better, of.doc) for of in load_metrics().values())
    return {measure.name: measure for measure in (*metrics, *OF_CASES)}
