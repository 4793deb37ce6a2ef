"""Rows of an evaluation in a file of JSON lines: an interrupted evaluation goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from stito.audio import write_atomic
from stito.errors import OutputError

__all__ = ["RowLog"]

Row = TypeVar("Row")


class RowLog(Generic[Row]):
    """Rows, each written as soon as it is there, below a header that says what they are of.

    Attributes:
        rows: those that are kept.
    """

    def __init__(
        self,
        path: Path | None,
        identity: Mapping[str, Any],
        parse: Callable[[dict[str, Any]], Row],
        key: Callable[[Row], Hashable],
        *,
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        """What is in a file already; without a path nothing is kept.

        Args:
            path: of the file.
            identity: what all rows are of.
            parse: the row of a line's values.
            key: rows of one key replace each other.
            renamed: keys of earlier versions, and what they are called now.

        Raises:
            OutputError: the file is of another evaluation.
        """
        self._path, self._header, self._key = path, json.dumps(identity, sort_keys=True), key
        self.rows: list[Row] = []
        if path is None or not path.is_file():
            return
        header, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
        names = renamed or {}
        if json.dumps(_read(header, names), sort_keys=True) != self._header:
            raise OutputError(f"{path} is of another evaluation.", hint="Choose another folder, or delete it.")
        self.rows = [parse(values) for values in (_read(line, names) for line in lines) if values is not None]

    def add(self, row: Row) -> None:
        """Keep a row, in place of an earlier one of its key."""
        self.rows = [kept for kept in self.rows if self._key(kept) != self._key(row)] + [row]
        if self._path:
            lines = [self._header, *(json.dumps(_values(kept)) for kept in self.rows)]
            write_atomic(self._path, "\n".join(lines) + "\n", overwrite=True)


def _values(row: object) -> dict[str, Any]:
    assert is_dataclass(row)
    assert not isinstance(row, type)
    return asdict(row)


def _read(line: str, names: Mapping[str, str]) -> dict[str, Any] | None:
    """The values of a line under their current names; nothing for a line that was cut off."""
    try:
        values = json.loads(line)
    except json.JSONDecodeError:
        return None
    if not isinstance(values, dict):
        return None
    return {names.get(str(key), str(key)): value for key, value in values.items()}
