"""Worker processes end with the process that they work for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from stito.errors import StitoError
from stito.processes import processes

PARENT = """
import os, time
from stito.processes import processes

if __name__ == "__main__":
    with processes(2) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        pool.submit(time.sleep, 600).result()
"""


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_workers_of_a_process_that_was_killed_do_not_go_on() -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        worker = int(parent.stdout.readline())
        assert is_running(worker)
        parent.send_signal(signal.SIGKILL)
    for _ in range(300):
        if not is_running(worker):
            return
        time.sleep(0.1)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker outlived its parent")


def test_what_is_under_way_is_given_up_after_an_error() -> None:
    started = time.monotonic()
    with pytest.raises(ZeroDivisionError), processes(2) as pool:
        _ = pool.submit(time.sleep, 600), 1 / 0
    assert time.monotonic() - started < 300


def test_a_worker_that_dies_is_told() -> None:
    with pytest.raises(StitoError, match="worker died"), processes(2) as pool:
        pool.submit(partial(os._exit, 1)).result()
