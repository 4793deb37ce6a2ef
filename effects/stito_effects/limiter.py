"""Look-ahead peak limiting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from stito.dsp.envelope import control_hop, decay_per_step, look_ahead, peak_level, release, scale_by_db
from stito.effects.devices import Device
from stito.effects.devices import Limiter as LimiterDevice
from stito.effects.effect import Effect, column
from stito.effects.param import Param

__all__ = ["Limiter"]

LOOK_AHEAD_S = 0.0015
"""Gain goes down over this time before a peak: short enough to hide in its onset, long enough not to click."""


class Limiter(Effect):
    """Keep every sample at or below the threshold, by turning down just before each peak; nothing is delayed."""

    name: ClassVar[str] = "limiter"
    aspect: ClassVar[str] = "dynamics"
    differentiable: ClassVar[bool] = True
    dynamic: ClassVar[bool] = True
    thresholds: ClassVar[tuple[str, ...]] = ("threshold_db",)
    params: ClassVar[tuple[Param, ...]] = (
        Param("threshold_db", -24.0, 0.0, neutral=0.0, doc="the highest sample peak, in dBFS"),
        Param("release_ms", 10.0, 1000.0, neutral=100.0, scale="log", doc="time to 37 % of a gain reduction"),
    )

    @classmethod
    def devices(cls, settings: Mapping[str, float]) -> tuple[Device, ...]:
        """One limiter."""
        return (
            LimiterDevice(
                threshold_db=settings["threshold_db"],
                release_ms=settings["release_ms"],
                attack_ms=1000 * LOOK_AHEAD_S,
                notes=("without make-up gain; the attack is the look-ahead",),
            ),
        )

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        """Both channels follow the louder."""
        threshold = column(p["threshold_db"])
        level = peak_level(x, sample_rate).amax(dim=1, keepdim=True)
        excess = (level - threshold).clamp_min(0)
        # the end of a control step belongs to the steps on both sides: gain between two ends then suits the whole step
        at_ends = torch.nn.functional.max_pool1d(torch.nn.functional.pad(excess, (1, 1)), 2, stride=1)
        held = release(at_ends, decay_per_step(p["release_ms"], sample_rate))
        window = max(1, round(LOOK_AHEAD_S * sample_rate / control_hop(sample_rate)))
        limited = scale_by_db(x, -look_ahead(held, window), sample_rate)
        ceiling = 10 ** (threshold / 20)
        return torch.clamp(limited, -ceiling, ceiling)  # only rounding reaches beyond it
