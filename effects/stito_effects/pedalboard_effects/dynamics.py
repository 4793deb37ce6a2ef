"""Compressor, limiter and gate. Each channel is measured by itself: pedalboard does not link left and right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pedalboard

from stito.effects.devices import Compressor, Device, Gate, Limiter
from stito.effects.param import Param
from stito_effects.pedalboard_effects.base import PedalboardEffect
from stito_effects.pedalboard_effects.stages import Plug, Stage

__all__ = ["PedalboardCompressor", "PedalboardGate", "PedalboardLimiter"]

UNLINKED = "left and right are not linked"
JUCE = "its times are JUCE's: it is about six times as fast as they say"
PEAKS = "it detects peaks, not RMS"

WALL = 1e6
"""A ratio at which nothing measurable passes the threshold."""


class PedalboardCompressor(PedalboardEffect):
    """Turns down what is louder than the threshold; ratio 1 leaves everything as it is."""

    name: ClassVar[str] = "pedalboard_compressor"
    aspect: ClassVar[str] = "dynamics"
    dynamic: ClassVar[bool] = True
    thresholds: ClassVar[tuple[str, ...]] = ("threshold_db",)
    params: ClassVar[tuple[Param, ...]] = (
        Param("threshold_db", -60.0, 0.0, -20.0, doc="level (dBFS) above which it works"),
        Param("ratio", 1.0, 20.0, 1.0, "log", doc="decibels in for each decibel out", depth=True),
        Param("attack_ms", 0.1, 100.0, 5.0, "log", doc="time to turn down"),
        Param("release_ms", 10.0, 1_000.0, 100.0, "log", doc="time to let go"),
    )

    @classmethod
    def devices(cls, settings: Mapping[str, float]) -> tuple[Device, ...]:
        """One compressor."""
        return (
            Compressor(**{param.name: settings[param.name] for param in cls.params}, notes=(UNLINKED, JUCE, PEAKS)),
        )

    @classmethod
    def stages(cls, settings: Mapping[str, float]) -> list[Stage]:
        """One compressor, without make-up gain."""
        return [Plug(pedalboard.Compressor, {param.name: settings[param.name] for param in cls.params})]


class PedalboardLimiter(PedalboardEffect):
    """Lets nothing past the threshold, without look-ahead; at 0 dBFS it leaves all that does not clip alone.

    A compressor with no attack time and an endless ratio. `pedalboard.Limiter` would not do: it raises the level by
    3.75 dB minus its threshold, compresses from -10 dBFS wherever the threshold is, and clips at full scale.
    """

    name: ClassVar[str] = "pedalboard_limiter"
    aspect: ClassVar[str] = "dynamics"
    dynamic: ClassVar[bool] = True
    thresholds: ClassVar[tuple[str, ...]] = ("threshold_db",)
    params: ClassVar[tuple[Param, ...]] = (
        Param("threshold_db", -30.0, 0.0, 0.0, doc="the highest level (dBFS) that comes out"),
        Param("release_ms", 10.0, 1_000.0, 100.0, "log", doc="time to let go"),
    )

    @classmethod
    def devices(cls, settings: Mapping[str, float]) -> tuple[Device, ...]:
        """One limiter."""
        return (Limiter(settings["threshold_db"], settings["release_ms"], attack_ms=0.0, notes=(UNLINKED, JUCE)),)

    @classmethod
    def stages(cls, settings: Mapping[str, float]) -> list[Stage]:
        """One compressor as a wall."""
        fixed = {"ratio": WALL, "attack_ms": 0.0}
        return [Plug(pedalboard.Compressor, {param.name: settings[param.name] for param in cls.params} | fixed)]


class PedalboardGate(PedalboardEffect):
    """Turns down what is quieter than the threshold; ratio 1 leaves everything as it is."""

    name: ClassVar[str] = "pedalboard_gate"
    aspect: ClassVar[str] = "dynamics"
    dynamic: ClassVar[bool] = True
    thresholds: ClassVar[tuple[str, ...]] = ("threshold_db",)
    params: ClassVar[tuple[Param, ...]] = (
        Param("threshold_db", -80.0, 0.0, -40.0, doc="level (dBFS) below which it works"),
        Param("ratio", 1.0, 20.0, 1.0, "log", doc="decibels out for each decibel in, below the threshold", depth=True),
        Param("attack_ms", 0.1, 100.0, 1.0, "log", doc="time to open"),
        Param("release_ms", 10.0, 1_000.0, 100.0, "log", doc="time to close"),
    )

    @classmethod
    def devices(cls, settings: Mapping[str, float]) -> tuple[Device, ...]:
        """One gate."""
        return (Gate(**{param.name: settings[param.name] for param in cls.params}, notes=(UNLINKED, JUCE)),)

    @classmethod
    def stages(cls, settings: Mapping[str, float]) -> list[Stage]:
        """One noise gate."""
        return [Plug(pedalboard.NoiseGate, {param.name: settings[param.name] for param in cls.params})]
