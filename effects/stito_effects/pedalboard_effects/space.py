"""Reverb and delay: the room around the sound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pedalboard

from stito.dsp.reduction import GainReduction
from stito.effects.param import Param
from stito.effects.words import DRY, WHOLE_DB, Move, echoes, percent, plain
from stito_effects.pedalboard_effects.base import PedalboardEffect
from stito_effects.pedalboard_effects.stages import Plug, Stage

__all__ = ["PedalboardDelay", "PedalboardReverb"]


class PedalboardReverb(PedalboardEffect):
    """A Freeverb room."""

    name: ClassVar[str] = "pedalboard_reverb"
    aspect: ClassVar[str] = "reverb"
    params: ClassVar[tuple[Param, ...]] = (
        Param("room_size", 0.0, 1.0, 0.5, doc="length of the tail"),
        Param("damping", 0.0, 1.0, 0.5, doc="how fast the tail loses its treble"),
        Param("width", 0.0, 1.0, 1.0, doc="stereo width of the tail"),
        Param("mix", 0.0, 1.0, 0.0, doc="from dry (0) to reverb alone (1)", depth=True),
    )

    @classmethod
    def describe(cls, settings: Mapping[str, float], reduction: GainReduction | None = None) -> list[Move]:
        """How large a room, and its share."""
        if settings["mix"] < DRY:
            return []
        text = f"A Freeverb room of size {plain(settings['room_size'])} at {percent(settings['mix'])}"
        return [Move(f"{text}, damping {plain(settings['damping'])}.", WHOLE_DB * settings["mix"])]

    @classmethod
    def stages(cls, settings: Mapping[str, float]) -> list[Stage]:
        """One reverb whose dry and wet levels cross over."""
        mix = settings["mix"]
        room = {name: settings[name] for name in ("room_size", "damping", "width")}
        # Its dry level is doubled inside, so a half is unity; a half of wet is then about as loud as the dry.
        return [Plug(pedalboard.Reverb, room | {"wet_level": 0.5 * mix, "dry_level": 0.5 * (1.0 - mix)})]


class PedalboardDelay(PedalboardEffect):
    """Echoes."""

    name: ClassVar[str] = "pedalboard_delay"
    aspect: ClassVar[str] = "delay"
    params: ClassVar[tuple[Param, ...]] = (
        Param("delay_ms", 10.0, 1_000.0, 250.0, "log", doc="time between echoes"),
        Param("feedback", 0.0, 0.9, 0.3, doc="how much of each echo is echoed"),
        Param("mix", 0.0, 1.0, 0.0, doc="from dry (0) to echoes alone (1)", depth=True),
    )

    @classmethod
    def describe(cls, settings: Mapping[str, float], reduction: GainReduction | None = None) -> list[Move]:
        """Echoes: how often, how loud, how many."""
        return echoes(settings["delay_ms"], settings["feedback"], settings["mix"])

    @classmethod
    def stages(cls, settings: Mapping[str, float]) -> list[Stage]:
        """One delay."""
        seconds = {"delay_seconds": settings["delay_ms"] / 1000.0}
        return [Plug(pedalboard.Delay, seconds | {name: settings[name] for name in ("feedback", "mix")})]
