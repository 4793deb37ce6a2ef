"""nevergrad's optimisers: batches where they can, threads that end, failures that say what to do."""

from __future__ import annotations

import subprocess
import sys
import threading
import warnings
from collections.abc import Callable

import nevergrad as ng
import numpy as np
import pytest
import torch
from nevergrad.optimization.recaster import SequentialRecastOptimizer
from torch import Tensor

from stito.errors import MissingDependencyError, SearchError, UnknownNameError
from stito.search import Budget, StopReason, minimise
from stito.search.nevergrad import Nevergrad


def bowl(theta: Tensor) -> Tensor:
    return (theta - 0.3).square().sum(1)


def test_optimisers_that_can_are_asked_in_batches() -> None:
    assert len(Nevergrad(3, seed=0).ask()) == 16
    assert len(Nevergrad(3, seed=0, population=4).ask()) == 4


@pytest.mark.parametrize("optimiser", ["Powell", "ChainCMAPowell"])
def test_optimisers_that_cannot_are_asked_one_by_one(optimiser: str) -> None:
    search = Nevergrad(3, seed=0, optimiser=optimiser)
    found = minimise(bowl, search, budget=Budget(12))
    assert [step.evaluations for step in found.history] == list(range(1, 13))


UNFINISHED = """
import torch
from stito.search import Budget, minimise
from stito.search.nevergrad import Nevergrad

kept = []
for optimiser in ("NGOpt", "Powell", "ChainCMAPowell"):
    kept.append(Nevergrad(4, seed=0, optimiser=optimiser, population=1))
    print(minimise(lambda theta: (theta - 0.3).square().sum(1), kept[-1], budget=Budget(9)).evaluations)

def broken(theta):
    if len(seen) == 3:
        raise ZeroDivisionError
    seen.append(theta)
    return theta[:, 0]

seen = []
kept.append(Nevergrad(4, seed=0, optimiser="Powell"))
try:
    minimise(broken, kept[-1], budget=Budget(9))
except ZeroDivisionError:
    print("broken")
"""


def test_the_process_exits_after_searches_that_were_not_finished() -> None:
    done = subprocess.run([sys.executable, "-c", UNFINISHED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["9", "9", "9", "broken"]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("optimiser", ["Powell", "NGOpt"])
def test_a_thread_lives_while_the_search_does_and_not_longer(optimiser: str) -> None:
    before = threading.active_count()
    search = Nevergrad(3, seed=0, optimiser=optimiser, population=1)
    search.plan(Budget(9))
    for _ in range(3):
        theta = search.ask()
        search.tell(theta, bowl(theta))
    assert threading.active_count() == before + 1
    search.close()
    assert threading.active_count() == before


class Brief(SequentialRecastOptimizer):  # type: ignore[misc]
    """Tries five points and returns."""

    def get_optimization_function(self) -> Callable[[Callable[[object], float]], None]:
        dimension = self.dimension

        def five(loss: Callable[[object], float]) -> None:
            for _ in range(5):
                loss(np.zeros(dimension))

        return five


def test_an_optimiser_that_returns_has_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ng.optimizers.registry, "Brief", Brief)
    found = minimise(bowl, Nevergrad(2, seed=0, optimiser="Brief"), budget=Budget(100))
    assert (found.evaluations, found.stop, found.detail) == (6, StopReason.FINISHED, "Brief converged.")


def test_a_sampler_is_not_asked_for_more_than_it_planned() -> None:
    found = minimise(bowl, Nevergrad(3, seed=0, optimiser="LHSSearch"), budget=Budget(40))
    assert (found.evaluations, found.stop) == (40, StopReason.EVALUATIONS)


class Failing(Nevergrad):
    """Its optimiser breaks after a number of candidates."""

    def break_after(self, candidates: int) -> Nevergrad:
        ask, left = self._optimiser.ask, iter(range(candidates))

        def broken() -> object:
            next_left = next(left, None)
            if next_left is None:
                raise TypeError("out of order")
            return ask()

        self._optimiser.ask = broken
        return self


def test_an_optimiser_that_breaks_late_keeps_what_was_found() -> None:
    search = Failing(3, seed=0, population=4).break_after(20)
    found = minimise(bowl, search, budget=Budget(seconds=60))
    assert (found.evaluations, found.stop) == (21, StopReason.FINISHED)
    assert "out of order" in str(found.detail)


def test_an_optimiser_that_breaks_at_once_is_an_error() -> None:
    search = Failing(3, seed=0).break_after(0)
    with pytest.raises(SearchError, match="DiagonalCMA failed: out of order"):
        minimise(bowl, search, budget=Budget(seconds=60))


def test_an_optimiser_whose_package_is_missing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pybobyqa", None)
    with pytest.raises(MissingDependencyError, match="BOBYQA"):
        minimise(bowl, Nevergrad(3, seed=0, optimiser="BOBYQA"), budget=Budget(10))


def test_its_warnings_are_silent_and_those_of_the_loss_are_not() -> None:
    def warning(theta: Tensor) -> Tensor:
        warnings.warn("from the loss", RuntimeWarning, stacklevel=1)
        return bowl(theta) * 1e30  # nevergrad warns of losses this large

    with pytest.warns() as caught:
        minimise(warning, Nevergrad(3, seed=0, optimiser="NGOpt"), budget=Budget(32))
    assert {str(one.message) for one in caught} == {"from the loss"}


def test_one_knob_can_be_searched_and_leaves_the_optimisers_as_they_were() -> None:
    assert minimise(bowl, Nevergrad(1, seed=0), budget=Budget(160)).loss < 1e-3
    assert minimise(bowl, Nevergrad(2, seed=0), budget=Budget(160)).loss < 1e-2


def test_unknown_optimisers_get_near_names_in_any_case() -> None:
    with pytest.raises(UnknownNameError) as caught:
        Nevergrad(3, seed=0, optimiser="twopointsde")
    assert "TwoPointsDE" in str(caught.value.hint)
    with pytest.raises(UnknownNameError) as caught:
        Nevergrad(3, seed=0, optimiser="")
    assert len(str(caught.value.hint)) < 200


def test_the_default_descends() -> None:
    begin = bowl(torch.full((1, 10), 0.5)).item()
    assert minimise(bowl, Nevergrad(10, seed=0), budget=Budget(480)).loss < 1e-2 * begin
