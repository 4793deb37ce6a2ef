"""What every search keeps: the cube, the start, the seed, and that it is better than luck."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stito.errors import SettingsError
from stito.search import Budget, Found, Loss, Search, create, minimise
from stito.testing import check_search

OWN = ["cma", "gradient", "random"]
NEVERGRAD = ["nevergrad", "nevergrad:TwoPointsDE", "nevergrad:NGOpt", "nevergrad:CMA", "nevergrad:Powell"]


def bowl(theta: Tensor) -> Tensor:
    return (theta - 0.3).square().sum(1)


def valley(dim: int, condition: float) -> Loss:
    """A rotated quadratic whose axes differ in steepness by `condition`, lowest inside the cube."""
    generator = torch.Generator().manual_seed(5)
    axes, _ = torch.linalg.qr(torch.randn(dim, dim, generator=generator))
    lowest = 0.2 + 0.6 * torch.rand(dim, generator=generator)
    steepness = torch.logspace(0, np.log10(condition), dim)
    return lambda theta: (steepness * ((theta - lowest) @ axes).square()).sum(1)


def run(name: str, dim: int, seed: int, loss: Loss = bowl, evaluations: int = 100) -> Found:
    return minimise(loss, create(name, dim, seed=seed), budget=Budget(evaluations))


def evaluated(name: str, dim: int, *, evaluations: int, seed: int = 0, start: Tensor | None = None) -> Tensor:
    """All candidates of a run, in order."""
    seen: list[Tensor] = []

    def watched(theta: Tensor) -> Tensor:
        seen.append(theta.detach().clone())
        return bowl(theta)

    minimise(watched, create(name, dim, seed=seed, start=start), budget=Budget(evaluations))
    return torch.cat(seen)


@pytest.mark.parametrize("name", [*OWN, "nevergrad"])
def test_it_keeps_the_public_contract(name: str) -> None:
    check_search(lambda dim, seed: create(name, dim, seed=seed))


starts = st.integers(1, 12).flatmap(
    lambda dim: st.lists(st.sampled_from([0.0, 1.0]) | st.floats(0, 1, width=32), min_size=dim, max_size=dim)
)


@pytest.mark.parametrize("name", OWN)
@settings(max_examples=25)
@given(start=starts, evaluations=st.integers(1, 100), seed=st.integers(0, 2**32 - 1))
def test_candidates_stay_in_the_cube_and_begin_with_the_start(
    name: str, start: list[float], evaluations: int, seed: int
) -> None:
    theta = evaluated(name, len(start), evaluations=evaluations, seed=seed, start=torch.tensor(start))
    assert theta.dtype == torch.float32
    assert theta.shape == (evaluations, len(start))
    assert theta.min() >= 0
    assert theta.max() <= 1
    assert torch.equal(theta[0], torch.tensor(start))


@pytest.mark.parametrize("name", NEVERGRAD)
@settings(max_examples=5)
@given(start=starts, evaluations=st.integers(1, 40))
def test_nevergrad_stays_in_the_cube_and_begins_with_the_start(name: str, start: list[float], evaluations: int) -> None:
    theta = evaluated(name, len(start), evaluations=evaluations, start=torch.tensor(start))
    assert 1 <= len(theta) <= evaluations
    assert theta.min() >= 0
    assert theta.max() <= 1
    assert torch.equal(theta[0], torch.tensor(start))


@pytest.mark.parametrize("name", OWN)
def test_candidates_stay_in_the_cube_when_the_optimum_is_a_corner(name: str) -> None:
    seen: list[Tensor] = []

    def slope(theta: Tensor) -> Tensor:
        seen.append(theta.detach().clone())
        return theta.sum(1)

    minimise(slope, create(name, 4, seed=0), budget=Budget(300))
    assert torch.cat(seen).min() >= 0


@pytest.mark.parametrize("name", [*OWN, *NEVERGRAD])
def test_the_same_seed_gives_the_same_result_whatever_else_draws_random_numbers(name: str) -> None:
    def disturbing(theta: Tensor) -> Tensor:
        np.random.seed(len(theta))
        torch.rand(3)
        return bowl(theta)

    first, second = run(name, 10, seed=7), run(name, 10, seed=7, loss=disturbing)
    assert torch.equal(first.theta, second.theta)
    assert [step.loss for step in first.history] == [step.loss for step in second.history]


@pytest.mark.parametrize("name", [*OWN, "nevergrad", "nevergrad:TwoPointsDE"])
def test_another_seed_gives_other_candidates(name: str) -> None:
    assert not torch.equal(evaluated(name, 5, evaluations=40, seed=0), evaluated(name, 5, evaluations=40, seed=1))


@pytest.mark.parametrize("name", [*OWN, *NEVERGRAD])
def test_the_global_random_state_is_left_alone(name: str) -> None:
    np.random.seed(3)
    torch.manual_seed(3)
    expected = np.random.rand(), torch.rand(1).item()
    np.random.seed(3)
    torch.manual_seed(3)
    run(name, 4, seed=0, evaluations=40)
    assert (np.random.rand(), torch.rand(1).item()) == expected


@pytest.mark.parametrize("name", ["cma", "gradient"])
def test_an_ill_conditioned_valley_is_descended_and_random_search_is_far_behind(name: str) -> None:
    loss = valley(20, condition=100)
    begin = loss(torch.full((1, 20), 0.5)).item()
    found = run(name, 20, seed=0, loss=loss, evaluations=1500)
    luck = run("random", 20, seed=0, loss=loss, evaluations=1500)
    assert found.loss < 1e-3 * begin
    assert luck.loss > 0.1 * begin


@pytest.mark.parametrize("name", [*OWN, "nevergrad", "nevergrad:TwoPointsDE", "nevergrad:Powell"])
def test_losses_that_are_not_finite_do_not_stop_a_search(name: str) -> None:
    """A third of the cube has no loss."""

    def holed(theta: Tensor) -> Tensor:
        return torch.where(theta[:, 0] > 0.66, torch.nan, bowl(theta))

    found = run(name, 3, seed=0, loss=holed, evaluations=200)
    assert found.loss < 0.02


@pytest.mark.parametrize("name", [*OWN, "nevergrad"])
def test_a_warm_start_at_the_optimum_is_never_lost(name: str) -> None:
    start = torch.tensor([0.3, 0.3, 0.3])
    found = minimise(bowl, create(name, 3, seed=0, start=start), budget=Budget(64))
    assert found.loss == 0


class Still(Search):
    name = "still"

    def ask(self) -> Tensor:
        return self.start[None]

    def tell(self, theta: Tensor, loss: Tensor) -> None:
        pass


@pytest.mark.parametrize(
    "arguments",
    [
        {"dim": 0},
        {"dim": 2.5},
        {"seed": -1},
        {"seed": 2**32},
        {"seed": None},
        {"population": 0},
        {"start": torch.zeros(2)},
        {"start": torch.tensor([0.0, 0.5, 1.01])},
        {"start": torch.tensor([0.0, 0.5, torch.nan])},
    ],
)
def test_arguments_outside_their_range_are_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        Still(**{"dim": 3, "seed": 0, **arguments})  # type: ignore[arg-type]


def test_the_start_is_a_copy() -> None:
    start = torch.zeros(3)
    search = Still(3, seed=0, start=start)
    start.fill_(1)
    assert search.start.tolist() == [0, 0, 0]


@pytest.mark.parametrize("name", ["cma", "gradient", "nevergrad", "nevergrad:TwoPointsDE", "random"])
def test_a_search_that_expects_the_best_nearby_still_begins_at_the_start(name: str) -> None:
    search = create(name, 6, seed=1, start=torch.full((6,), 0.4))
    search.expect(torch.full((6,), 0.05))
    search.plan(Budget(evaluations=64))
    try:
        first = search.ask()
    finally:
        search.close()
    assert torch.allclose(first[0], torch.full((6,), 0.4))
    if name in ("cma", "gradient", "nevergrad"):
        assert (first[1:] - 0.4).abs().mean() < 0.1


def test_near_a_good_guess_small_steps_find_more() -> None:
    """What is drawn to a guess has its best nearby: usual first steps waste a budget on what is far from it."""
    best, start, std = torch.full((30,), 0.53), torch.full((30,), 0.5), torch.full((30,), 0.1)
    found = {}
    for told in (False, True):
        search = create("cma", 30, seed=0, start=start)
        if told:
            search.expect(std)
        found[told] = minimise(lambda theta: (theta - best).square().mean(-1), search, budget=Budget(evaluations=200))
    assert found[True].loss < 0.5 * found[False].loss
