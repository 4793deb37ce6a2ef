"""What long work spends its time on, by phase, without handing a clock through every function."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

__all__ = ["Phases", "Spent", "phase", "recording"]

Begin = Callable[[str, str], None]
"""Called with the name of a phase, and with what it works on."""


@dataclass
class Spent:
    """Time that a phase took, without that of phases inside it: on the wall, and of all cores together; in s."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0


@dataclass
class Phases:
    """The time that each phase took, in the order in which they first began."""

    spent: dict[str, Spent] = field(default_factory=dict)
    on_begin: Begin | None = None
    _running: list[str] = field(default_factory=list)
    _since: tuple[float, float] = (0.0, 0.0)

    def _turn(self) -> None:
        """What passed since the last turn belongs to the innermost phase that is running."""
        now = time.perf_counter(), time.process_time()
        if self._running:
            spent = self.spent.setdefault(self._running[-1], Spent())
            spent.seconds += now[0] - self._since[0]
            spent.cpu_seconds += now[1] - self._since[1]
        self._since = now


_current: ContextVar[Phases | None] = ContextVar("phases", default=None)


@contextmanager
def recording(on_begin: Begin | None = None) -> Iterator[Phases]:
    """Record the phases that begin inside."""
    phases = Phases(on_begin=on_begin)
    token = _current.set(phases)
    try:
        yield phases
    finally:
        _current.reset(token)


@contextmanager
def phase(name: str, subject: str = "") -> Iterator[None]:
    """Inside, time belongs to the phase of this name; nothing happens where nobody records.

    >>> with recording() as phases:
    ...     with phase("read"), phase("decode"):
    ...         pass
    >>> list(phases.spent)
    ['read', 'decode']
    """
    phases = _current.get()
    if phases is None:
        yield
        return
    phases._turn()
    phases._running.append(name)
    phases.spent.setdefault(name, Spent())
    if phases.on_begin:
        phases.on_begin(name, subject)
    try:
        yield
    finally:
        phases._turn()
        phases._running.pop()
