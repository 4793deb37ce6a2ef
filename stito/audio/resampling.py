"""Sample rate conversion."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__ = ["resample"]


def resample(x: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """Resample audio with nothing audible lost: soxr at its highest quality.

    The gradient is that of ideal resampling, whose adjoint is resampling back.

    Args:
        x: audio (..., t).
        from_rate: of `x`, in Hz.
        to_rate: of the result, in Hz.

    Shape:
        (..., round(t * to_rate / from_rate)); at equal rates `x` itself is returned.
    """
    if from_rate == to_rate:
        return x
    length = round(x.shape[-1] * to_rate / from_rate)
    if torch.is_grad_enabled() and x.requires_grad:
        resampled: Tensor = _Resampled.apply(x, from_rate, to_rate, length)  # type: ignore[no-untyped-call]
        return resampled
    return _resample(x, from_rate, to_rate, length)


class _Resampled(torch.autograd.Function):
    """soxr forward; backward the same filter the other way round, by which sums of products stay what they are."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, from_rate: int, to_rate: int, length: int) -> Tensor:
        ctx.rates, ctx.length = (from_rate, to_rate), x.shape[-1]
        return _resample(x, from_rate, to_rate, length)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        from_rate, to_rate = ctx.rates
        back = _resample(grads[0], to_rate, from_rate, ctx.length)
        return back * (to_rate / from_rate), None, None, None


def _resample(x: Tensor, from_rate: int, to_rate: int, length: int) -> Tensor:
    """Audio (..., t) as soxr converts it, `length` samples of it."""
    import soxr

    rows = x.detach().cpu().reshape(-1, x.shape[-1])
    out = rows.new_zeros(rows.shape[0], length)
    for row, target in zip(rows, out, strict=True):
        converted = torch.from_numpy(soxr.resample(row.contiguous().numpy(), from_rate, to_rate, quality="VHQ"))
        kept = min(length, converted.shape[0])
        target[:kept] = converted[:kept]
    return out.reshape(*x.shape[:-1], length).to(x.device)
