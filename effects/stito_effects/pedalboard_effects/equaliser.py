"""A parametric equaliser of six bands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import pedalboard

from stito.effects.devices import Band, BandShape, Device, Equalizer
from stito.effects.param import Param
from stito_effects.pedalboard_effects.base import PedalboardEffect
from stito_effects.pedalboard_effects.stages import Plug, Stage

__all__ = ["PedalboardEqualiser"]


class _Band(NamedTuple):
    """One filter: what it is called, what renders it, and where its frequency may stand."""

    name: str
    shape: BandShape
    filter: Callable[..., pedalboard.Plugin]
    low_hz: float
    high_hz: float
    usual_hz: float

    def params(self) -> tuple[Param, Param, Param]:
        return (
            Param(f"{self.name}_gain_db", -24.0, 24.0, 0.0, doc="boost or cut", depth=True),
            Param(f"{self.name}_hz", self.low_hz, self.high_hz, self.usual_hz, "log", doc="corner or centre"),
            Param(f"{self.name}_q", 0.1, 4.0, 0.707, "log", doc="narrowness, or steepness of a shelf"),
        )


# The ranges overlap, but no two are the same: bands that could swap places would give every sound many settings.
_BANDS = (
    _Band("low_shelf", "low_shelf", pedalboard.LowShelfFilter, 20.0, 4_000.0, 80.0),
    _Band("band1", "bell", pedalboard.PeakFilter, 40.0, 1_000.0, 200.0),
    _Band("band2", "bell", pedalboard.PeakFilter, 100.0, 2_500.0, 500.0),
    _Band("band3", "bell", pedalboard.PeakFilter, 400.0, 8_000.0, 2_000.0),
    _Band("band4", "bell", pedalboard.PeakFilter, 1_000.0, 16_000.0, 5_000.0),
    _Band("high_shelf", "high_shelf", pedalboard.HighShelfFilter, 200.0, 18_000.0, 10_000.0),
)


class PedalboardEqualiser(PedalboardEffect):
    """Boosts and cuts in six bands: low shelf, four peaks, high shelf."""

    name: ClassVar[str] = "pedalboard_eq"
    aspect: ClassVar[str] = "eq"
    params: ClassVar[tuple[Param, ...]] = tuple(param for band in _BANDS for param in band.params())

    @classmethod
    def devices(cls, settings: Mapping[str, float]) -> tuple[Device, ...]:
        """Six bands."""
        bands = [
            Band(
                band.shape,
                settings[f"{band.name}_hz"],
                settings[f"{band.name}_q"],
                settings[f"{band.name}_gain_db"],
            )
            for band in _BANDS
        ]
        return (Equalizer(tuple(bands)),)

    @classmethod
    def stages(cls, settings: Mapping[str, float]) -> list[Stage]:
        """Six filters in series."""
        return [
            Plug(
                band.filter,
                {
                    "cutoff_frequency_hz": settings[f"{band.name}_hz"],
                    "gain_db": settings[f"{band.name}_gain_db"],
                    "q": settings[f"{band.name}_q"],
                },
            )
            for band in _BANDS
        ]
