"""Two processes with half of the groups each are one process with all of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stito.training.log import read_log
from stito.training.loop import LAST
from training import two_processes

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same run by one process and by two."""
    alone, together = tmp_path_factory.mktemp("alone"), tmp_path_factory.mktemp("together")
    two_processes.main(alone)
    path = os.pathsep.join(str(ROOT / part) for part in (".", "effects", "encoders", "tests"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    # what torchrun sets, without the seconds that its supervisor takes to start
    processes = [
        subprocess.Popen(
            [sys.executable, two_processes.__file__, str(together)],
            env=os.environ
            | group
            | {"RANK": rank, "LOCAL_RANK": rank, "TORCHELASTIC_RUN_ID": "test"}
            | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    try:
        said = [process.communicate(timeout=100)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert not any(process.returncode for process in processes), "\n".join(said)
    return alone, together


def test_gradients_are_those_of_the_joint_batch(folders: tuple[Path, Path]) -> None:
    """Negatives of the other process count, and gradients flow back to it."""
    alone, together = (torch.load(folder / "gradients.pt") for folder in folders)
    assert max(gradient.abs().max() for gradient in alone) > 1e-3
    for one, two in zip(alone, together, strict=True):
        torch.testing.assert_close(two, one, rtol=1e-4, atol=1e-7)


def test_runs_end_in_the_same_weights_and_validations(folders: tuple[Path, Path]) -> None:
    alone, together = (torch.load(folder / LAST)["network"] for folder in folders)
    for name, value in alone.items():
        torch.testing.assert_close(together[name], value, rtol=1e-3, atol=1e-5)
    logs = [[line for line in read_log(folder / "log.jsonl") if line["kind"] == "validation"] for folder in folders]
    assert [line["step"] for line in logs[1]] == [3, 6]
    assert logs[1][-1]["loss"] == pytest.approx(logs[0][-1]["loss"], rel=1e-3)
