"""Settings in words, from a preset or from the folder of a result."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stito.console.preset import Preset, load_preset
from stito.console.words import Reductions, StripWords, as_document, as_text, explain, gain_in_words, reductions_in
from stito.errors import MissingFileError
from stito.workflows.folder import RESULT

__all__ = ["Explained", "Source", "explain_source", "read_source"]


@dataclass(frozen=True)
class Source:
    """A preset, and what its result, if it stands in the folder of one, has on record.

    Attributes:
        preset: the settings.
        result: the document `result.json`; empty for a bare preset.
        folder: of the result, None for a bare preset.
    """

    preset: Preset
    result: Mapping[str, Any]
    folder: Path | None

    @property
    def reductions(self) -> Mapping[str, Reductions]:
        """The gain reduction that was measured, by strip and effect."""
        return reductions_in(self.result.get("words"))


@dataclass(frozen=True)
class Explained:
    """Every strip of a preset in words."""

    strips: Mapping[str, StripWords]
    preset: Preset

    def to_json(self) -> str:
        """As a document."""
        document = {
            "format": "stito.words",
            "version": 1,
            "strips": as_document(self.strips),
            "sum": gain_in_words(self.preset),
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    def to_text(self) -> str:
        """As paragraphs, one for each strip."""
        return as_text(self.strips, self.preset)


def read_source(path: Path) -> Source:
    """A preset file, or the folder of a result: its preset, and what it has on record.

    Raises:
        MissingFileError: there is no such file, or no preset in that folder.
        PresetError: the preset cannot be read.
    """
    if not path.is_dir():
        return Source(load_preset(path), {}, None)
    if not (path / "preset.json").is_file():
        raise MissingFileError(
            f"There is no preset in {path}.", hint="Give a preset, or the folder that a transfer wrote (its OUTDIR)."
        )
    try:
        result = json.loads((path / RESULT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        result = {}
    return Source(load_preset(path / "preset.json"), result if isinstance(result, dict) else {}, path)


def explain_source(source: Source) -> Explained:
    """Its strips in words."""
    return Explained(explain(source.preset, source.reductions), source.preset)
