"""Jobs of an evaluation, each on one core: here in turn, or wherever an executor runs them, with the same rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, as_completed
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Protocol, TypeVar

import torch

from stito.errors import WeightsError

__all__ = ["Identified", "check_plan", "fingerprint", "on_one_core", "run_jobs"]

Row = TypeVar("Row")


class Identified(Protocol):
    """A plan that says what its rows depend on; hashable."""

    def __hash__(self) -> int: ...

    def identity(self) -> dict[str, Any]:
        """What rows depend on, weights included."""
        ...


@lru_cache(maxsize=4)
def fingerprint(plan: Identified) -> str:
    """What has to be the same wherever a row is computed; worked out once in each process."""
    return json.dumps(plan.identity(), sort_keys=True)


def check_plan(plan: Identified, expected: str) -> None:
    """`WeightsError` where a row would be computed by other weights or chains than were asked for."""
    if fingerprint(plan) != expected:
        raise WeightsError("Weights or chains differ between machines.", hint="Install the same stito on all.")


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
