"""Settings as a table, as the preset itself, and in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stito.console.words import as_text
from stito.exporters.exporter import Exported, require_suffix
from stito.exporters.session import Session
from stito.files.atomic import write_atomic

__all__ = ["CSV", "JSON", "TEXT", "Document"]


@dataclass(frozen=True)
class Document:
    """An exporter that writes one text file."""

    name: str
    suffix: str
    text: Callable[[Session], str]

    def export(self, session: Session, out: Path, *, force: bool = False) -> Exported:
        """Write it."""
        require_suffix(out, self.suffix)
        write_atomic(out, self.text(session), overwrite=force)
        return Exported((out,))


CSV = Document("csv", ".csv", lambda session: session.preset.to_csv())
JSON = Document("json", ".json", lambda session: session.preset.to_json())
TEXT = Document("text", ".txt", lambda session: as_text(session.words, session.preset))
