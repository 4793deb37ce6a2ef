"""Chorus and phaser: slow movement. Their oscillators start from the same phase at every render."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pedalboard

from stito.effects.param import Param
from stito_effects.pedalboard_effects.base import PedalboardEffect
from stito_effects.pedalboard_effects.stages import Plug, Stage

__all__ = ["PedalboardChorus", "PedalboardPhaser"]

_RATE = Param("rate_hz", 0.1, 10.0, 1.0, "log", doc="speed of the movement")
_DEPTH = Param("depth", 0.0, 1.0, 0.25, doc="reach of the movement")
_FEEDBACK = Param("feedback", -0.9, 0.9, 0.0, doc="how much of the output re-enters; below 0, inverted")
_MIX = Param("mix", 0.0, 1.0, 0.0, doc="from dry (0) to the moving signal alone (1)", depth=True)


class PedalboardChorus(PedalboardEffect):
    """Thickens with a copy whose delay wavers."""

    name: ClassVar[str] = "pedalboard_chorus"
    aspect: ClassVar[str] = "modulation"
    params: ClassVar[tuple[Param, ...]] = (
        _RATE,
        _DEPTH,
        Param("centre_delay_ms", 1.0, 30.0, 7.0, "log", doc="delay around which the copy wavers"),
        _FEEDBACK,
        _MIX,
    )

    @classmethod
    def stages(cls, settings: Mapping[str, float]) -> list[Stage]:
        """One chorus."""
        centre = {"centre_delay_ms": settings["centre_delay_ms"]}
        return [Plug(pedalboard.Chorus, _shared(settings) | centre)]


class PedalboardPhaser(PedalboardEffect):
    """Sweeps notches through the spectrum."""

    name: ClassVar[str] = "pedalboard_phaser"
    aspect: ClassVar[str] = "modulation"
    params: ClassVar[tuple[Param, ...]] = (
        _RATE,
        _DEPTH,
        Param("centre_hz", 100.0, 10_000.0, 1_300.0, "log", doc="frequency around which the notches sweep"),
        _FEEDBACK,
        _MIX,
    )

    @classmethod
    def stages(cls, settings: Mapping[str, float]) -> list[Stage]:
        """One phaser."""
        centre = {"centre_frequency_hz": settings["centre_hz"]}
        return [Plug(pedalboard.Phaser, _shared(settings) | centre)]


def _shared(settings: Mapping[str, float]) -> dict[str, float]:
    return {name: settings[name] for name in ("rate_hz", "depth", "feedback", "mix")}
