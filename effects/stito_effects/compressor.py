"""Downward compression."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from stito.dsp.envelope import (
    FLOOR_DB,
    decay_per_step,
    detect,
    link_channels,
    peak_level,
    scale_by_db,
)
from stito.effects.devices import Compressor as CompressorDevice
from stito.effects.devices import Device
from stito.effects.effect import Effect, column
from stito.effects.param import Param, Settings

__all__ = ["Compressor", "soft_overshoot"]

WINDOW_S = 0.05
"""Spread is measured between windows of this length: about a short note."""
ACTIVE_DB = 50.0
"""Windows further than this below the loudest are pauses."""
MAX_INITIAL_RATIO = 6.0
"""No statistic of two different songs justifies a higher ratio."""


class Compressor(Effect):
    """Turn down what is louder than the threshold; no make-up gain."""

    name: ClassVar[str] = "compressor"
    aspect: ClassVar[str] = "dynamics"
    differentiable: ClassVar[bool] = True
    dynamic: ClassVar[bool] = True
    thresholds: ClassVar[tuple[str, ...]] = ("threshold_db",)
    params: ClassVar[tuple[Param, ...]] = (
        Param("threshold_db", -60.0, 0.0, neutral=-20.0, doc="peak level above which gain is reduced"),
        Param(
            "ratio", 1.0, 20.0, neutral=1.0, scale="log", doc="dB in for each dB out above the threshold", depth=True
        ),
        Param("attack_ms", 0.5, 100.0, neutral=10.0, scale="log", doc="time to 63 % of a gain reduction"),
        Param("release_ms", 20.0, 1000.0, neutral=150.0, scale="log", doc="time to 37 % of it once the level drops"),
        Param("knee_db", 0.0, 12.0, neutral=6.0, doc="width of the bend around the threshold"),
        Param("link", 0.0, 1.0, neutral=1.0, doc="0: each channel by itself, 1: both follow the louder"),
    )

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        """Level, static curve, decoupled detector on the gain reduction (GMR 2012, eq. 4, fig. 7c)."""
        level = link_channels(peak_level(x, sample_rate), column(p["link"]))
        overshoot = soft_overshoot(level - column(p["threshold_db"]), column(p["knee_db"]))
        reduction = detect(
            overshoot * (1 - 1 / column(p["ratio"])),
            decay_per_step(p["attack_ms"], sample_rate),
            decay_per_step(p["release_ms"], sample_rate),
        )
        return scale_by_db(x, -torch.nn.functional.pad(reduction, (1, 0)), sample_rate)

    @classmethod
    def devices(cls, settings: Mapping[str, float]) -> tuple[Device, ...]:
        """One compressor."""
        notes = (
            () if settings["link"] > 0.99 else (f"link {settings['link']:.2g}: set how far left and right are linked",)
        )
        return (
            CompressorDevice(
                threshold_db=settings["threshold_db"],
                ratio=settings["ratio"],
                attack_ms=settings["attack_ms"],
                release_ms=settings["release_ms"],
                knee_db=settings["knee_db"],
                notes=("it detects peaks, not RMS", *notes),
            ),
        )

    def initial_settings(self, x: Tensor, reference: Tensor, sample_rate: int) -> Settings:
        """The ratio by which the loud half of `x` spreads wider than that of `reference`, from the median level on.

        Spread is the distance between median and 95th percentile of the levels of short windows. A `reference` with
        more of it, and silence on either side, give neutral settings.
        """
        settings = self.neutral()
        (usual_peak, ours), (_, theirs) = (_usual_peak_and_spread(audio, sample_rate) for audio in (x, reference))
        if ours > theirs > 0:
            threshold = self.params[0]
            settings["threshold_db"] = min(max(usual_peak, threshold.low), threshold.high)
            settings["ratio"] = min(ours / theirs, MAX_INITIAL_RATIO)
        return settings


def soft_overshoot(excess: Tensor, knee: Tensor) -> Tensor:
    """How far a level `excess` dB over the threshold is to be compressed: bent within the `knee` (GMR 2012, eq. 4)."""
    width = knee + 1e-3  # keeps a hard knee differentiable; moves the curve by a ten-thousandth of a dB
    inside = torch.minimum((excess + width / 2).clamp_min(0), width)
    return inside.square() / (2 * width) + (excess - width / 2).clamp_min(0)


def _usual_peak_and_spread(x: Tensor, sample_rate: int) -> tuple[float, float]:
    """Of the windows of audio (2, t) that are no pauses: the median peak in dBFS, the spread of RMS levels in dB."""
    size = min(round(WINDOW_S * sample_rate), x.shape[-1])
    windows = x.detach().double().unfold(-1, size, size)
    peak, power = windows.abs().amax(dim=(0, 2)), windows.square().mean(dim=(0, 2))
    peaks, levels = (k * torch.log10(v.clamp_min(10 ** (FLOOR_DB / k))) for k, v in ((20, peak), (10, power)))
    active = levels > max(levels.max().item() - ACTIVE_DB, FLOOR_DB)
    if not active.any():
        return FLOOR_DB, 0.0
    usual, loud = torch.quantile(levels[active], levels.new_tensor([0.5, 0.95])).tolist()
    return peaks[active].quantile(0.5).item(), loud - usual
