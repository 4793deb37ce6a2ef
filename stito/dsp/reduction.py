"""How much an effect turns a sound down: what the needle of a compressor shows, measured on the sound itself."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["GainReduction", "gain_reduction"]

WINDOW_S = 0.01
ACTIVE_DB = 60.0
"""Windows further than this below the loudest are silence: nobody hears what is done to them."""
RARE = 0.95


@dataclass(frozen=True)
class GainReduction:
    """By how many dB a sound is turned down.

    Attributes:
        mean_db: on average over its energy, so that loud passages count most.
        most_db: exceeded in one window of 20.
    """

    mean_db: float
    most_db: float


def gain_reduction(before: Tensor, after: Tensor, sample_rate: int) -> GainReduction:
    """Compare audio (channels, t) before and after an effect, in windows of 10 ms; silence is not turned down."""
    size = min(max(1, round(WINDOW_S * sample_rate)), before.shape[-1])
    was, now = (x.detach().double().unfold(-1, size, size).square().mean(dim=(0, 2)) for x in (before, after))
    active = was > max(float(was.max()) * 10 ** (-ACTIVE_DB / 10), 1e-20)
    if not active.any():
        return GainReduction(0.0, 0.0)
    was, now = was[active], now[active]
    db = 10 * torch.log10(was / now.clamp_min(1e-20))
    mean, most = float((db * was).sum() / was.sum()), float(torch.quantile(db, RARE))
    return GainReduction(max(mean, 0.0), max(most, 0.0))
