"""Tone: the five-band equaliser of mixing-style research."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from stito.dsp.biquad import cascade, high_shelf, low_shelf, peak
from stito.dsp.blockwise import Formula
from stito.dsp.spectrum import Response
from stito.effects.devices import Band, Device, Equalizer
from stito.effects.effect import LinearEffect
from stito.effects.param import Param, Settings
from stito_effects.tone_correction import corrected_gains

__all__ = ["Equaliser"]

SHELF_Q = 0.7071
"""Shelves without a bump at the corner."""

DEPTH_DB = 15.0


def _gain(band: str) -> Param:
    return Param(
        f"{band}_gain_db", -DEPTH_DB, DEPTH_DB, neutral=0.0, doc=f"boost or cut of the {band} band", depth=True
    )


def _frequency(band: str, low: float, high: float) -> Param:
    return Param(f"{band}_hz", low, high, neutral=(low * high) ** 0.5, scale="log", doc=f"where the {band} band acts")


def _q(band: str) -> Param:
    return Param(f"{band}_q", 0.1, 2.0, neutral=0.7, scale="log", doc=f"how narrow the {band} band is")


class Equaliser(LinearEffect):
    """Shape the tone with a low shelf, three bells and a high shelf, each in its own range.

    Ranges: FXmanipulator (Koo et al., "Music mixing style transfer", ICASSP 2023). Filters: the audio EQ cookbook.
    """

    name: ClassVar[str] = "eq"
    aspect: ClassVar[str] = "eq"
    params: ClassVar[tuple[Param, ...]] = (
        _gain("low"),
        _frequency("low", 30.0, 200.0),
        *(_gain("low_mid"), _frequency("low_mid", 200.0, 1000.0), _q("low_mid")),
        *(_gain("mid"), _frequency("mid", 1000.0, 3000.0), _q("mid")),
        *(_gain("high_mid"), _frequency("high_mid", 3000.0, 8000.0), _q("high_mid")),
        _gain("high"),
        _frequency("high", 5000.0, 10_000.0),
    )
    bands: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("low_gain_db", "low_hz"),
        *((f"{band}_gain_db", f"{band}_hz", f"{band}_q") for band in ("low_mid", "mid", "high_mid")),
        ("high_gain_db", "high_hz"),
    )
    tail_s: ClassVar[float] = 0.25

    def response(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Response:
        return self.factor(p, n, sample_rate).whole()

    def factor(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Formula:
        shelf_q = torch.full_like(p["low_hz"], SHELF_Q)
        bells = [
            peak(p[f"{band}_gain_db"], p[f"{band}_hz"], p[f"{band}_q"], sample_rate)
            for band in ("low_mid", "mid", "high_mid")
        ]
        low = low_shelf(p["low_gain_db"], p["low_hz"], shelf_q, sample_rate)
        high = high_shelf(p["high_gain_db"], p["high_hz"], shelf_q, sample_rate)
        return cascade(torch.stack([low, *bells, high], dim=1), n, shelf_q.dtype)

    @classmethod
    def devices(cls, settings: Mapping[str, float]) -> tuple[Device, ...]:
        """Five bands; shelves with a Q of .71."""
        bells = [
            Band("bell", settings[f"{band}_hz"], settings[f"{band}_q"], settings[f"{band}_gain_db"])
            for band in ("low_mid", "mid", "high_mid")
        ]
        low = Band("low_shelf", settings["low_hz"], SHELF_Q, settings["low_gain_db"])
        high = Band("high_shelf", settings["high_hz"], SHELF_Q, settings["high_gain_db"])
        return (Equalizer((low, *bells, high)),)

    def correct(self, settings: Mapping[str, float], made: Tensor, reference: Tensor, sample_rate: int) -> Settings:
        """The gains that fit the average spectrum to the reference's, at the frequencies and widths given."""
        return corrected_gains(self, settings, made, reference, sample_rate)
