"""Whole pieces of work side by side: each core renders and embeds a few candidates at a time, or one stem.

A few candidates' audio fits a core's cache and a population's does not, and cores that share one small operation spend
their time waiting for each other. So the rows of theta, excerpts and stems are spread over threads in which torch works
alone; results do not depend on how many threads there are.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache, lru_cache, partial
from threading import Barrier
from typing import Any, TypeVar

import torch
from torch import Tensor

from stito.compute import THREADS
from stito.errors import SettingsError

__all__ = ["check_device", "each_row", "each_slice", "keep_freed_memory", "side_by_side", "undivided"]

LARGEST_CHUNK = 4
CORES = 8
"""Chunks are cut for this many, whatever the machine has: the same rows in the same chunks give the same result."""
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4
LARGEST_REUSED = 32 << 20
"""The most that glibc allows, unless it reuses everything."""
KEPT = (1 << 31) - 1
ACCELERATED = 64
"""Rows that an accelerator works on at once: enough to keep it busy, and its memory does not grow with the batch."""

MOST_NUMBERS = 1 << 25
"""Six minutes of stereo at 44.1 kHz: the work on it may hold a few times as much."""

T = TypeVar("T")
Result = TypeVar("Result")
_shared: ContextVar[int] = ContextVar("cores", default=0)
"""The cores that are shared by pieces of work while torch itself has one."""

Rowwise = Callable[[Tensor], Tensor]
"""Values (n,) of rows (n, dim), each of its own row alone."""


def check_device(device: str) -> None:
    """`SettingsError` if torch cannot compute there: checked before anything long begins."""
    try:
        torch.zeros(1, device=device).tolist()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise SettingsError(
            f"The device '{device}' cannot be used here.", hint="Use cpu, or cuda where torch finds one."
        ) from error


def each_row(function: Rowwise, rows: Tensor) -> Tensor:
    """`function(rows)`, computed a few rows at a time on all cores; differentiable where `rows` is.

    Rows on an accelerator go through whole: there, the batch is what makes it fast.
    """
    if rows.device.type != "cpu":
        return function(rows)
    if torch.is_grad_enabled() and rows.requires_grad:
        values: Tensor = _Rows.apply(rows, function)  # type: ignore[no-untyped-call]
        return values
    return torch.cat(_spread(partial(_value, function), _chunks(rows)))


def each_slice(function: Callable[[slice], Tensor], count: int, device: torch.device) -> Tensor:
    """`function` of slices that cover `count` rows, one result after the other: for rows of more than one tensor.

    On a processor a few rows at a time on all cores, on an accelerator many rows in turn. No gradient passes.
    """
    size = _chunk_size(count) if device.type == "cpu" else ACCELERATED
    slices = [slice(start, min(start + size, count)) for start in range(0, count, size)]

    def value(part: slice) -> Tensor:
        with torch.no_grad():  # the mode is each thread's own
            return function(part)

    return torch.cat(_spread(value, slices) if device.type == "cpu" else [value(part) for part in slices])


def _and_return_memory(work: Callable[[T], Result]) -> Callable[[T], Result]:
    """The work, and then what glibc keeps of freed memory (`keep_freed_memory`) goes back to the system."""

    def worked(item: T) -> Result:
        try:
            return work(item)
        finally:
            with suppress(OSError, TypeError, AttributeError):
                ctypes.CDLL(None).malloc_trim(0)

    return worked


@contextmanager
def undivided() -> Iterator[None]:
    """Inside, no operation of torch is divided among cores: only pieces of work are, by the functions above."""
    threads = torch.get_num_threads()
    token = _shared.set(_shared.get() or threads)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        _shared.reset(token)


def side_by_side(work: Callable[[T], Result], items: Sequence[T], *, numbers: int = 0) -> Iterator[Result]:
    """The work on each item, one on each core, in the order of the items, as soon as each is done; no gradient passes.

    Where torch has one core, or each item is of so many `numbers` that the work on two would not fit beside each other,
    each is worked on when it is asked for.
    """

    def without_gradient(item: T) -> Result:
        with torch.no_grad():  # the mode is each thread's own
            return work(item)

    keep_freed_memory()
    threads = _shared.get() or torch.get_num_threads()
    if numbers > MOST_NUMBERS:
        return map(_and_return_memory(without_gradient), items)
    if threads == 1 or len(items) == 1:
        return map(without_gradient, items)
    return _pool(threads).map(without_gradient, items)


def _chunks(rows: Tensor) -> Sequence[Tensor]:
    return torch.split(rows.detach(), _chunk_size(len(rows)))


def _chunk_size(count: int) -> int:
    """Up to four rows each, so that torch has enough to do per call; fewer where cores would be left without."""
    return max(1, min(LARGEST_CHUNK, count // CORES))


def _spread(work: Callable[[T], Result], parts: Sequence[T]) -> list[Result]:
    """The work on each part, in order, over the cores that torch has here; in place where that is one."""
    keep_freed_memory()
    threads = _shared.get() or torch.get_num_threads()
    if threads == 1 or len(parts) == 1:
        return [work(part) for part in parts]
    return list(_pool(threads).map(work, parts))


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads in which torch works alone, while all others, later ones too, keep the cores that they have."""
    are_alone, before = Barrier(threads + 1), torch.get_num_threads()

    def begin() -> None:
        torch.set_num_threads(1)
        are_alone.wait()

    pool = ThreadPoolExecutor(threads, THREADS, initializer=begin)
    for _ in range(threads):
        pool.submit(int)
    are_alone.wait()
    torch.set_num_threads(before)  # new threads begin with the number that was set last
    return pool


@cache
def keep_freed_memory(*, everything: bool = False) -> None:
    """Tell glibc to reuse freed memory instead of returning it to the system after every operation.

    Buffers of a few megabytes come and go hundreds of times a second here; fetching their pages anew each time costs
    as much as the arithmetic. With `everything` that goes for the large ones too, for a process that makes the same
    ones over and over, such as a training. Other C libraries have no such knob and are left alone.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, TypeError, AttributeError):
        return
    mallopt(M_MMAP_THRESHOLD, LARGEST_REUSED)
    mallopt(M_TRIM_THRESHOLD, KEPT)
    if everything:
        mallopt(M_MMAP_MAX, 0)


def _value(function: Rowwise, chunk: Tensor) -> Tensor:
    with torch.no_grad():  # the mode is each thread's own
        return function(chunk)


def _value_and_gradient(function: Rowwise, chunk: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        chunk = chunk.detach().requires_grad_()
        value = function(chunk)
        (gradient,) = torch.autograd.grad(value.sum(), chunk, allow_unused=True)
    return value.detach(), torch.zeros_like(chunk) if gradient is None else gradient


class _Rows(torch.autograd.Function):
    """Values forward, each row's own gradient backward: no graph outlives its chunk."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, function: Rowwise) -> Tensor:
        work = partial(_value_and_gradient, function)
        values, gradients = zip(*_spread(work, _chunks(rows)), strict=True)
        ctx.save_for_backward(torch.cat(gradients))
        return torch.cat(values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (gradients,) = ctx.saved_tensors
        return grads[0][:, None] * gradients, None
