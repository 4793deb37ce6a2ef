"""Progress on stderr: a live bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from stito.cli.live import Live

if TYPE_CHECKING:
    from typing import Self

    from rich.progress import ProgressColumn, TaskID

    from stito.engine.result import Progress

__all__ = ["Reporter"]

PLAIN_INTERVAL_S = 5.0
DOING = {
    "load": "loading",
    "read": "reading",
    "separate": "separating",
    "measure": "measuring",
    "excerpts": "choosing excerpts",
    "starts": "finding where to start",
    "search": "searching",
    "simplify": "leaving out what does not matter",
    "render": "rendering",
    "write": "writing",
    "report": "drawing the report",
}


class Reporter(Live):
    """Shows the progress of a transfer; use as a context manager and pass the object as `on_step`."""

    def __init__(self) -> None:
        super().__init__()
        self._task: TaskID | None = None
        self._at: tuple[str, str] | None = None
        self._printed_at = 0.0

    def __enter__(self) -> Self:
        """Say at once that something is going on: what does the work takes seconds to load."""
        super().__enter__()
        if self._bar:
            self._task = self._bar.add_task("loading", total=None, detail="")
        else:
            sys.stderr.write("loading\n")
            sys.stderr.flush()
        return self

    def _columns(self) -> tuple[ProgressColumn, ...]:
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn

        detail = TextColumn("{task.fields[detail]}")
        return TextColumn("{task.description}"), BarColumn(24), detail, TimeRemainingColumn()

    def __call__(self, progress: Progress) -> None:
        new = self._at != (progress.phase, progress.name)
        self._at = (progress.phase, progress.name)
        if self._bar:
            self._draw(progress, new)
        else:
            self._print(progress, new)

    def _draw(self, progress: Progress, new: bool) -> None:
        assert self._bar is not None
        if new or self._task is None:
            if self._task is not None:
                self._bar.remove_task(self._task)
            known = progress.step is not None or progress.share is not None or progress.count > 1
            self._task = self._bar.add_task(_place(progress), total=1.0 if known else None, detail="")
        self._bar.update(self._task, completed=_share(progress), detail=_detail(progress))

    def _print(self, progress: Progress, new: bool) -> None:
        now = time.monotonic()
        if not new and now - self._printed_at < PLAIN_INTERVAL_S and _share(progress) < 1:
            return
        self._printed_at = now
        place = _place(progress)
        detail = _detail(progress)
        sys.stderr.write(f"{place}: {_share(progress):.0%}, {detail}\n" if detail else f"{place}\n")
        sys.stderr.flush()


def _place(progress: Progress) -> str:
    """What is going on: the phase, what it works on, and which of how many that is."""
    place = " ".join(word for word in (DOING.get(progress.phase, progress.phase), progress.name) if word)
    return f"{place} ({progress.index + 1}/{progress.count})" if progress.count > 1 else place


def _share(progress: Progress) -> float:
    """The share that is done, 0 to 1: of a search's budget, by whichever limit comes first."""
    if progress.share is not None:
        return progress.share
    if progress.step is None or progress.budget is None:
        return 0.0
    shares = []
    if progress.budget.evaluations:
        shares.append(progress.step.evaluations / progress.budget.evaluations)
    if progress.budget.seconds:
        shares.append(progress.step.seconds / progress.budget.seconds)
    return min(1.0, max(shares, default=0.0))


def _detail(progress: Progress) -> str:
    step = progress.step
    if step is None:
        return ""
    rate = step.evaluations / step.seconds if step.seconds > 0 else 0.0
    return f"loss {step.loss:.4f}, {step.evaluations} evaluations, {rate:.0f}/s"
