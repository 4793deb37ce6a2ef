"""Jobs of an evaluation, each on one core: here in turn, or wherever an executor runs them, with the same rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

__all__ = ["on_one_core", "run_jobs"]

Row = TypeVar("Row")


def run_jobs(job: Callable[..., Row], todo: Sequence[tuple[Any, ...]], executor: Executor | None) -> Iterator[Row]:
    """`job(*arguments)` for each of `todo`, as they are done; those that have not begun are given up with this."""
    if executor is None:
        yield from (job(*arguments) for arguments in todo)
        return
    jobs: list[Future[Row]] = [executor.submit(job, *arguments) for arguments in todo]
    try:
        yield from (each.result() for each in as_completed(jobs))
    finally:
        for each in jobs:
            each.cancel()


@contextmanager
def on_one_core() -> Iterator[None]:
    """Inside, torch works on one core: so a row does not depend on where it is computed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
