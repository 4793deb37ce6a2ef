"""Level."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from stito.dsp.loudness import integrated_loudness
from stito.dsp.spectrum import Response
from stito.effects.devices import Device, Trim
from stito.effects.effect import LinearEffect, column
from stito.effects.param import Param, Settings

__all__ = ["Gain"]


class Gain(LinearEffect):
    """Make it louder or softer."""

    name: ClassVar[str] = "gain"
    aspect: ClassVar[str] = "level"
    level: ClassVar[str | None] = "gain_db"
    params: ClassVar[tuple[Param, ...]] = (Param("gain_db", -24.0, 24.0, neutral=0.0, doc="level change", depth=True),)

    def response(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Response:
        del n, sample_rate
        return column(10 ** (p["gain_db"] / 20))

    @classmethod
    def devices(cls, settings: Mapping[str, float]) -> tuple[Device, ...]:
        """One trim."""
        return (Trim(settings["gain_db"]),)

    def correct(self, settings: Mapping[str, float], made: Tensor, reference: Tensor, sample_rate: int) -> Settings:
        """By the difference in integrated loudness (ITU-R BS.1770)."""
        ours, theirs = (integrated_loudness(audio[None], sample_rate).item() for audio in (made, reference))
        (param,) = self.params
        return {"gain_db": min(max(settings["gain_db"] + theirs - ours, param.low), param.high)}
