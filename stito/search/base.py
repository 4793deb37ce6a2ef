"""What a search is, and the values that go into and come out of one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

import torch
from torch import Tensor

from stito.errors import SettingsError

__all__ = ["Budget", "Found", "Patience", "Search", "Step", "StopReason"]

FIRST_STEP = 0.3
"""First steps from an informed start, in standard deviations of where the best is expected."""

SEEDS = 2**32
"""Seeds are below this: what every library underneath accepts."""


class StopReason(Enum):
    """Why a search ended, as a sentence."""

    EVALUATIONS = "All evaluations were spent."
    SECONDS = "The time was spent."
    FINISHED = "The search had nothing more to try."
    NO_PROGRESS = "The loss no longer fell."
    INTERRUPTED = "The search was interrupted."


@dataclass(frozen=True)
class Budget:
    """How long a search may take: evaluations, seconds, or whichever is spent first.

    One evaluation is one candidate, however many are rendered together. Evaluations are never exceeded; seconds by
    at most one generation, since a render is not cut short.

    Args:
        evaluations: the most candidates; no limit if not given.
        seconds: the most time, in s; no limit if not given.

    Raises:
        SettingsError: neither is given, or one is not above 0.
    """

    evaluations: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.evaluations is None and self.seconds is None:
            raise SettingsError("A search needs a budget.", hint="Give evaluations, seconds, or both.")
        if self.evaluations is not None:
            _check_count("evaluations", self.evaluations, 1)
        if self.seconds is not None and not (math.isfinite(self.seconds) and self.seconds > 0):
            raise SettingsError(f"seconds = {self.seconds} is no time.", hint="Give a finite number above 0.")


@dataclass(frozen=True)
class Patience:
    """When to give up: the best loss fell by no more than `tolerance` over the last generations or evaluations.

    Args:
        generations: how many, 1 or more.
        tolerance: a difference of losses, 0 or more.
        evaluations: how many, 1 or more, where patience is not measured in generations.

    Raises:
        SettingsError: an argument is outside these ranges, or both measures of patience are given, or none.
    """

    generations: int | None = None
    tolerance: float = 0.0
    evaluations: int | None = None

    def __post_init__(self) -> None:
        if (self.generations is None) == (self.evaluations is None):
            raise SettingsError("Patience is measured in generations or in evaluations.", hint="Give one of them.")
        if self.generations is not None:
            _check_count("patience in generations", self.generations, 1)
        if self.evaluations is not None:
            _check_count("patience in evaluations", self.evaluations, 1)
        if not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise SettingsError(f"tolerance = {self.tolerance} is no loss difference.", hint="Give 0 or more.")


@dataclass(frozen=True, eq=False)
class Step:
    """Where a search stands after a generation.

    `loss` and `theta` (dim,) are the best so far; `generation_loss` is the best of this generation, or None if none
    of its losses was finite.
    """

    evaluations: int
    seconds: float
    loss: float
    generation_loss: float | None
    theta: Tensor


@dataclass(frozen=True, eq=False)
class Found:
    """The best candidate of a search, and how the search went.

    Attributes:
        theta: the best candidate, (dim,) in [0, 1].
        loss: its loss.
        evaluations: how many candidates were evaluated.
        seconds: how long the search took, in s.
        stop: why it ended.
        history: where it stood after each generation.
        detail: the search's own sentence on why it finished, if it did before the budget was spent.
    """

    theta: Tensor
    loss: float
    evaluations: int
    seconds: float
    stop: StopReason
    history: tuple[Step, ...]
    detail: str | None = None


class Search(ABC):
    """A way to find the theta of least loss: it proposes candidates, receives their losses, proposes better ones.

    `stito.search.minimise` drives it and handles the budget, the best so far and losses that are not finite. Subclasses
    write `ask` and `tell`; the same arguments must give the same candidates, bit for bit, and the global random state
    is left alone. The first generation holds `start` exactly, so that a warm start is never lost.

    Args:
        dim: the number of knobs.
        seed: from 0 to 2**32 - 1.
        start: where to begin, (dim,) in [0, 1]; the middle if not given.
        population: candidates per generation; each search has its own default.

    Raises:
        SettingsError: an argument is outside these ranges.
    """

    name: str
    needs_gradient: ClassVar[bool] = False
    """Whether `ask` returns theta with its graph and `tell` wants a loss that can be differentiated."""

    variant_option: ClassVar[str | None] = None
    """The argument that takes what stands behind a colon in the name (`nevergrad:DE`); None where nothing may."""

    def __init__(self, dim: int, *, seed: int, start: Tensor | None = None, population: int | None = None) -> None:
        _check_count("dim", dim, 1)
        _check_count("seed", seed, 0)
        if seed >= SEEDS:
            raise SettingsError(f"seed = {seed} is too large.", hint="Seeds go from 0 to 4294967295.")
        if population is not None:
            _check_count("population", population, 1)
        self.dim = dim
        self.seed = seed
        self.start = _checked_start(start, dim)

    @abstractmethod
    def ask(self) -> Tensor:
        """Candidates to evaluate: (n, dim), float32 in [0, 1]; n may differ each time, 0 only once `finished`."""

    @abstractmethod
    def tell(self, theta: Tensor, loss: Tensor) -> None:
        """Take the losses (n,) of what was asked last: all finite, since what was not became a large penalty."""

    @property
    def finished(self) -> str | None:
        """A sentence on why the search has nothing more to try; None while it goes on."""
        return None

    def plan(self, budget: Budget) -> None:
        """Take the budget, once, before the first `ask`: for searches that schedule what they do."""
        del budget

    def expect(self, std: Tensor) -> None:
        """Take how close to the start the best is expected: a standard deviation for each knob, (dim,), in theta.

        Called once, before the first `ask`, where the search is regularised towards its start; otherwise the best may
        be anywhere. Searches that do not use it need not write it.
        """
        del std

    def close(self) -> None:  # noqa: B027 - most searches hold nothing
        """End threads and free what is held; called once at the end, also after an error."""


def _check_count(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SettingsError(f"{name} = {value!r} cannot be used.", hint=f"Give a whole number, {least} or more.")


def _checked_start(start: Tensor | None, dim: int) -> Tensor:
    if start is None:
        return torch.full((dim,), 0.5)
    if start.shape != (dim,):
        raise SettingsError(f"The start has shape {tuple(start.shape)}, the search has {dim} knobs.")
    start = start.detach().to("cpu", torch.float32, copy=True)
    if not bool(((start >= 0) & (start <= 1)).all()):  # also catches NaN
        raise SettingsError(
            f"The start lies outside [0, 1]: {start.min():g} to {start.max():g}.",
            hint="A start is a theta: Param.to_unit gives it from physical values.",
        )
    return start
