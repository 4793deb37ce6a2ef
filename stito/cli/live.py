"""What all progress on stderr shares: a live bar in a terminal, no bar elsewhere."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn

__all__ = ["Live"]


class Live(ABC):
    """A context manager; inside, `_bar` is there if stderr is a terminal."""

    def __init__(self) -> None:
        self._bar: Bar | None = None

    @abstractmethod
    def _columns(self) -> tuple[ProgressColumn, ...]:
        """What stands in the bar's line."""

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(*self._columns(), console=Console(stderr=True), transient=True)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()
