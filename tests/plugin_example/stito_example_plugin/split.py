"""A separator: what is below 200 Hz is the bass, the rest is other."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

__all__ = ["BandSplit"]

CROSSOVER_HZ = 200.0


class BandSplit:
    """Split a mix at a frequency; the stems add up to the mix exactly."""

    name: ClassVar[str] = "example_split"
    sample_rate: ClassVar[int] = 44_100

    def separate(self, x: Tensor) -> dict[str, Tensor]:
        """`bass` and `other`, each (2, t), of a mix (2, t)."""
        spectrum = torch.fft.rfft(x)
        hz = torch.fft.rfftfreq(x.shape[-1], 1 / self.sample_rate)
        bass = torch.fft.irfft(spectrum / (1 + (hz / CROSSOVER_HZ) ** 4), n=x.shape[-1])
        return {"bass": bass, "other": x - bass}
