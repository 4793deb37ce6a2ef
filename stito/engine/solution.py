"""What a method found for a pair: settings or a conversion, and how it came to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from stito.effects.chain import Chain, ChainSettings
from stito.models.converter import Conversion
from stito.search.base import Step

__all__ = ["Solution", "is_further"]

ROUNDING = 1e-4


def is_further(after: float, before: float) -> bool:
    """Whether a distance to the reference has grown by more than rounding."""
    return after > before * (1 + ROUNDING) + ROUNDING


@dataclass(frozen=True, eq=False)
class Solution:
    """What a method found for a pair.

    Attributes:
        name: of the pair: a stem, `mix`, or `sum`.
        strips: by stem, a chain and its settings.
        conversions: by stem, what a converter renders instead.
        master: the chain and settings of the sum of several stems; None where there are none.
        faders_db: by stem, its level into the master.
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
        kept: whether the input stays as it is, because all that was found is further from the reference.
        simplified: whether it has only the moves that matter, at the knobs' usual steps.
        worth: of a simplified one, by stem and effect, how far the distance rises where that effect is taken back.
    """

    name: str
    loss_before: float
    loss_after: float
    seconds: float
    stop: str
    strips: Mapping[str, tuple[Chain, ChainSettings]] = field(default_factory=dict)
    conversions: Mapping[str, Conversion] = field(default_factory=dict)
    master: tuple[Chain, ChainSettings] | None = None
    faders_db: Mapping[str, float] = field(default_factory=dict)
    objective_before: float | None = None
    objective_start: float | None = None
    start: str = ""
    evaluations: int = 0
    history: tuple[Step, ...] = ()
    distances: tuple[float, ...] = ()
    same_performance: bool = False
    kept: bool = False
    simplified: bool = False
    worth: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def reduction(self) -> float | None:
        """The reduction of the distance to the reference, in %: positive where it shrank, None if there was none."""
        if self.loss_before < ROUNDING:
            return None
        return 100 * (1 - self.loss_after / self.loss_before)

    @property
    def is_further(self) -> bool:
        """Whether what was found is further from the reference than the input; rounding is no distance."""
        return is_further(self.loss_after, self.loss_before)

    def keeping_input(self) -> Solution:
        """The same search with the input as its result."""
        return replace(
            self,
            strips={stem: (chain.bypassed(), chain.neutral()) for stem, (chain, _) in self.strips.items()}
            | {stem: (Chain("wire", ()), {}) for stem in self.conversions},
            conversions={},
            master=None,
            faders_db={},
            loss_after=self.loss_before,
            kept=True,
            worth={},
        )

    def __repr__(self) -> str:
        return f"Solution({self.name}: distance {self.loss_before:.4f} to {self.loss_after:.4f}; {self.stop})"
