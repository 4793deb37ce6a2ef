"""Processes of this machine that work for this one, and end with it."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from threading import Thread
from typing import ParamSpec, TypeVar

import torch

from stito.errors import StitoError

__all__ = ["GO_ON", "processes"]

GO_ON = "The same command goes on where this one stopped."

Given = ParamSpec("Given")
Result = TypeVar("Result")


@contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """That many processes in which torch works alone; `StitoError` if one of them dies.

    What they do is given up when this block is left by an error, and when this process ends, however it does. Ctrl-C is
    for this process alone.
    """
    others = set(multiprocessing.active_children())
    with _Processes(count, multiprocessing.get_context("spawn"), _begin) as pool:
        try:
            yield pool
        except BrokenExecutor as error:
            raise StitoError(
                "A worker died, perhaps for want of memory.", hint=f"Use fewer --workers. {GO_ON}"
            ) from error
        except BaseException:  # what is under way would be waited for, and is of no use any more
            for child in set(multiprocessing.active_children()) - others:
                child.terminate()
            raise


class _Processes(ProcessPoolExecutor):
    """Processes that begin with a job, deaf to Ctrl-C from their first moment on."""

    def submit(self, fn: Callable[Given, Result], /, *args: Given.args, **kwargs: Given.kwargs) -> Future[Result]:
        if not hasattr(signal, "pthread_sigmask"):
            return super().submit(fn, *args, **kwargs)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # a process that begins takes it over
        try:
            return super().submit(fn, *args, **kwargs)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; who gave the jobs ends them
    torch.set_num_threads(1)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Else the jobs that are already handed out go on for nobody after the parent was killed."""
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)
