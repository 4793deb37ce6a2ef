"""Place in the stereo field."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from stito.dsp.spectrum import Response
from stito.dsp.statistics import balance_db
from stito.effects.devices import Balance, Device
from stito.effects.effect import LinearEffect
from stito.effects.param import Param, Settings

__all__ = ["Panner"]


class Panner(LinearEffect):
    """Move it to the left or the right.

    A balance for stereo input under the sine-cosine law: the left channel is scaled by sqrt(2) cos(a) and the right
    by sqrt(2) sin(a), with a from 0 (hard left) to 90 degrees. The factor makes the centre the identity. The energy
    of equally loud channels is kept at every place, since the squared gains add up to 2.
    """

    name: ClassVar[str] = "panner"
    aspect: ClassVar[str] = "pan"
    params: ClassVar[tuple[Param, ...]] = (
        Param("pan", -1.0, 1.0, neutral=0.0, doc="-1 is left, 1 is right", sided=True, depth=True),
    )

    def response(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Response:
        del n, sample_rate
        angle = (p["pan"] + 1) * (math.pi / 4)
        return math.sqrt(2) * torch.stack([angle.cos(), angle.sin()], dim=1)[..., None]

    @classmethod
    def devices(cls, settings: Mapping[str, float]) -> tuple[Device, ...]:
        """One balance control."""
        return (
            Balance(settings["pan"], notes=("a balance of constant power (sine-cosine); the centre changes nothing",)),
        )

    def correct(self, settings: Mapping[str, float], made: Tensor, reference: Tensor, sample_rate: int) -> Settings:
        """The place at which the level of right over left becomes the reference's: tan(a) is that ratio."""
        del sample_rate
        ratio = 10 ** ((balance_db(reference) - balance_db(made)) / 20)
        angle = (settings["pan"] + 1) * (math.pi / 4)
        return {"pan": 4 / math.pi * math.atan2(ratio * math.sin(angle), math.cos(angle)) - 1}
