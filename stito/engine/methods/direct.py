"""Methods that take a start as their result: nothing is searched."""

from __future__ import annotations

import time
from typing import ClassVar

from stito.engine.context import Context
from stito.engine.options import ENSEMBLE, MATCH, PREDICT
from stito.engine.pairs import PairExcerpts
from stito.engine.solution import Solution
from stito.engine.starts import pose, solution_from
from stito.search.base import StopReason

__all__ = ["ClosedForm", "Ensemble", "Predict"]

CLOSED_FORM = "Closed form, no search."


class ClosedForm:
    """Closed form: each effect in turn is set by what statistics measure (spectrum, dynamics, width, level)."""

    name: ClassVar[str] = MATCH
    direct: ClassVar[bool] = True
    joint: ClassVar[bool] = True
    stop: ClassVar[str] = CLOSED_FORM

    def check(self, context: Context) -> None:
        """Every chain has a closed form."""

    def solve(self, pair: PairExcerpts, context: Context) -> Solution:
        """The start of this name; where several stems are matched at once and there is none, the closed form."""
        started = time.perf_counter()
        problem = pose(pair, context, wanted=MATCH if context.interrupted else self.name)
        start, stop = (self.name, self.stop) if self.name in problem.starts else (MATCH, CLOSED_FORM)
        if context.interrupted:
            stop = StopReason.INTERRUPTED.value
        return solution_from(pair, context, problem, start, started=started, stop=stop)


class Predict(ClosedForm):
    """Predicted settings: a network's answer in one pass, for chains with the effects that it has learnt."""

    name = PREDICT
    joint = False
    stop = "Predicted, no search."

    def check(self, context: Context) -> None:
        """Whether there is a predictor for the chain."""
        context.networks.require_predictor()


class Ensemble(Predict):
    """The mean of predicted settings and of those that render what the converter makes."""

    name = ENSEMBLE
    stop = "The mean of two networks' settings, no search."
