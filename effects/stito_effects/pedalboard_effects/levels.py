"""Gain and distortion: level, and what happens when there is too much of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pedalboard

from stito.dsp.reduction import GainReduction
from stito.effects.devices import Device, Trim
from stito.effects.param import Param
from stito.effects.words import AUDIBLE_DB, DRY, Move, decibels, percent
from stito_effects.pedalboard_effects.base import PedalboardEffect
from stito_effects.pedalboard_effects.stages import Blend, Plug, Stage

__all__ = ["PedalboardDistortion", "PedalboardGain"]


class PedalboardGain(PedalboardEffect):
    """Turns the level up or down."""

    name: ClassVar[str] = "pedalboard_gain"
    aspect: ClassVar[str] = "level"
    level: ClassVar[str | None] = "gain_db"
    params: ClassVar[tuple[Param, ...]] = (Param("gain_db", -24.0, 24.0, 0.0, doc="level change", depth=True),)

    @classmethod
    def devices(cls, settings: Mapping[str, float]) -> tuple[Device, ...]:
        """One trim."""
        return (Trim(settings["gain_db"]),)

    @classmethod
    def stages(cls, settings: Mapping[str, float]) -> list[Stage]:
        """One gain."""
        return [Plug(pedalboard.Gain, {"gain_db": settings["gain_db"]})]


class PedalboardDistortion(PedalboardEffect):
    """Saturates through tanh; 0 dB of drive already bends the wave, so `mix` brings it in."""

    name: ClassVar[str] = "pedalboard_distortion"
    aspect: ClassVar[str] = "saturation"
    params: ClassVar[tuple[Param, ...]] = (
        Param("drive_db", 0.0, 48.0, 12.0, doc="gain before tanh"),
        Param("output_db", -24.0, 24.0, 0.0, doc="level of the distorted signal"),
        Param("mix", 0.0, 1.0, 0.0, doc="from clean (0) to distorted (1)", depth=True),
    )

    @classmethod
    def describe(cls, settings: Mapping[str, float], reduction: GainReduction | None = None) -> list[Move]:
        """How hard it is driven, and its share."""
        drive, output, mix = settings["drive_db"], settings["output_db"], settings["mix"]
        if mix < DRY:
            return []
        text = f"Distort: tanh driven by {decibels(drive)}"
        text += f", {decibels(output, signed=True)} behind it" if abs(output) >= AUDIBLE_DB else ""
        return [Move(f"{text}, at {percent(mix)}.", mix * max(2 + drive / 4, abs(output)))]

    @classmethod
    def stages(cls, settings: Mapping[str, float]) -> list[Stage]:
        """Clean and distorted in parallel."""
        wet = [
            Plug(pedalboard.Distortion, {"drive_db": settings["drive_db"]}),
            Plug(pedalboard.Gain, {"gain_db": settings["output_db"]}),
        ]
        return [Blend(wet, settings["mix"])]
