"""A metric: whether a result has as much above 4 kHz as its reference."""

from __future__ import annotations

import torch
from torch import Tensor

from stito.metrics import Metric, Property

__all__ = ["HIGHS"]

ABOVE_HZ = 4000.0


def highs_db(x: Tensor, sample_rate: int) -> Tensor:
    """The energy above 4 kHz over all of it in dB, (b,), of audio (b, 2, t); silence counts as having none."""
    power = torch.fft.rfft(x).abs().square().sum(dim=1)
    hz = torch.fft.rfftfreq(x.shape[-1], 1 / sample_rate)
    high = power[:, hz >= ABOVE_HZ].sum(dim=-1)
    return 10 * torch.log10(high / (power.sum(dim=-1) + 1e-9) + 1e-6)


HIGHS = Metric.difference(
    "example_highs_db",
    "dB",
    Property("Highs (above 4 kHz)", "dB", highs_db, longest_s=20.0),
    "How far the share of energy above 4 kHz is off.",
)
