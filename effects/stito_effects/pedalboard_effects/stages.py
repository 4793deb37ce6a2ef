"""What a board is made of: pedalboard plug-ins with their arguments, as values.

One description serves twice: `build` makes the plug-in that renders, `source` writes the Python that makes the same
one, so that an exported script cannot differ from what was rendered.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pedalboard

__all__ = ["Blend", "Plug", "Stage", "decibels"]

SILENT_DB = -200.0
"""pedalboard's `Gain` is exactly zero from -100 dB down."""


class Stage(ABC):
    """One place on a board."""

    @abstractmethod
    def build(self) -> pedalboard.Plugin:
        """A fresh plug-in: pedalboard keeps state in them, so none is used twice."""

    @abstractmethod
    def source(self) -> str:
        """The Python expression for the same plug-in, after `import pedalboard`."""


@dataclass(frozen=True)
class Plug(Stage):
    """One pedalboard plug-in and its keyword arguments.

    >>> Plug(pedalboard.Gain, {"gain_db": -6.0}).source()
    'pedalboard.Gain(gain_db=-6)'
    """

    kind: Callable[..., pedalboard.Plugin]
    arguments: Mapping[str, float]

    def build(self) -> pedalboard.Plugin:
        return self.kind(**self.arguments)

    def source(self) -> str:
        # Nine digits tell any two float32 numbers apart, and float32 is what the plug-in stores.
        arguments = ", ".join(f"{name}={value:.9g}" for name, value in self.arguments.items())
        return f"pedalboard.{self.kind.__name__}({arguments})"


@dataclass(frozen=True)
class Blend(Stage):
    """Dry and wet in parallel, for plug-ins without a mix knob of their own: dry at `1 - mix`, wet at `mix`."""

    wet: Sequence[Stage]
    mix: float

    def build(self) -> pedalboard.Plugin:
        wet, dry = self._gains()
        return pedalboard.Mix([pedalboard.Chain([*(stage.build() for stage in self.wet), wet.build()]), dry.build()])

    def source(self) -> str:
        wet, dry = self._gains()
        chained = ", ".join(stage.source() for stage in [*self.wet, wet])
        return f"pedalboard.Mix([pedalboard.Chain([{chained}]), {dry.source()}])"

    def _gains(self) -> tuple[Plug, Plug]:
        wet, dry = decibels(self.mix), decibels(1.0 - self.mix)
        return Plug(pedalboard.Gain, {"gain_db": wet}), Plug(pedalboard.Gain, {"gain_db": dry})


def decibels(amplitude: float) -> float:
    """An amplitude as the decibels that pedalboard's `Gain` takes; nothing, or less, is its silence."""
    return 20.0 * math.log10(amplitude) if amplitude > 0.0 else SILENT_DB
