"""What an evaluation of encoders found, with what it was found on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stito.evaluation.encoders.cases import Plan
from stito.evaluation.encoders.disentanglement import MEASURES, Disentanglement
from stito.evaluation.encoders.retrieval import Retrieval
from stito.evaluation.encoders.sensitivity import Sensitivity
from stito.evaluation.table import finite

__all__ = ["Outcome"]


@dataclass(frozen=True)
class Outcome:
    """All parts of the evaluation; `data` names in one sentence the music it was done on.

    `encoders` gives for each label the digest of its weights, or nothing where it has none.
    """

    encoders: Mapping[str, str]
    data: str
    plan: Plan
    disentanglement: Disentanglement
    retrieval: tuple[Retrieval, ...] = ()
    sensitivity: tuple[Sensitivity, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """What `result.json` holds: each score of each draw, and what they come to."""
        return {
            "format": "stito.disentanglement",
            "version": 1,
            "data": self.data,
            "plan": asdict(self.plan),
            "encoders": {label: {"digest": digest, **self._summary(label)} for label, digest in self.encoders.items()},
            "scores": [finite(asdict(score)) for score in self.disentanglement.scores],
        }

    def _summary(self, encoder: str) -> dict[str, Any]:
        columns = {
            f"{'multitrack' if multitrack else 'single_stem'}_{'full' if full else 'single'}_fx": {
                measure: self.disentanglement.over_draws(measure, encoder, multitrack=multitrack, full=full).as_json()
                for measure in MEASURES
            }
            for full in (True, False)
            for multitrack in (True, False)
        }
        return {
            "table": columns,
            "retrieval": {
                of.subject: {
                    "candidates": of.candidates,
                    "queries": of.queries,
                    "top1": of.found.as_json(),
                    "own_among_candidates": of.own,
                    "top1_hard": of.hard.as_json(),
                }
                for of in self.retrieval
                if of.encoder == encoder
            },
            "sensitivity": {
                of.effect: {
                    "same_content": of.same_content.as_json(),
                    "other_content": of.other_content.as_json(),
                }
                for of in self.sensitivity
                if of.encoder == encoder
            },
        }
