"""A level that swings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from stito.effects.effect import Effect
from stito.effects.param import Param

__all__ = ["Tremolo"]


class Tremolo(Effect):
    """Turn it down and up again, `rate_hz` times a second: from full level at the start down to 1 - depth."""

    name: ClassVar[str] = "example_tremolo"
    aspect: ClassVar[str] = "modulation"
    params: ClassVar[tuple[Param, ...]] = (
        Param("rate_hz", 0.5, 20.0, neutral=5.0, scale="log", doc="how often a second"),
        Param("depth", 0.0, 1.0, neutral=0.0, doc="how deep: 0 is not at all, 1 is down to silence"),
    )
    differentiable: ClassVar[bool] = True

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        # Double precision: in a long song a phase in single precision is no longer smooth.
        seconds = torch.arange(x.shape[-1], dtype=torch.float64, device=x.device) / sample_rate
        turns = p["rate_hz"].double()[:, None] * seconds
        dip = (0.5 - 0.5 * torch.cos(2 * math.pi * turns)).to(x.dtype)
        return x * (1 - p["depth"][:, None] * dip)[:, None]
