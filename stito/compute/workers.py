"""Where jobs run: processes of this machine, or workers of a cluster, both as the standard library's `Executor`.

The only place that knows dask.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError, Executor
from contextlib import contextmanager
from typing import Any

from stito.compute.processes import GO_ON, processes
from stito.errors import MissingDependencyError, SettingsError, StitoError

__all__ = ["cluster", "local_workers"]

CONNECT_S = 15


@contextmanager
def local_workers(count: int) -> Iterator[Executor | None]:
    """That many processes on this machine; none beside this one for a single worker."""
    if count < 1:
        raise SettingsError(f"{count} workers cannot do anything.", hint="Give 1 or more.")
    if count == 1:
        yield None
        return
    with processes(count) as executor:
        yield executor


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The workers of a dask scheduler. Jobs of a worker that is lost are run again elsewhere.

    Raises:
        MissingDependencyError: dask.distributed is not installed.
        SettingsError: there is no scheduler at that address, or it has no workers.
        StitoError: a job was lost with several workers, or with the scheduler.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise MissingDependencyError(
            f"A scheduler needs dask.distributed, which cannot be imported: {error}",
            hint="Install it with: pip install 'stito[cluster]'",
        ) from error
    try:
        connect: Any = Client  # as far as types go, dask has none here
        client = connect(address, timeout=CONNECT_S)
    except (OSError, ValueError, TimeoutError) as error:
        raise SettingsError(
            f"There is no dask scheduler at {address}: {error}",
            hint="Start one with `dask scheduler` and workers with `dask worker ADDRESS --nthreads 1`.",
        ) from error
    with client, client.get_executor(pure=False) as executor:
        try:
            client.wait_for_workers(1, timeout=CONNECT_S)
        except TimeoutError as error:
            raise SettingsError(
                f"The scheduler at {address} has no workers.", hint="Start some: `dask worker ADDRESS --nthreads 1`."
            ) from error
        try:
            yield executor
        except (KilledWorker, CancelledError) as error:
            raise StitoError(
                f"The cluster lost a job for good: {error}", hint=f"Look at its workers. {GO_ON}"
            ) from error
