"""Progress of a batch on stderr: a line for each pair, and in a terminal a bar below them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from stito.cli.live import Live

if TYPE_CHECKING:
    from rich.progress import ProgressColumn, TaskID

    from stito.workflows.batch import BatchProgress

__all__ = ["BatchReporter"]


class BatchReporter(Live):
    """Shows which pair was begun and which is done; use as a context manager and pass the object as `on_pair`."""

    def __init__(self) -> None:
        super().__init__()
        self._task: TaskID | None = None
        self.finished, self.count = 0, 0

    def _columns(self) -> tuple[ProgressColumn, ...]:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

        return TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[left]}")

    def __call__(self, progress: BatchProgress) -> None:
        self.finished, self.count = progress.finished, progress.count
        if self._bar is None:
            sys.stderr.write(_line(progress) + "\n")
            sys.stderr.flush()
            return
        if progress.state != "begun":
            self._bar.console.print(_line(progress), markup=False, highlight=False, soft_wrap=True)
        if self._task is None:
            self._task = self._bar.add_task("", total=progress.count, left="")
        if progress.state == "begun":
            self._bar.update(self._task, description=progress.name)
        left = _left(progress.seconds_left)
        self._bar.update(self._task, completed=progress.finished, total=progress.count, left=left)


def _line(progress: BatchProgress) -> str:
    if progress.state == "kept":
        return f"{progress.finished} of {progress.count} are done already"
    left = _left(progress.seconds_left) if progress.finished < progress.count else ""
    if progress.state == "begun":
        return f"begun: {progress.name}" + (f" ({left})" if left else "")
    return f"{progress.finished} of {progress.count}: {progress.name}, {_outcome(progress)}" + (left and f"; {left}")


def _outcome(progress: BatchProgress) -> str:
    row = progress.row
    if row is None:
        return progress.state
    if row.status == "failed":
        return f"failed: {row.error}"
    distances = f"distance to reference {row.distance_before:.4f} -> {row.distance_after:.4f}"
    return f"{distances} (reduction {row.reduction_percent or 0.0:.0f} %) in {row.seconds or 0.0:.0f} s"


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"about {hours}:{minutes:02d}:{rest:02d} left" if hours else f"about {minutes}:{rest:02d} left"
