"""Gradient search: independent rows, live gradients at the ends of a knob, fewer rows as the budget goes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stito.errors import SearchError, SettingsError
from stito.search import Budget, minimise
from stito.search.gradient import Gradient


def bowl(theta: Tensor) -> Tensor:
    return (theta - 0.3).square().sum(1)


def path(search: Gradient, loss_fn, steps: int) -> list[Tensor]:  # type: ignore[no-untyped-def]
    """Where the rows of a search without a plan go."""
    visited = []
    for _ in range(steps):
        theta = search.ask()
        visited.append(theta.detach().clone())
        search.tell(theta, loss_fn(theta))
    return visited


@pytest.mark.parametrize("corner", [0.0, 1.0])
def test_a_start_in_a_corner_moves(corner: float) -> None:
    search = Gradient(4, seed=0, start=torch.full((4,), corner), population=1)
    assert minimise(bowl, search, budget=Budget(200)).loss < 1e-6


@pytest.mark.parametrize("corner", [0.0, 1.0])
def test_an_optimum_in_a_corner_is_reached_exactly(corner: float) -> None:
    found = minimise(lambda theta: (theta - corner).abs().sum(1), Gradient(4, seed=0), budget=Budget(400))
    assert found.loss == 0


def test_a_row_without_a_finite_loss_leaves_the_others_as_they_were_and_begins_anew() -> None:
    def poisoned(theta: Tensor) -> Tensor:
        scale = torch.tensor([1.0, torch.nan, 1.0, 1.0])
        return bowl(theta) * scale

    well = path(Gradient(3, seed=0), bowl, steps=5)
    ill = path(Gradient(3, seed=0), poisoned, steps=5)
    for a, b in zip(well, ill, strict=True):
        assert torch.equal(a[[0, 2, 3]], b[[0, 2, 3]])
    assert not torch.equal(ill[0][1], ill[1][1])
    assert all(torch.isfinite(theta).all() for theta in ill)


def test_one_row_on_a_cliff_does_not_slow_the_others() -> None:
    """Steps depend on a row's own gradient: scaling one loss by a million changes no other row."""

    def steep(theta: Tensor) -> Tensor:
        return bowl(theta) * torch.tensor([1.0, 1e6, 1.0, 1.0])

    well, wild = path(Gradient(3, seed=0), bowl, steps=5), path(Gradient(3, seed=0), steep, steps=5)
    assert torch.equal(well[-1][[0, 2, 3]], wild[-1][[0, 2, 3]])


def test_a_row_on_a_plateau_begins_anew() -> None:
    def plateau(theta: Tensor) -> Tensor:
        return bowl(theta.clamp(max=0.5))

    found = minimise(plateau, Gradient(1, seed=0, start=torch.ones(1), population=1), budget=Budget(200))
    assert found.loss < 1e-4


def test_rows_are_halved_as_the_evaluations_go() -> None:
    sizes: list[int] = []

    def watched(theta: Tensor) -> Tensor:
        sizes.append(len(theta))
        return bowl(theta)

    minimise(watched, Gradient(3, seed=0), budget=Budget(100))
    assert list(dict.fromkeys(sizes)) == [4, 2, 1]
    assert sum(sizes) == 100


def test_several_starts_find_the_deeper_of_two_valleys() -> None:
    def two(theta: Tensor) -> Tensor:
        return torch.minimum(1 + (theta - 0.1).square().sum(1), (theta - 0.8).square().sum(1) * 3)

    start = torch.full((2,), 0.15)
    one = minimise(two, Gradient(2, seed=0, start=start, population=1, rate=0.01), budget=Budget(50))
    several = minimise(two, Gradient(2, seed=0, start=start, population=8), budget=Budget(400))
    assert one.loss == pytest.approx(1, abs=0.01)
    assert several.loss < 1e-3


def test_a_budget_in_seconds_alone_keeps_all_rows() -> None:
    sizes: set[int] = set()

    def watched(theta: Tensor) -> Tensor:
        sizes.add(len(theta))
        return bowl(theta)

    assert minimise(watched, Gradient(3, seed=0), budget=Budget(seconds=0.2)).loss < 1e-2
    assert sizes == {4}


def test_a_loss_that_cannot_be_differentiated_is_an_error_with_a_way_out() -> None:
    with pytest.raises(SearchError, match="differentiated") as caught:
        minimise(lambda theta: bowl(theta.detach()), Gradient(3, seed=0), budget=Budget(10))
    assert "cma" in str(caught.value.hint)


def test_gradients_are_on_even_inside_no_grad() -> None:
    with torch.no_grad():
        found = minimise(bowl, Gradient(3, seed=0), budget=Budget(200))
    assert found.loss < 1e-3
    assert not found.theta.requires_grad


@pytest.mark.parametrize("rate", [0.0, -0.1, 2.0, float("nan")])
def test_the_rate_is_checked(rate: float) -> None:
    with pytest.raises(SettingsError, match="rate"):
        Gradient(3, seed=0, rate=rate)
