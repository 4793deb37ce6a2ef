"""Downward expansion: a gate at a high ratio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from stito.dsp.envelope import (
    FLOOR_DB,
    attack,
    decay_per_step,
    peak_level,
    release,
    scale_by_db,
)
from stito.effects.devices import Device, Gate
from stito.effects.effect import Effect, column
from stito.effects.param import Param

__all__ = ["Expander"]


class Expander(Effect):
    """Turn down what is softer than the threshold: bleed, noise, the tails of notes."""

    name: ClassVar[str] = "expander"
    aspect: ClassVar[str] = "dynamics"
    differentiable: ClassVar[bool] = True
    dynamic: ClassVar[bool] = True
    thresholds: ClassVar[tuple[str, ...]] = ("threshold_db",)
    params: ClassVar[tuple[Param, ...]] = (
        Param("threshold_db", -80.0, -10.0, neutral=-45.0, doc="peak level below which gain is reduced"),
        Param(
            "ratio", 1.0, 20.0, neutral=1.0, scale="log", doc="dB out for each dB in below the threshold", depth=True
        ),
        Param("attack_ms", 0.5, 100.0, neutral=2.0, scale="log", doc="time to open"),
        Param("release_ms", 20.0, 1000.0, neutral=150.0, scale="log", doc="time to close"),
        Param("range_db", 0.0, 80.0, neutral=40.0, doc="the most that gain is reduced"),
    )

    @classmethod
    def devices(cls, settings: Mapping[str, float]) -> tuple[Device, ...]:
        """One gate."""
        return (
            Gate(
                threshold_db=settings["threshold_db"],
                ratio=settings["ratio"],
                attack_ms=settings["attack_ms"],
                release_ms=settings["release_ms"],
                range_db=settings["range_db"],
            ),
        )

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        """The level of the louder channel is smoothed first, so that attack opens and release closes."""
        above_floor = peak_level(x, sample_rate).amax(dim=1, keepdim=True) - FLOOR_DB
        held = release(above_floor, decay_per_step(p["release_ms"], sample_rate))
        # audio rarely begins at silence's end: the detector starts at the first level, not at rest
        first = held[..., :1]
        level = first + attack(held - first, decay_per_step(p["attack_ms"], sample_rate)) + FLOOR_DB
        lack = (column(p["threshold_db"]) - level).clamp_min(0)
        reduction = torch.minimum(lack * (column(p["ratio"]) - 1), column(p["range_db"]))
        return scale_by_db(x, -torch.cat([reduction[..., :1], reduction], dim=-1), sample_rate)
