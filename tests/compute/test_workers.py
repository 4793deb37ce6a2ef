"""Jobs in other processes and on a cluster: the same rows, and none lost."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from stito.compute.workers import cluster, local_workers
from stito.errors import MissingDependencyError, SettingsError, UnknownNameError
from stito.evaluation.transfers.plan import TransferPlan
from stito.evaluation.transfers.rows import Row
from stito.evaluation.transfers.run import evaluate_transfers
from stito.evaluation.transfers.sources import DemoSource

PLAN = TransferPlan(
    cases=3,
    seconds=1.0,
    evaluations=12,
    methods=("input", "match", "cma:features:neutral"),
    chain="eq | compressor",
    evaluation_encoder="features",
)


def timeless(rows: list[Row]) -> list[Row]:
    return [replace(row, seconds=0.0) for row in rows]


@pytest.fixture(scope="module")
def alone() -> list[Row]:
    """The rows of one process."""
    return timeless(evaluate_transfers(DemoSource(), PLAN))


@pytest.fixture(scope="module")
def dask() -> Iterator[Any]:
    """Two workers on this machine."""
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as local:
        yield local


def test_processes_find_the_same_rows(alone: list[Row]) -> None:
    told: list[Row] = []
    with local_workers(2) as executor:
        rows = evaluate_transfers(DemoSource(), PLAN, executor=executor, on_row=told.append)
    assert timeless(rows) == alone
    assert len(told) == len(alone)


def test_a_failing_job_ends_the_others() -> None:
    with pytest.raises(UnknownNameError, match="elsewhere"), local_workers(2) as executor:
        evaluate_transfers(DemoSource(), replace(PLAN, methods=("cma:features:elsewhere",)), executor=executor)


def test_dask_workers_find_the_same_rows_though_one_is_killed(alone: list[Row], dask: Any) -> None:
    killed: list[int] = []

    def kill_the_first(row: Row) -> None:
        if not killed:
            killed.append(next(iter(dask.workers.values())).pid)
            os.kill(killed[0], signal.SIGKILL)

    with cluster(dask.scheduler_address) as executor:
        rows = evaluate_transfers(DemoSource(), PLAN, executor=executor, on_row=kill_the_first)
    assert killed
    assert timeless(rows) == alone


def test_a_scheduler_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stito.compute.workers.CONNECT_S", 0.5)
    with pytest.raises(SettingsError, match="no dask scheduler"), cluster("tcp://127.0.0.1:9"):
        pass


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match="dask") as caught, cluster("tcp://127.0.0.1:9"):
        pass
    assert "stito[cluster]" in str(caught.value.hint)


def test_no_workers_cannot_work() -> None:
    with pytest.raises(SettingsError, match="0 workers"), local_workers(0):
        pass
