"""CMA-ES: population, one dimension, restarts, and no trace in the working folder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from stito.errors import SettingsError
from stito.search import Budget, StopReason, minimise
from stito.search.cma import Cma


def bowl(theta: Tensor) -> Tensor:
    return (theta - 0.3).square().sum(1)


@pytest.mark.parametrize(("dim", "population"), [(1, 16), (25, 16), (60, 20), (200, 20), (300, 24)])
def test_the_population_grows_slowly_and_in_whole_batches(dim: int, population: int) -> None:
    assert len(Cma(dim, seed=0).ask()) == population


def test_one_knob_can_be_searched() -> None:
    assert minimise(bowl, Cma(1, seed=0), budget=Budget(200)).loss < 1e-6


def test_it_begins_anew_with_a_doubled_population_until_no_restart_is_left() -> None:
    sizes: list[int] = []

    def watched(theta: Tensor) -> Tensor:
        sizes.append(len(theta))
        return bowl(theta)

    found = minimise(watched, Cma(2, seed=0, restarts=2), budget=Budget(20_000))
    assert list(dict.fromkeys(sizes)) == [16, 32, 64]
    assert found.stop is StopReason.FINISHED
    assert "converged" in str(found.detail)


def test_restarts_find_the_deeper_of_two_valleys() -> None:
    def two(theta: Tensor) -> Tensor:
        near = 1 + 50 * (theta - 0.25).square().sum(1)
        far = 400 * (theta - 0.85).square().sum(1)
        return torch.minimum(near, far)

    start = torch.full((3,), 0.2)
    stuck = minimise(two, Cma(3, seed=1, start=start, sigma=0.05, restarts=0), budget=Budget(5000))
    freed = minimise(two, Cma(3, seed=1, start=start, sigma=0.05), budget=Budget(5000))
    assert stuck.loss == pytest.approx(1)
    assert freed.loss < 1e-3


def test_a_flat_loss_ends_without_an_error() -> None:
    found = minimise(lambda theta: torch.ones(len(theta)), Cma(3, seed=0, restarts=1), budget=Budget(5000))
    assert found.stop is StopReason.FINISHED


def test_nothing_is_printed_or_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    minimise(bowl, Cma(3, seed=0), budget=Budget(600))
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("options", [{"sigma": 0.0}, {"sigma": float("nan")}, {"restarts": -1}, {"population": 3}])
def test_options_outside_their_range_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(SettingsError) as caught:
        Cma(3, seed=0, **options)  # type: ignore[arg-type]
    assert caught.value.hint
