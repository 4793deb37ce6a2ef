"""What there is to export: a preset, what was measured with it, and its audio before and after, read when needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor

from stito.console.preset import Preset
from stito.console.strips import master_of, render_preset
from stito.console.words import Reductions, StripWords, explain
from stito.mix import Mix

__all__ = ["Session", "Wet", "written"]


def written(name: str) -> str:
    """A name as a document can hold it, on one line: what no text may contain becomes a space."""
    return "".join(letter if letter.isprintable() else " " for letter in name)


@dataclass(frozen=True, eq=False)
class Wet:
    """Rendered stems (channels, t) as they are written: in the sum, or as they go into a master."""

    stems: Mapping[str, Tensor]
    sample_rate: int
    output_gain_db: float = 0.0
    """That of their sum; into a master they go without it."""
    mastered: bool = False
    """Whether their sum goes through the preset's master."""


def _nothing() -> None:
    return None


@dataclass(frozen=True, eq=False)
class Session:
    """A preset with all that is known of it.

    Attributes:
        name: of the whole, such as the song's.
        preset: the settings.
        reductions: the gain reduction that was measured, by strip and effect.
        read_input: gives the input, or None where there is none.
        read_result: gives what was rendered, or None where that is not on disk: it is then rendered from the input.
        rate: the sample rate that was asked for, in Hz; None leaves it to the format.
    """

    name: str
    preset: Preset
    reductions: Mapping[str, Reductions] = field(default_factory=dict)
    read_input: Callable[[], Mix | None] = _nothing
    read_result: Callable[[], Wet | None] = _nothing
    rate: int | None = None

    @cached_property
    def words(self) -> dict[str, StripWords]:
        """Every strip in words."""
        return explain(self.preset, self.reductions)

    @cached_property
    def dry(self) -> Mix | None:
        """The input."""
        return self.read_input()

    @cached_property
    def wet(self) -> Wet | None:
        """What the settings make of it."""
        found = self.read_result()
        if found is None and self.dry is not None:
            rendered = render_preset(self.dry, self.preset)
            mastered = master_of(self.dry, self.preset) is not None
            return Wet(rendered.stems, rendered.sample_rate, rendered.output_gain_db, mastered)
        return found
