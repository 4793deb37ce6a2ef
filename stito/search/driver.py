"""The one loop under every search: budget, best so far, losses that are not finite, history and the reason to stop."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable

import torch
from torch import Tensor

from stito.errors import PluginError, SearchError, SettingsError
from stito.search.base import Budget, Found, Patience, Search, Step, StopReason
from stito.search.factory import create

__all__ = ["Loss", "minimise"]

Loss = Callable[[Tensor], Tensor]
"""Losses (n,) of candidates (n, dim)."""

FIRST_PENALTY = 1e6
"""The loss that stands for one that is not finite, as long as none was finite."""


def minimise(
    loss_fn: Loss,
    search: Search | str,
    *,
    budget: Budget,
    dim: int | None = None,
    seed: int = 0,
    start: Tensor | None = None,
    population: int | None = None,
    on_step: Callable[[Step], None] | None = None,
    patience: Patience | None = None,
) -> Found:
    """Run a search and return the best candidate seen.

    >>> found = minimise(lambda theta: (theta - 0.3).square().sum(1), "cma", dim=4, budget=Budget(evaluations=300))
    >>> bool((found.theta - 0.3).abs().max() < 0.05)
    True

    It ends when the budget is spent, when it has nothing more to try, when patience runs out, or at Ctrl-C.

    The search is closed in any case. A candidate whose loss is not finite counts as evaluated, is never the best, and
    is reported to the search as worse than all others. A last generation that does not fit the budget is cut and not
    reported to it. Searches with
    `needs_gradient` are evaluated with gradients on, all others with gradients off.

    Args:
        loss_fn: losses (n,) of candidates (n, dim); each row must depend on its own candidate alone.
        search: a fresh one, or the name of one (`cma`, `nevergrad:DE`), which is made of the arguments that follow.
        dim: the number of knobs.
        seed: same seed, same candidates.
        start: where to begin, (dim,) in [0, 1]; the middle if not given.
        population: candidates per generation; each search has its own default.
        budget: evaluations, seconds, or both.
        on_step: called after each generation, from the first with a finite loss on.
        patience: when to give up on a loss that no longer falls; never if not given.

    Returns:
        The best candidate, with the history of the search and the reason why it ended.

    Raises:
        SettingsError, UnknownNameError: a search by name without `dim`, with an argument outside its range, or unknown.
        SearchError: no candidate had a finite loss, or the losses have the wrong shape.
        PluginError: the search asked for something that is not a theta.
        KeyboardInterrupt: interrupted before there was any result.
    """
    if isinstance(search, str):
        if dim is None:
            raise SettingsError("A search by name needs to know how many knobs there are.", hint="Give dim=chain.dim.")
        search = create(search, dim, seed=seed, start=start, population=population)
    ledger = _Ledger()
    try:
        with torch.set_grad_enabled(search.needs_gradient):
            search.plan(budget)
            stop = _loop(loss_fn, search, budget, patience, ledger, on_step)
    except KeyboardInterrupt:
        if ledger.theta is None:
            raise
        stop = StopReason.INTERRUPTED
    finally:
        search.close()
    if ledger.theta is None:
        raise SearchError(
            f"None of the {ledger.evaluations} candidates had a finite loss.",
            hint="Check the input for silence and for values that are not finite, or start from other settings.",
        )
    return Found(
        theta=ledger.theta,
        loss=ledger.loss,
        evaluations=ledger.evaluations,
        seconds=ledger.seconds,
        stop=stop,
        history=tuple(ledger.steps),
        detail=search.finished if stop is StopReason.FINISHED else None,
    )


def _loop(
    loss_fn: Loss,
    search: Search,
    budget: Budget,
    patience: Patience | None,
    ledger: _Ledger,
    on_step: Callable[[Step], None] | None,
) -> StopReason:
    while True:
        if budget.seconds is not None and ledger.seconds >= budget.seconds:
            return StopReason.SECONDS
        asked = search.ask()
        _check_asked(asked, search)
        if len(asked) == 0:
            return StopReason.FINISHED
        theta = asked if budget.evaluations is None else asked[: budget.evaluations - ledger.evaluations]
        loss = _evaluate(loss_fn, theta)
        step = ledger.enter(theta, loss)
        if step is not None and on_step is not None:
            on_step(step)
        if len(theta) < len(asked):
            return StopReason.EVALUATIONS
        search.tell(theta, torch.where(torch.isfinite(loss), loss, ledger.penalty(loss.dtype)))
        if search.finished is not None:
            return StopReason.FINISHED
        if ledger.evaluations == budget.evaluations:
            return StopReason.EVALUATIONS
        if patience is not None and ledger.stalled(patience):
            return StopReason.NO_PROGRESS


def _check_asked(theta: Tensor, search: Search) -> None:
    if theta.dim() != 2 or not theta.is_floating_point():
        raise PluginError(f"The search '{search.name}' asked for a {theta.dtype} tensor of {tuple(theta.shape)}.")
    if not bool(((theta >= 0) & (theta <= 1)).all()):
        raise PluginError(f"The search '{search.name}' asked for candidates outside [0, 1].")
    if len(theta) == 0 and search.finished is None:
        raise PluginError(f"The search '{search.name}' asked for nothing, and does not say that it is finished.")


def _evaluate(loss_fn: Loss, theta: Tensor) -> Tensor:
    loss = loss_fn(theta)
    if loss.shape != (len(theta),) or not loss.is_floating_point():
        raise SearchError(f"{len(theta)} candidates got {loss.dtype} losses of shape {tuple(loss.shape)}.")
    return loss.cpu()


class _Ledger:
    """What is written down of a search while it runs."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self._worst = -float("inf")
        self.theta: Tensor | None = None
        self.loss = float("inf")
        self.evaluations = 0
        self.steps: list[Step] = []

    @property
    def seconds(self) -> float:
        """Since the search began."""
        return time.perf_counter() - self._begun

    def enter(self, theta: Tensor, loss: Tensor) -> Step | None:
        """Count a generation and keep its best; None while no loss was ever finite."""
        self.evaluations += len(theta)
        loss = loss.detach()
        finite = torch.isfinite(loss)
        best: float | None = None
        if bool(finite.any()):
            self._worst = max(self._worst, float(loss[finite].max()))
            row = int(torch.where(finite, loss, torch.inf).argmin())
            best = float(loss[row])
            if best < self.loss:
                self.theta, self.loss = theta[row].detach().clone(), best
        if self.theta is None:
            return None
        self.steps.append(Step(self.evaluations, self.seconds, self.loss, best, self.theta))
        return self.steps[-1]

    def penalty(self, dtype: torch.dtype) -> Tensor:
        """A finite loss above all those seen."""
        any_finite = self.theta is not None
        value = self._worst + abs(self._worst) + 1 if any_finite else FIRST_PENALTY
        return torch.tensor(min(value, torch.finfo(dtype).max), dtype=dtype)

    def stalled(self, patience: Patience) -> bool:
        """Whether the best loss fell too little for too long."""
        if patience.generations is not None:
            then = len(self.steps) - 1 - patience.generations
        else:
            assert patience.evaluations is not None
            then = (
                bisect_right(self.steps, self.evaluations - patience.evaluations, key=lambda step: step.evaluations) - 1
            )
        return then >= 0 and self.steps[then].loss - self.loss <= patience.tolerance
