"""Progress of a training on stderr: a live bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from stito.cli.live import Live

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

    from stito.training.loop import Progress

__all__ = ["TrainingReporter"]


class TrainingReporter(Live):
    """Shows a training; use as a context manager and pass the object as `on_step`."""

    def _columns(self) -> tuple[ProgressColumn, ...]:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

        return BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn()

    def __call__(self, progress: Progress) -> None:
        detail = _detail(progress.values)
        if self._bar is None:
            sys.stderr.write(f"{progress.kind} {progress.step}/{progress.steps}: {detail}\n")
            sys.stderr.flush()
            return
        if not self._bar.task_ids:
            self._bar.add_task("", total=progress.steps)
        if progress.kind == "validation":  # stays above the bar
            self._bar.console.print(f"validation {progress.step}/{progress.steps}: {detail}", highlight=False)
        else:
            self._bar.update(self._bar.task_ids[0], completed=progress.step, description=detail)


def _detail(values: Mapping[str, float]) -> str:
    parts = []
    if "loss" in values:
        parts.append(f"loss {values['loss']:.4f}")
    parts += [f"{key.removesuffix('.retrieval')} {value:.0%}" for key, value in values.items() if "retrieval" in key]
    if "steps_per_second" in values:
        parts.append(f"{values['steps_per_second']:.2f} steps/s, waiting {values['waiting']:.0%}")
    return ", ".join(parts)
