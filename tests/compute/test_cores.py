"""Candidates side by side: the same values and gradients as all at once, whatever the number of threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import get_ident

import pytest
import torch

from stito.compute.cores import each_row


def bowl(theta: torch.Tensor) -> torch.Tensor:
    return (theta - 0.3).square().sum(-1) + theta.prod(-1).sin()


@pytest.mark.parametrize("rows", [1, 3, 16, 33])
def test_values_and_gradients_equal_those_of_the_batch(rows: int) -> None:
    theta = torch.rand(rows, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    whole, apart = bowl(theta), each_row(bowl, theta)
    assert torch.allclose(whole, apart)
    weights = torch.arange(1.0, rows + 1)
    expected = torch.autograd.grad((whole * weights).sum(), theta)[0]
    assert torch.allclose(torch.autograd.grad((apart * weights).sum(), theta)[0], expected)


def test_without_gradients_there_is_no_graph() -> None:
    with torch.no_grad():
        assert not each_row(bowl, torch.rand(4, 2, requires_grad=True)).requires_grad


def test_rows_that_do_not_matter_have_no_slope() -> None:
    theta = torch.rand(2, 3, requires_grad=True)
    each_row(lambda rows: torch.ones(len(rows)) + 0 * rows.detach().sum(-1) + rows[:, 0] * 0, theta).sum().backward()
    assert theta.grad is not None
    assert (theta.grad == 0).all()


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    theta = torch.rand(16, 4, generator=torch.Generator().manual_seed(1))
    threads = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2):
            torch.set_num_threads(count)
            found.append(each_row(bowl, theta))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*found)


def test_threads_that_begin_later_keep_their_cores() -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with torch.no_grad():
            each_row(bowl, torch.rand(16, 4))
        with ThreadPoolExecutor(1) as later:
            assert later.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(threads)


def test_a_thread_with_one_core_does_its_rows_itself() -> None:
    def where(rows: torch.Tensor) -> torch.Tensor:
        return torch.full((len(rows),), float(get_ident() % 2**20))

    def work() -> bool:
        torch.set_num_threads(1)
        with torch.no_grad():
            return bool((each_row(where, torch.rand(16, 4)) == float(get_ident() % 2**20)).all())

    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(1) as alone:
            assert alone.submit(work).result()
    finally:
        torch.set_num_threads(threads)


def test_an_error_in_a_row_is_raised() -> None:
    def broken(theta: torch.Tensor) -> torch.Tensor:
        raise ValueError("no such sound")

    with pytest.raises(ValueError, match="no such sound"):
        each_row(broken, torch.rand(8, 2))
