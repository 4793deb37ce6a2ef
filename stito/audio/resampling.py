"""Sample rate conversion."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["resample"]


def resample(x: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """The same audio (..., t) at another sample rate, with nothing audible lost: soxr at its highest quality.

    The length is exactly `round(t * to_rate / from_rate)`; at equal rates `x` itself is returned. No gradient passes.
    """
    if from_rate == to_rate:
        return x
    import soxr

    length = round(x.shape[-1] * to_rate / from_rate)
    rows = x.detach().cpu().reshape(-1, x.shape[-1])
    out = rows.new_zeros(rows.shape[0], length)
    for row, target in zip(rows, out, strict=True):
        converted = torch.from_numpy(soxr.resample(row.contiguous().numpy(), from_rate, to_rate, quality="VHQ"))
        kept = min(length, converted.shape[0])
        target[:kept] = converted[:kept]
    return out.reshape(*x.shape[:-1], length).to(x.device)
