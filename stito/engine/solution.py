"""What a method found for a pair: settings or a conversion, and how it came to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from stito.effects.chain import Chain, ChainSettings
from stito.models.converter import Conversion
from stito.search.base import Step

__all__ = ["Solution"]


@dataclass(frozen=True, eq=False)
class Solution:
    """What a method found for a pair.

    Attributes:
        name: of the pair: a stem, `mix`, or `sum`.
        strips: by stem, a chain and its settings.
        conversions: by stem, what a converter renders instead.
        loss_before: the distance of the untouched input to the reference.
        loss_after: that of the solution.
        objective_before: the untouched input's objective, with the prior, as the losses in `history` are. Where the
            prior is around a start, it would measure how far the input is from that, and is None.
        objective_start: the objective where the search set out.
        start: the name of that place.
        evaluations: candidates that were tried.
        seconds: that it took.
        stop: a sentence on why it ended.
        history: the best so far after each generation.
        distances: those of the best so far, without the prior.
        same_performance: whether input and reference play the same notes at the same time.
    """

    name: str
    loss_before: float
    loss_after: float
    seconds: float
    stop: str
    strips: Mapping[str, tuple[Chain, ChainSettings]] = field(default_factory=dict)
    conversions: Mapping[str, Conversion] = field(default_factory=dict)
    objective_before: float | None = None
    objective_start: float | None = None
    start: str = ""
    evaluations: int = 0
    history: tuple[Step, ...] = ()
    distances: tuple[float, ...] = ()
    same_performance: bool = False

    @property
    def reduction(self) -> float | None:
        """The reduction of the distance to the reference, in %: positive where it shrank, None if there was none."""
        return 100 * (1 - self.loss_after / self.loss_before) if self.loss_before > 0 else None

    def __repr__(self) -> str:
        return f"Solution({self.name}: distance {self.loss_before:.4f} to {self.loss_after:.4f}; {self.stop})"
