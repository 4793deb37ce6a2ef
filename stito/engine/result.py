"""Progress of a transfer, the settings that it found, and the audio that they make."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from stito.console.preset import Preset
from stito.console.strips import Rendered
from stito.effects.chain import ChainSettings
from stito.engine.solution import Solution
from stito.search.base import Budget, Step

__all__ = ["OnStep", "Outcome", "Progress", "Solved"]


@dataclass(frozen=True, eq=False)
class Progress:
    """Where a transfer stands, and how the search does.

    Attributes:
        phase: `read`, `separate`, `load`, `measure`, `excerpts`, `search`, `starts`, `simplify`, `render`, `write` or
            `report`.
        name: what is being worked on, such as a stem.
        index: which one it is of `count`.
        share: what is done of a separation.
    """

    phase: str
    name: str
    index: int
    count: int
    budget: Budget | None = None
    step: Step | None = None
    share: float | None = None


OnStep = Callable[[Progress], None]
"""Called after every generation of a search, before every rendering, and when anything else begins."""


@dataclass(frozen=True, eq=False)
class Solved:
    """Settings for every stem, before rendering settles their levels.

    Attributes:
        solutions: by the name of the pair: a stem, `mix`, or `sum` for stems that were matched jointly.
        preset: the same as it is kept on disk; its faders are still to be settled (`Preset.target_lufs`).
        notes: what was and what was not matched, in sentences.
        interrupted: whether Ctrl-C ended it, with the best so far.
    """

    solutions: Mapping[str, Solution]
    preset: Preset
    notes: tuple[str, ...] = ()
    interrupted: bool = False

    def __repr__(self) -> str:
        return f"Solved({', '.join(self.solutions)})"


@dataclass(frozen=True, eq=False)
class Outcome:
    """A finished transfer: settled settings, the audio that they make, and how they were found.

    Attributes:
        preset: the settings as they are kept on disk.
        rendered: stems and their sum.
        solved: how the settings were found.
        notes: what was and what was not matched, in sentences.
        render_seconds: what rendering took.
    """

    preset: Preset
    rendered: Rendered
    solved: Solved
    notes: tuple[str, ...] = ()
    render_seconds: float = 0.0

    @property
    def settings(self) -> dict[str, ChainSettings]:
        """Physical settings: by stem, and `master` if there is one, by the effect's label in the chain, by knob."""
        return {name: strip.build()[1] for name, strip in self.preset.strips().items()}

    @property
    def audio(self) -> Tensor:
        """The result (channels, t): the sum of the stems, at `sample_rate`."""
        return self.rendered.mix

    @property
    def stems(self) -> Mapping[str, Tensor]:
        """The stems (channels, t) as they stand in the sum; where there is a master, as they go into it."""
        return self.rendered.stems

    @property
    def sample_rate(self) -> int:
        """The input's own, in Hz."""
        return self.rendered.sample_rate

    @property
    def solutions(self) -> Mapping[str, Solution]:
        """How each pair was solved: losses, evaluations, history."""
        return self.solved.solutions

    @property
    def reduction(self) -> dict[str, float | None]:
        """By pair, the reduction of its distance to the reference, in %: positive where it shrank."""
        return {name: solution.reduction for name, solution in self.solutions.items()}
