"""The log of a run: one JSON object per line, and the same to TensorBoard where that is installed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from stito.audio import write_atomic

__all__ = ["Log", "read_log"]


class Log:
    """`log.jsonl` in a run's folder; what an interrupted run wrote after its last checkpoint is deleted."""

    def __init__(self, folder: Path, *, step: int = 0, tensorboard: bool = True) -> None:
        """Go on after `step`; 0 starts anew."""
        path = folder / "log.jsonl"
        kept = [line for line in read_log(path) if line["step"] <= step] if step else []
        write_atomic(path, "".join(json.dumps(line) + "\n" for line in kept), overwrite=True)
        self._file = path.open("a", encoding="utf-8")
        self._board = _board(folder / "tensorboard", step) if tensorboard else None

    def write(self, step: int, values: Mapping[str, Any], *, kind: str = "train") -> None:
        """One line, on disk when this returns; numbers also become curves named `kind/key`."""
        self._file.write(json.dumps({"step": step, "kind": kind, **values}) + "\n")
        self._file.flush()
        if self._board is not None:
            for key, value in values.items():
                if isinstance(value, int | float):
                    self._board.add_scalar(f"{kind}/{key}", value, step)

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()


def read_log(path: Path) -> list[dict[str, Any]]:
    """All lines of a log, none if there is no such file; a last line that was cut off is left out."""
    lines: list[dict[str, Any]] = []
    if not path.exists():
        return lines
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            lines.append(json.loads(text))
        except json.JSONDecodeError:
            break
    return lines


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=step + 1 if step else None)
