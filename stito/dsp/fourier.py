"""The real Fourier transform with a derivative that is as cheap as itself.

torch's own transforms back with complex numbers of full length: twice the work, and three copies.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

__all__ = ["rfft"]


def rfft(x: Tensor, n: int | None = None) -> Tensor:
    """`torch.fft.rfft(x, n)` over the last dimension of real audio (..., t), for even n >= t: (..., n // 2 + 1).

    Differentiable once.
    """
    n = x.shape[-1] if n is None else n
    if not (torch.is_grad_enabled() and x.requires_grad):
        plain: Tensor = torch.fft.rfft(x, n=n)
        return plain
    transformed: Tensor = _RealTransform.apply(x, n)  # type: ignore[no-untyped-call]
    return transformed


class _RealTransform(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, n: int) -> Tensor:
        ctx.length, ctx.n = x.shape[-1], n
        transformed: Tensor = torch.fft.rfft(x, n=n)
        return transformed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        halved = grads[0] * 0.5  # what lies between the ends stands for two bins each, and the inverse counts it twice
        halved[..., 0] *= 2
        halved[..., -1] *= 2
        return torch.fft.irfft(halved, n=ctx.n, norm="forward")[..., : ctx.length], None
