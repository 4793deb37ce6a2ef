"""Signals that end a program: a cluster's SIGTERM, a closed terminal's SIGHUP, handled as Ctrl-C is."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from stito.terminal import leave_terminal

__all__ = ["Ending", "as_interrupts"]

_NAMES = ("SIGTERM", "SIGHUP")
"""Windows has no SIGHUP."""


@dataclass
class Ending:
    """The last signal that came, SIGINT as long as none of the others did."""

    number: int = signal.SIGINT

    @property
    def status(self) -> int:
        """The exit status of a program that a signal ended, as shells have it: 130 of Ctrl-C, 143 of SIGTERM."""
        return 128 + self.number


@contextlib.contextmanager
def as_interrupts() -> Iterator[Ending]:
    """Let SIGTERM and SIGHUP raise `KeyboardInterrupt`, each time that they come; the former handlers come back.

    A signal that is ignored stays so (`nohup`). Only a program's main thread can do this; elsewhere nothing changes.
    """
    ending = Ending()
    if threading.current_thread() is not threading.main_thread():
        yield ending
        return

    def interrupt(number: int, frame: object) -> None:
        ending.number = number
        if signal.Signals(number).name == "SIGHUP":
            leave_terminal()
        raise KeyboardInterrupt

    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    handled = [number for number, handler in before.items() if handler is signal.SIG_DFL]
    for number in handled:
        signal.signal(number, interrupt)
    try:
        yield ending
    finally:
        for number in handled:
            signal.signal(number, before[number])
