"""Any search as a method: from a start that can be trusted, under a prior around it, until the budget is spent."""

from __future__ import annotations

import time

from torch import Tensor

from stito.engine.context import Context
from stito.engine.options import AUTO, MATCH, NEUTRAL
from stito.engine.pairs import PairExcerpts
from stito.engine.solution import Solution
from stito.engine.starts import Problem, pose, solution_from
from stito.errors import ChainError
from stito.search.base import Budget, Found, Patience, Search, StopReason
from stito.search.driver import minimise
from stito.search.factory import create
from stito.search.objective import Prior
from stito.search.stages import Stage, minimise_in_stages
from stito.streams import Purpose, derived_seed

__all__ = ["BUS_EVALUATIONS", "EVALUATIONS", "SAME_STYLE", "SearchMethod"]

EVALUATIONS = 1000
"""Candidates of a search where no budget is named and no network guides it."""

BUS_EVALUATIONS = 480
"""The same for other music's stems under a master: its stages are short of the patience that ends longer searches."""

PATIENCE = 150
"""Evaluations over which a search without a budget has to gain something."""

LEAST_GAIN = 0.01
"""What counts as a gain, as a share of the input's distance to the reference."""

CLOSER = 0.25
"""First steps on a bus, as a share of those elsewhere: among so many knobs larger ones cost more than they gain."""

SAME_STYLE = "The start is as close to the reference as other music under the same effects; nothing was searched."

SAME_SOUND = "The input is what the reference is; nothing was searched."

FROZEN = "All knobs of the chain are frozen; nothing was searched."


class SearchMethod:
    """The search of that name (`cma`, `nevergrad:DE`) as a method."""

    direct, joint = False, True

    def __init__(self, name: str) -> None:
        self.name = name

    def check(self, context: Context) -> None:
        """Whether the search exists, and has the gradient that it needs."""
        chain = context.chain
        search = create(self.name, max(1, chain.dim), seed=context.seed)
        search.close()
        chains = [chain, context.master] if context.master else [chain]
        if search.needs_gradient and not all(one.differentiable for one in chains):
            names = [slot.label for one in chains for slot in one.slots if not slot.effect.differentiable]
            raise ChainError(
                f"The {self.name} search needs differentiable effects; {', '.join(names)} cannot be differentiated.",
                hint="Use --method cma, or a chain of stito's own effects such as mixing.",
            )

    def solve(self, pair: PairExcerpts, context: Context) -> Solution:
        """Search from the start that `init` names; interrupted take the closed form, with nothing to gain the start."""
        started = time.perf_counter()
        same, init = pair.is_the_same, MATCH if context.interrupted else context.options.init
        if same and init == AUTO:
            init = NEUTRAL
        problem = pose(pair, context, wanted=init)
        start = problem.choose(init)
        budget = None if same else context.budget or _allowance(problem, start)
        theta = problem.starts[start]
        if context.interrupted or budget is None or not len(theta):
            stop = (SAME_SOUND if same else SAME_STYLE) if len(theta) else FROZEN
            stop = StopReason.INTERRUPTED.value if context.interrupted else stop
            return solution_from(pair, context, problem, start, started=started, stop=stop)
        prior, patience = problem.prior_around(start), _patience(problem, context)
        if problem.stages:
            found = self._in_stages(problem, prior, theta, budget, patience, context)
        else:
            search = create(self.name, len(theta), seed=context.seed, start=theta)
            if prior is not None and prior is not problem.prior:
                search.expect(prior.std.cpu())
            found = minimise(
                problem.objective.with_prior(prior),
                search,
                budget=budget,
                on_step=context.on_step,
                patience=patience,
            )
        stop = found.detail or found.stop.value
        return solution_from(pair, context, problem, start, started=started, stop=stop, found=found)

    def _in_stages(
        self,
        problem: Problem,
        prior: Prior | None,
        theta: Tensor,
        budget: Budget,
        patience: Patience | None,
        context: Context,
    ) -> Found:
        """A bus: the master and the faders, then each strip."""

        def make(stage: Stage, start: Tensor) -> Search:
            seed = derived_seed(context.seed, Purpose.STEM_SEARCH, stage.name)
            search = create(self.name, len(start), seed=seed, start=start)
            if prior is not None:
                search.expect((CLOSER * prior.std[stage.knobs]).cpu())
            return search

        return minimise_in_stages(
            problem.stages_under(prior), theta, make, budget=budget, patience=patience, on_step=context.on_step
        )

    def __repr__(self) -> str:
        return f"SearchMethod({self.name})"


def _patience(problem: Problem, context: Context) -> Patience | None:
    """When a search may give up: never where a budget is named, and no patience."""
    evaluations = context.options.patience or (PATIENCE if context.budget is None else None)
    gain = LEAST_GAIN * problem.distance(NEUTRAL)
    return None if evaluations is None else Patience(evaluations=evaluations, tolerance=gain)


def _allowance(problem: Problem, start: str) -> Budget | None:
    """The budget where none is named; None where the start is closer than other music in the same style."""
    if problem.guidance is None or problem.prior is None:
        return Budget(BUS_EVALUATIONS if problem.bus and problem.prior else EVALUATIONS)
    close = problem.distance(start) <= problem.same_style_distance
    return None if close else Budget(problem.guidance.evaluations)
