"""The driver keeps the best, spends no more than the budget, and survives bad losses and Ctrl-C."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from stito.errors import PluginError, SearchError, SettingsError
from stito.search import Budget, Patience, Search, Step, StopReason, minimise
from stito.search.random import RandomSearch


def bowl(theta: Tensor) -> Tensor:
    return (theta - 0.3).square().sum(1)


class Scripted(Search):
    """Asks for given generations of one knob and writes down what it is told."""

    name = "scripted"

    def __init__(self, *generations: list[float], sentence: str | None = None) -> None:
        super().__init__(1, seed=0)
        self.waiting = [torch.tensor(generation).reshape(-1, 1) for generation in generations]
        self.told: list[Tensor] = []
        self.sentence = sentence
        self.closed = 0

    def ask(self) -> Tensor:
        return self.waiting[len(self.told)]

    def tell(self, theta: Tensor, loss: Tensor) -> None:
        self.told.append(loss)

    @property
    def finished(self) -> str | None:
        return self.sentence if len(self.told) == len(self.waiting) else None

    def close(self) -> None:
        self.closed += 1


def identity(theta: Tensor) -> Tensor:
    return theta[:, 0].clone()


def failing(values: dict[float, float]) -> Callable[[Tensor], Tensor]:
    """The knob itself as the loss, with some values replaced."""
    return lambda theta: torch.tensor([values.get(round(x, 3), x) for x in theta[:, 0].tolist()])


@given(evaluations=st.integers(1, 100), population=st.integers(1, 40))
def test_evaluations_are_spent_and_never_exceeded(evaluations: int, population: int) -> None:
    seen = 0

    def counted(theta: Tensor) -> Tensor:
        nonlocal seen
        seen += len(theta)
        return bowl(theta)

    found = minimise(counted, RandomSearch(2, seed=1, population=population), budget=Budget(evaluations))
    assert found.evaluations == seen == evaluations
    assert found.stop is StopReason.EVALUATIONS
    assert found.history[-1].evaluations == evaluations


def test_the_last_generation_is_cut_and_not_told() -> None:
    search = Scripted([0.9, 0.8, 0.7], [0.6, 0.5, 0.4])
    found = minimise(identity, search, budget=Budget(4))
    assert found.loss == pytest.approx(0.6)
    assert len(search.told) == 1


def test_the_best_is_kept_from_any_generation() -> None:
    search = Scripted([0.9, 0.8], [0.2, 0.3], [0.7, 0.5])
    steps: list[Step] = []
    found = minimise(identity, search, budget=Budget(6), on_step=steps.append)
    assert found.theta.tolist() == pytest.approx([0.2])
    assert [step.loss for step in steps] == pytest.approx([0.8, 0.2, 0.2])
    assert [step.generation_loss for step in steps] == pytest.approx([0.8, 0.2, 0.5])
    assert found.history == tuple(steps)
    assert steps[0].seconds <= steps[1].seconds <= found.seconds


def test_the_best_survives_a_loss_that_overwrites_its_candidates() -> None:
    class Reusing(Scripted):
        buffer = torch.tensor([[0.4], [0.6]])

        def ask(self) -> Tensor:
            return self.buffer

        def tell(self, theta: Tensor, loss: Tensor) -> None:
            self.buffer.fill_(0.9)

    assert minimise(identity, Reusing([]), budget=Budget(6)).theta.tolist() == pytest.approx([0.4])


def test_seconds_are_exceeded_by_at_most_one_generation() -> None:
    def slow(theta: Tensor) -> Tensor:
        time.sleep(0.02)
        return bowl(theta)

    found = minimise(slow, RandomSearch(2, seed=0), budget=Budget(seconds=0.05))
    assert found.stop is StopReason.SECONDS
    last_begun = found.history[-2].seconds if len(found.history) > 1 else 0.0
    assert last_begun < 0.05 <= found.seconds


def test_losses_that_are_not_finite_are_told_as_worse_than_all_others() -> None:
    search = Scripted([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
    loss = failing({0.1: math.nan, 0.2: -math.inf, 0.5: math.inf})
    found = minimise(loss, search, budget=Budget(6))
    assert found.loss == pytest.approx(0.3)
    assert all(torch.isfinite(told).all() for told in search.told)
    assert search.told[0][:2].min() > 0.3
    assert search.told[1][1] > 0.6


def test_huge_losses_still_leave_a_finite_penalty() -> None:
    search = Scripted([0.1, 0.2])
    minimise(failing({0.1: 3e38, 0.2: math.nan}), search, budget=Budget(2))
    assert torch.isfinite(search.told[0]).all()


def test_generations_without_a_finite_loss_are_counted_but_are_no_step() -> None:
    search = Scripted([0.1, 0.2], [0.3, 0.4], [0.1, 0.2])
    steps: list[Step] = []
    found = minimise(failing({0.1: math.nan, 0.2: math.nan}), search, budget=Budget(6), on_step=steps.append)
    assert found.evaluations == 6
    assert [step.evaluations for step in steps] == [4, 6]
    assert steps[1].generation_loss is None


def test_nothing_finite_at_all_is_an_error_and_closes_the_search() -> None:
    search = Scripted([0.1, 0.2])
    with pytest.raises(SearchError, match="None of the 2 candidates") as caught:
        minimise(failing({0.1: math.nan, 0.2: math.inf}), search, budget=Budget(2))
    assert caught.value.hint
    assert search.closed == 1


@pytest.mark.parametrize("at", [1, 2, 5])
def test_ctrl_c_in_the_loss_gives_the_best_so_far(at: int) -> None:
    calls = 0

    def interrupted(theta: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        if calls > at:
            raise KeyboardInterrupt
        return bowl(theta)

    search = RandomSearch(3, seed=0, population=8)
    found = minimise(interrupted, search, budget=Budget(1000))
    assert found.stop is StopReason.INTERRUPTED
    assert found.evaluations == 8 * at
    same = minimise(bowl, RandomSearch(3, seed=0, population=8), budget=Budget(8 * at))
    assert torch.equal(found.theta, same.theta)


def test_ctrl_c_in_a_callback_gives_the_best_so_far() -> None:
    def interrupt(step: Step) -> None:
        raise KeyboardInterrupt

    search = Scripted([0.4, 0.2])
    found = minimise(identity, search, budget=Budget(10), on_step=interrupt)
    assert found.loss == pytest.approx(0.2)
    assert found.stop is StopReason.INTERRUPTED
    assert search.closed == 1


def test_ctrl_c_before_any_result_is_passed_on() -> None:
    def interrupted(theta: Tensor) -> Tensor:
        raise KeyboardInterrupt

    search = Scripted([0.4])
    with pytest.raises(KeyboardInterrupt):
        minimise(interrupted, search, budget=Budget(10))
    assert search.closed == 1


def test_an_error_in_the_loss_closes_the_search() -> None:
    def broken(theta: Tensor) -> Tensor:
        raise ZeroDivisionError

    search = Scripted([0.4])
    with pytest.raises(ZeroDivisionError):
        minimise(broken, search, budget=Budget(10))
    assert search.closed == 1


def test_a_search_that_is_finished_ends_with_its_own_sentence() -> None:
    found = minimise(identity, Scripted([0.4], [0.3], sentence="Nothing left."), budget=Budget(10))
    assert (found.stop, found.detail, found.evaluations) == (StopReason.FINISHED, "Nothing left.", 2)


def test_patience_ends_a_search_whose_loss_no_longer_falls() -> None:
    found = minimise(
        identity,
        Scripted([0.9], [0.5], [0.495], [0.6], [0.49], [0.1]),
        budget=Budget(6),
        patience=Patience(2, tolerance=0.01),
    )
    assert found.stop is StopReason.NO_PROGRESS
    assert found.evaluations == 4
    assert found.loss == pytest.approx(0.495)


def test_gradients_are_on_only_for_searches_that_need_them() -> None:
    def off(theta: Tensor) -> Tensor:
        assert not torch.is_grad_enabled()
        return bowl(theta)

    minimise(off, RandomSearch(2, seed=0), budget=Budget(1))
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    "loss", [lambda theta: theta, lambda theta: theta.sum(), lambda theta: torch.ones(len(theta), dtype=torch.int64)]
)
def test_a_loss_of_the_wrong_kind_is_an_error(loss: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(SearchError, match="losses of shape"):
        minimise(loss, RandomSearch(2, seed=0), budget=Budget(32))


@pytest.mark.parametrize("generation", [[1.1], [-0.1], [math.nan], []])
def test_a_search_that_asks_for_no_theta_is_a_broken_plug_in(generation: list[float]) -> None:
    with pytest.raises(PluginError, match="scripted"):
        minimise(identity, Scripted(generation), budget=Budget(3))


@pytest.mark.parametrize("evaluations", [0, -1, 1.5, math.nan, True])
def test_evaluations_must_be_a_positive_count(evaluations: float) -> None:
    with pytest.raises(SettingsError, match="evaluations"):
        Budget(evaluations)  # type: ignore[arg-type]


@pytest.mark.parametrize("seconds", [0.0, -1.0, math.nan, math.inf])
def test_seconds_must_be_a_positive_time(seconds: float) -> None:
    with pytest.raises(SettingsError, match="seconds"):
        Budget(seconds=seconds)


def test_an_empty_budget_is_an_error() -> None:
    with pytest.raises(SettingsError, match="budget"):
        Budget()


@pytest.mark.parametrize(("generations", "tolerance"), [(0, 0.0), (3, -1.0), (3, math.nan)])
def test_patience_is_checked(generations: int, tolerance: float) -> None:
    with pytest.raises(SettingsError):
        Patience(generations, tolerance)


def test_patience_counts_evaluations_or_generations_and_not_both() -> None:
    def flat(theta: Tensor) -> Tensor:
        return torch.ones(len(theta))

    found = minimise(
        flat, "random", dim=3, population=10, budget=Budget(evaluations=1000), patience=Patience(evaluations=50)
    )
    assert found.stop is StopReason.NO_PROGRESS
    assert found.evaluations == 60
    with pytest.raises(SettingsError):
        Patience(generations=3, evaluations=20)
    with pytest.raises(SettingsError):
        Patience()
