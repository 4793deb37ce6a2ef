"""Stereo width."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from stito.dsp.reduction import GainReduction
from stito.dsp.spectrum import Response
from stito.dsp.statistics import width_db
from stito.effects.effect import LinearEffect
from stito.effects.param import Param, Settings
from stito.effects.words import Move, percent

__all__ = ["Imager"]

MONO_DB = -60.0
"""A side this far under the mid is noise: scaling it up would not make a recording wide."""
HARDLY = 0.04
"""A width this close to 1 is no change, and this close to 0 is mono."""
WORTH_DB = 8.0
"""What twice the side counts for among other changes."""
CANCELLED_DB = 40.0
"""A mid this far under the side is no sound: what is left without the side would be silence."""


class Imager(LinearEffect):
    """Make it narrower or wider: 0 is mono, 1 leaves it alone, 2 doubles the side.

    The side (L - R) / 2 is scaled and the mid (L + R) / 2 is kept, as in the mid/side imager of FXmanipulator. That
    one also restores the energy; here it is not, because the factor depends on the content and the effect would no
    longer be linear.
    """

    name: ClassVar[str] = "imager"
    aspect: ClassVar[str] = "width"
    params: ClassVar[tuple[Param, ...]] = (
        Param("width", 0.0, 2.0, neutral=1.0, doc="0 is mono, 2 is widest", depth=True),
    )

    def response(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Response:
        del n, sample_rate
        same, other = (1 + p["width"]) / 2, (1 - p["width"]) / 2
        return torch.stack([same, other, other, same], dim=1).reshape(-1, 2, 2, 1)

    @classmethod
    def describe(cls, settings: Mapping[str, float], reduction: GainReduction | None = None) -> list[Move]:
        """Wider, narrower, or mono."""
        width = settings["width"]
        if abs(width - 1) < HARDLY:
            return []
        if width < HARDLY:
            return [Move("Make it mono.", WORTH_DB)]
        return [Move(f"{'Widen' if width > 1 else 'Narrow'} it to {percent(width)}.", WORTH_DB * abs(width - 1))]

    def correct(self, settings: Mapping[str, float], made: Tensor, reference: Tensor, sample_rate: int) -> Settings:
        """The width at which the level of side over mid becomes the reference's.

        Nothing for audio that is mono, or whose channels cancel each other.
        """
        del sample_rate
        ours = width_db(made)
        if not MONO_DB <= ours <= CANCELLED_DB:
            return dict(settings)
        (param,) = self.params
        return {"width": min(settings["width"] * 10 ** ((width_db(reference) - ours) / 20), param.high)}
