"""Any optimiser of nevergrad, by its name there."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import nevergrad as ng
import numpy as np
import torch
from nevergrad.common.errors import FinishedUnderlyingOptimizerWarning, TellNotAskedNotSupportedError
from nevergrad.optimization.base import Optimizer
from nevergrad.optimization.recaster import MessagingThread, RecastOptimizer
from torch import Tensor

from stito.errors import MissingDependencyError, SearchError, UnknownNameError
from stito.search.base import FIRST_STEP, Budget, Search

__all__ = ["Nevergrad"]

USUAL_BUDGET = 2000
"""The number of evaluations for optimisers that need one, when the budget has none."""

SIGNALS = 10
PATIENCE_S = 1.0
"""How often a thread is asked to end, and how long it may take each time."""


class Nevergrad(Search):
    """One of nevergrad's optimisers (Rapin and Teytaud 2018), on a box [0, 1].

    The default is the best of those measured on ill-conditioned, stepped and bumpy quadratics in 25 dimensions with
    1500 evaluations, sixteen at a time: diagonal CMA, ahead of CMA, NGOpt, TBPSA, the differential evolutions and PSO.

    Args:
        dim, seed, start: as for every `Search`.
        population: candidates per generation, 16 if not given; an optimiser that cannot work in batches gets one.
        optimiser: a name of nevergrad's registry, such as `NGOpt`, `TwoPointsDE`, `Powell`.

    Raises:
        UnknownNameError: nevergrad has no optimiser of that name.
        MissingDependencyError: the optimiser needs a package that is not installed.
        SearchError: the optimiser failed before its first candidate; one that fails later has `finished`.
    """

    name = "nevergrad"
    variant_option = "optimiser"

    def __init__(
        self,
        dim: int,
        *,
        seed: int,
        start: Tensor | None = None,
        population: int | None = None,
        optimiser: str = "DiagonalCMA",
    ) -> None:
        super().__init__(dim, seed=seed, start=start, population=population)
        if optimiser not in ng.optimizers.registry:
            raise _unknown(optimiser)
        self.name = f"nevergrad:{optimiser}"
        self._optimiser_name = optimiser
        self._population = population or 16
        # In one dimension nevergrad breaks its own registry for the rest of the process (`_CMA.es` writes into the
        # shared configuration): a second, idle knob keeps the only one company and is never shown.
        self._first = np.full(max(dim, 2), 0.5)
        self._first[:dim] = self.start.numpy()
        self._first_step: float | None = None
        self._finished: str | None = None
        self._asked: list[ng.p.Array] = []
        self._begin(USUAL_BUDGET)

    def plan(self, budget: Budget) -> None:
        """Begin anew with the number of evaluations, by which many optimisers choose what to do."""
        if budget.evaluations is not None:
            self._begin(budget.evaluations)

    def expect(self, std: Tensor) -> None:
        """Begin anew with steps that are small beside `std`, for the optimisers that take a first step size."""
        self._first_step = FIRST_STEP * float(std.mean())
        self._begin(USUAL_BUDGET)

    def ask(self) -> Tensor:
        """The next generation: (n, dim), the first with the start in front; empty once the optimiser is done."""
        self._asked = []
        if self._count == 0:
            self._asked.append(self._box.spawn_child(new_value=self._first))
        # Samplers fail when asked for more than they planned, so the last generation is no larger than it must be.
        left = self._planned - self._count
        wanted = min(self._workers, left) if left > 0 else self._workers
        with self._surviving():
            while len(self._asked) < wanted and self._finished is None:
                self._ask_one()
        self._count += len(self._asked)
        if not self._asked:
            return torch.empty(0, self.dim)
        rows = np.stack([candidate.value[: self.dim] for candidate in self._asked])
        return torch.from_numpy(rows.astype(np.float32)).clamp_(0, 1)

    def tell(self, theta: Tensor, loss: Tensor) -> None:
        """Pass the losses on."""
        del theta  # nevergrad wants its own candidates back
        with self._surviving():
            for candidate, value in zip(self._asked, loss.tolist(), strict=True):
                with suppress(TellNotAskedNotSupportedError):  # the start: some accept only what they asked for
                    self._optimiser.tell(candidate, value)

    @property
    def finished(self) -> str | None:
        """That the optimiser converged or failed, if so."""
        return self._finished

    def close(self) -> None:
        """End the threads in which some optimisers wait for losses: they would keep the process from exiting."""
        for optimiser in _nested(self._optimiser):
            if isinstance(optimiser, RecastOptimizer) and optimiser._messaging_thread is not None:
                _end(optimiser._messaging_thread)

    def _begin(self, evaluations: int) -> None:
        self._planned = evaluations
        self._count = 0
        # nevergrad draws from its own generator, but some optimisers also from numpy's global one.
        self._global_state = np.random.RandomState(self.seed).get_state()
        with self._isolated():
            self._optimiser = self._make(evaluations, workers=1)
            self._workers = 1
            sequential = any(optimiser.no_parallelization for optimiser in _nested(self._optimiser))
            if self._population > 1 and not sequential:
                self._optimiser = self._make(evaluations, workers=self._population)
                self._workers = self._population

    def _make(self, evaluations: int, *, workers: int) -> Optimizer:
        self._box = ng.p.Array(init=self._first, lower=0.0, upper=1.0)
        if self._first_step is not None:
            self._box.set_mutation(sigma=self._first_step)
        self._box.random_state = np.random.RandomState(self.seed)
        make = ng.optimizers.registry[self._optimiser_name]
        optimiser: Optimizer = make(self._box, budget=evaluations, num_workers=workers)
        return optimiser

    def _ask_one(self) -> None:
        if isinstance(self._optimiser, RecastOptimizer):
            # Without this a finished optimiser would go on with random points.
            warnings.simplefilter("error", FinishedUnderlyingOptimizerWarning)
        try:
            self._asked.append(self._optimiser.ask())
        except FinishedUnderlyingOptimizerWarning:
            self._optimiser._check_error()  # it may also have died
            self._finished = f"{self._optimiser_name} converged."

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        """Finish where an optimiser fails after its first candidate: what was found by then is still good."""
        try:
            with self._isolated():
                yield
        except (MissingDependencyError, SearchError) as error:
            if self._optimiser.num_ask == 0:
                raise
            self._finished = error.message

    @contextmanager
    def _isolated(self) -> Iterator[None]:
        """Silence nevergrad, keep its global random numbers apart from everyone else's, and translate its errors.

        What an optimiser's own thread does while the losses are computed is out of reach.
        """
        outside = np.random.get_state()
        np.random.set_state(self._global_state)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except Exception as error:
            raise self._translated(error) from error
        finally:
            self._global_state = np.random.get_state()
            np.random.set_state(outside)

    def _translated(self, error: Exception) -> MissingDependencyError | SearchError:
        cause = error.__cause__ or error  # what happened in a thread comes wrapped
        if isinstance(cause, ImportError):
            return MissingDependencyError(
                f"nevergrad's {self._optimiser_name} needs a package that is not installed: {cause}",
                hint="Install it, or take another optimiser such as nevergrad:TwoPointsDE.",
            )
        return SearchError(
            f"nevergrad's {self._optimiser_name} failed: {cause}", hint="Take another optimiser, or cma."
        )


def _end(thread: MessagingThread) -> None:
    for _ in range(SIGNALS):  # an optimiser may catch the signal and ask on
        if not thread.is_alive():
            return
        thread.stop()
        thread._thread.join(PATIENCE_S)


def _nested(root: Optimizer) -> Iterator[Optimizer]:
    """An optimiser and all those that it is made of, however they are kept."""
    seen: set[int] = set()
    waiting: list[Any] = [root]
    while waiting:
        item = waiting.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        if isinstance(item, Optimizer):
            yield item
            waiting.extend(vars(item).values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())


def _unknown(name: str) -> UnknownNameError:
    """Suggests similar names, whatever their case; the registry is too long to list."""
    names = {known.casefold(): known for known in ng.optimizers.registry}
    near = [names[key] for key in difflib.get_close_matches(name.casefold(), names, n=3, cutoff=0.5)]
    hint = f"Did you mean {' or '.join(near)}?" if near else "Some are NGOpt, DiagonalCMA, TwoPointsDE and Powell."
    return UnknownNameError(f"nevergrad has no optimiser '{name}'.", hint=hint)
