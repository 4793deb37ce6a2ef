"""Worker processes end with the process that they work for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from stito.compute.processes import processes
from stito.errors import StitoError

PARENT = """
import time
from multiprocessing import active_children
from stito.compute.processes import processes

if __name__ == "__main__":
    with processes(2) as pool:
        jobs = [pool.submit(time.sleep, 600) for _ in range(2)]
        print(*(child.pid for child in active_children()), flush=True)
        jobs[0].result()
"""


def test_workers_of_a_process_that_was_killed_do_not_go_on() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
        try:
            parent.communicate(timeout=60)  # ends when nobody has its output open any more, its workers among them
        except subprocess.TimeoutExpired:
            for worker in workers:
                os.kill(worker, signal.SIGTERM)
            pytest.fail("workers outlived their parent")


def test_what_is_under_way_is_given_up_after_an_error() -> None:
    started = time.monotonic()
    with pytest.raises(ZeroDivisionError), processes(2) as pool:
        _ = pool.submit(time.sleep, 600), 1 / 0
    assert time.monotonic() - started < 300


def test_a_worker_that_dies_is_told() -> None:
    with pytest.raises(StitoError, match="worker died"), processes(2) as pool:
        pool.submit(partial(os._exit, 1)).result()


def test_control_c_is_for_the_parent_alone() -> None:
    with processes(1) as pool:
        assert pool.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_IGN
