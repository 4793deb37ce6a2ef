"""Tone: the fully parametric equaliser of differentiable mixing research, designed by dasp-pytorch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from dasp_pytorch.signal import biquad
from torch import Tensor

from stito.dsp.biquad import Sections, below_nyquist, cascade, from_digital
from stito.dsp.blockwise import Formula
from stito.dsp.spectrum import Response
from stito.effects.devices import Band, BandShape, Device, Equalizer
from stito.effects.effect import LinearEffect
from stito.effects.param import Param, Settings
from stito_effects.tone_correction import corrected_gains

__all__ = ["ParametricEqualiser"]

NEUTRAL_SHAPES: dict[str, BandShape] = {"low_shelf": "low_shelf", "peaking": "bell", "high_shelf": "high_shelf"}
"""What equalizers of other makers call these shapes."""

Shape = Literal["low_shelf", "peaking", "high_shelf"]

BANDS: dict[str, tuple[Shape, float, float, float]] = {
    "low_shelf": ("low_shelf", 30.0, 500.0, 100.0),
    "low": ("peaking", 60.0, 1000.0, 250.0),
    "low_mid": ("peaking", 150.0, 3000.0, 700.0),
    "high_mid": ("peaking", 800.0, 8000.0, 2500.0),
    "high": ("peaking", 2000.0, 16_000.0, 6000.0),
    "high_shelf": ("high_shelf", 2000.0, 18_000.0, 9000.0),
}
"""Each band's shape, and the lowest, highest and usual frequency in Hz."""


def _params(band: str, shape: Shape, low: float, high: float, usual: float) -> tuple[Param, ...]:
    # a shelf sharper than Q 2 is a resonance that rings for seconds at low frequencies
    q_low, q_high = (0.1, 4.0) if shape == "peaking" else (0.3, 2.0)
    return (
        Param(f"{band}_gain_db", -24.0, 24.0, neutral=0.0, doc=f"boost or cut of the {band} band", depth=True),
        Param(f"{band}_hz", low, high, neutral=usual, scale="log", doc=f"where the {band} band acts"),
        Param(f"{band}_q", q_low, q_high, neutral=0.7, scale="log", doc=f"how narrow the {band} band is"),
    )


class ParametricEqualiser(LinearEffect):
    """Shape the tone with two shelves and four bells whose ranges overlap, up to 24 dB and Q 4.

    Bands and ranges follow ST-ITO and DeepAFx-ST (Steinmetz et al.). The coefficients are dasp-pytorch's, designed in
    float64 and evaluated in the bilinear variable, since float32 coefficients are wrong by decibels at 30 Hz.
    """

    name: ClassVar[str] = "parametric_eq"
    aspect: ClassVar[str] = "eq"
    params: ClassVar[tuple[Param, ...]] = tuple(param for band, spec in BANDS.items() for param in _params(band, *spec))
    bands: ClassVar[tuple[tuple[str, ...], ...]] = tuple((f"{b}_gain_db", f"{b}_hz", f"{b}_q") for b in BANDS)
    tail_s: ClassVar[float] = 1.2

    def response(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Response:
        return self.factor(p, n, sample_rate).whole()

    def factor(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Formula:
        sections = [_designed(p, band, spec[0], sample_rate) for band, spec in BANDS.items()]
        return cascade(torch.stack(sections, dim=1), n, p["low_hz"].dtype)

    @classmethod
    def devices(cls, settings: Mapping[str, float]) -> tuple[Device, ...]:
        """Six bands."""
        return (
            Equalizer(
                tuple(
                    Band(
                        NEUTRAL_SHAPES[shape],
                        settings[f"{band}_hz"],
                        settings[f"{band}_q"],
                        settings[f"{band}_gain_db"],
                    )
                    for band, (shape, *_) in BANDS.items()
                )
            ),
        )

    def correct(self, settings: Mapping[str, float], made: Tensor, reference: Tensor, sample_rate: int) -> Settings:
        """The gains that fit the average spectrum to the reference's, at the frequencies and widths given."""
        return corrected_gains(self, settings, made, reference, sample_rate)


def _designed(p: Mapping[str, Tensor], band: str, shape: Shape, sample_rate: int) -> Sections:
    gain, hz, q = (p[f"{band}_{knob}"].double() for knob in ("gain_db", "hz", "q"))
    return from_digital(*biquad(gain, below_nyquist(hz, sample_rate), q, sample_rate, shape))
