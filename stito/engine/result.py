"""What a transfer tells: where it stands, the settings that it found, the audio that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from stito.console.preset import Preset
from stito.console.strips import Rendered
from stito.engine.solve import Match
from stito.search.base import Budget, Step

__all__ = ["Matched", "Progress", "TransferResult"]


@dataclass(frozen=True)
class Progress:
    """Where a transfer stands: what is being separated, searched or rendered, and how the search does.

    `share` is what is done of a separation.
    """

    phase: Literal["separate", "search", "render"]
    name: str
    index: int
    count: int
    budget: Budget | None = None
    step: Step | None = None
    share: float | None = None


@dataclass(frozen=True)
class Matched:
    """Settings for every stem, before rendering settles their levels."""

    matches: Mapping[str, Match]
    preset: Preset
    notes: tuple[str, ...] = ()
    interrupted: bool = False


@dataclass(frozen=True)
class TransferResult:
    """The settings as a preset, the audio that they make and how long that took, and how they were found."""

    preset: Preset
    rendered: Rendered
    matched: Matched
    render_seconds: float = 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        """What was and what was not matched, in sentences."""
        return self.matched.notes
