"""A search in stages: some knobs first, then the others around what was found, within one budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from stito.search.base import Budget, Found, Patience, Search, Step, StopReason
from stito.search.driver import minimise
from stito.search.objective import Objective

__all__ = ["Stage", "minimise_in_stages"]

MakeSearch = Callable[["Stage", Tensor], Search]
"""A fresh search for a stage's knobs, from where they stand (dim,)."""


@dataclass(frozen=True, eq=False)
class Stage:
    """One stage: which knobs are turned, and what is minimised meanwhile.

    Attributes:
        name: of the stage.
        objective: makes the objective of whole thetas of the one (dim,) where the stage begins: in all of them the
            knobs that are not turned stand as there.
        knobs: the places in theta (n,) of those that are.
        share: of what is left of the budget when the stage begins.
    """

    name: str
    objective: Callable[[Tensor], Objective]
    knobs: Tensor
    share: float


def minimise_in_stages(
    stages: Sequence[Stage],
    start: Tensor,
    make: MakeSearch,
    *,
    budget: Budget,
    patience: Patience | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> Found:
    """One stage after the other, each with its share of what the budget has left; Ctrl-C ends all of them.

    The result, its history and its steps are those of one search over whole thetas (dim,). Stages without a knob, or
    for which nothing is left, are left out.

    Args:
        stages: in their order; the objectives' losses must agree where their thetas do.
        start: theta (dim,) where the first stage begins.
        make: the search of a stage.
        budget: of all stages together.
        patience: of each stage.
        on_step: called after each generation.

    Raises:
        KeyboardInterrupt: interrupted before there was any result.
    """
    found: Found | None = None
    for stage in stages:
        theta = start if found is None else found.theta
        left = _left(budget, stage.share, found)
        if left is None or not len(theta[stage.knobs]):
            continue
        try:
            made = minimise(
                _of_knobs(stage, theta),
                make(stage, theta[stage.knobs]),
                budget=left,
                patience=patience,
                on_step=_reporter(on_step, stage, theta, found),
            )
        except KeyboardInterrupt:
            if found is None:
                raise
            return replace(found, stop=StopReason.INTERRUPTED, detail=None)
        found = _after(found, stage, theta, made)
        if found.stop is StopReason.INTERRUPTED:
            break
    assert found is not None
    return found


def _left(budget: Budget, share: float, found: Found | None) -> Budget | None:
    """A share of what is left of a budget; None where nothing is."""
    evaluations, seconds = budget.evaluations, budget.seconds
    if found is not None:
        evaluations = None if evaluations is None else evaluations - found.evaluations
        seconds = None if seconds is None else seconds - found.seconds
    if (evaluations is not None and evaluations < 1) or (seconds is not None and seconds <= 0):
        return None
    return Budget(
        None if evaluations is None else math.ceil(share * evaluations), None if seconds is None else share * seconds
    )


def _whole(stage: Stage, theta: Tensor, rows: Tensor) -> Tensor:
    """Thetas (b, dim) in which a stage's knobs stand at `rows` (b, n), and the others where they are."""
    return theta.to(rows).expand(len(rows), -1).index_copy(1, stage.knobs.to(rows.device), rows)


def _of_knobs(stage: Stage, theta: Tensor) -> Callable[[Tensor], Tensor]:
    objective = stage.objective(theta)
    return lambda rows: objective(_whole(stage, theta, rows))


def _step(step: Step, stage: Stage, theta: Tensor, before: Found | None) -> Step:
    """A stage's step as one of the whole search."""
    best = _whole(stage, theta, step.theta[None])[0]
    if before is None:
        return replace(step, theta=best)
    nearer = step.loss <= before.loss
    return Step(
        before.evaluations + step.evaluations,
        before.seconds + step.seconds,
        step.loss if nearer else before.loss,
        step.generation_loss,
        best if nearer else before.theta,
    )


def _reporter(
    on_step: Callable[[Step], None] | None, stage: Stage, theta: Tensor, before: Found | None
) -> Callable[[Step], None] | None:
    return on_step and (lambda step: on_step(_step(step, stage, theta, before)))


def _after(before: Found | None, stage: Stage, theta: Tensor, made: Found) -> Found:
    """The whole search so far."""
    steps = [_step(step, stage, theta, before) for step in made.history]
    return Found(
        theta=steps[-1].theta,
        loss=steps[-1].loss,
        evaluations=(before.evaluations if before else 0) + made.evaluations,
        seconds=(before.seconds if before else 0.0) + made.seconds,
        stop=made.stop,
        history=(*(before.history if before else ()), *steps),
        detail=made.detail,
    )
