"""Long element-wise formulas, evaluated block by block so that intermediate results stay in the processor's cache.

On a CPU a formula of twenty operations over a spectrum is bound by memory: by blocks it is several times faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

__all__ = ["blockwise"]

BLOCK = 1 << 18
"""How many numbers of the result are worked on at a time."""


def blockwise(
    evaluate: Callable[[Sequence[Tensor], slice], Tensor],
    inputs: Sequence[Tensor],
    length: int,
    *,
    along: Sequence[Tensor] = (),
) -> Tensor:
    """What `evaluate([*along, *inputs], slice)` returns over 0 to `length`, block by block along the last dimension.

    `inputs` are small tensors (settings, coefficients), handed over whole; those in `along` have the length of the
    result, and only the block's range of them is handed over. `evaluate` must be differentiable by torch. Only its
    arguments are kept for the derivative, which evaluates each block anew.
    """
    result: Tensor = _Blockwise.apply(evaluate, length, len(along), *along, *inputs)  # type: ignore[no-untyped-call]
    return result


class _Blockwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, evaluate: Callable[..., Tensor], length: int, along: int, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors)
        ctx.evaluate, ctx.length, ctx.along = evaluate, length, along
        first = evaluate(_cut(tensors, along, slice(0, 1)), slice(0, 1))
        ctx.size = max(256, BLOCK // first.numel())
        out = first.new_empty(*first.shape[:-1], length)
        for part in _parts(length, ctx.size):
            out[..., part] = evaluate(_cut(tensors, along, part), part)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        wanted = ctx.needs_input_grad[3:]
        totals = [
            torch.zeros_like(saved) if want else None for saved, want in zip(ctx.saved_tensors, wanted, strict=True)
        ]
        for part in _parts(ctx.length, ctx.size):
            pieces = _cut(ctx.saved_tensors, ctx.along, part)
            leaves = [piece.detach().requires_grad_(want) for piece, want in zip(pieces, wanted, strict=True)]
            with torch.enable_grad():
                value = ctx.evaluate(leaves, part)
            sought = [leaf for leaf in leaves if leaf.requires_grad]
            gradients = torch.autograd.grad(value, sought, grad[..., part])
            targets = [total for total in _cut(totals, ctx.along, part) if total is not None]
            for target, gradient in zip(targets, gradients, strict=True):
                target += gradient
        return None, None, None, *totals


T = TypeVar("T", Tensor, Tensor | None)


def _cut(tensors: Sequence[T], along: int, part: slice) -> list[T]:
    """The arguments of one block: views of the first `along` tensors, and the others whole."""
    return [t[..., part] if i < along and t is not None else t for i, t in enumerate(tensors)]


def _parts(length: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]
