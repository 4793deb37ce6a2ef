"""Long element-wise formulas, evaluated block by block so that intermediate results stay in the processor's cache.

On a CPU a formula of twenty operations over a spectrum is bound by memory: by blocks it is several times faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

__all__ = ["Formula", "blockwise"]

BLOCK = 1 << 18
"""How many numbers of the result are worked on at a time."""


Evaluate = Callable[[Sequence[Tensor], slice], Tensor]


def blockwise(evaluate: Evaluate, inputs: Sequence[Tensor], length: int, *, along: Sequence[Tensor] = ()) -> Tensor:
    """What `evaluate([*along, *inputs], slice)` returns over 0 to `length`, block by block along the last dimension.

    `inputs` are small tensors (settings, coefficients), handed over whole; those in `along` have the length of the
    result, and only the block's range of them is handed over. `evaluate` must be differentiable by torch. Only its
    arguments are kept for the derivative, which evaluates each block anew.
    """
    return Formula(evaluate, inputs, length, along).whole()


class Combine(Protocol):
    """An operation on one block of two tensors, such as `torch.mul`."""

    def __call__(self, x: Tensor, y: Tensor, /, *, out: Tensor | None = None) -> Tensor: ...


@dataclass(frozen=True)
class Formula:
    """A long tensor that is not worked out before it is used: then block by block, while each is in the cache.

    The arguments are those of `blockwise`; blocks have `size`, if that is given.
    """

    evaluate: Evaluate
    inputs: Sequence[Tensor]
    length: int
    along: Sequence[Tensor] = ()
    size: int | None = None

    @classmethod
    def of(cls, tensor: Tensor) -> Formula:
        """A tensor that is there already."""
        return cls(lambda inputs, part: inputs[0], [], tensor.shape[-1], [tensor])

    def whole(self) -> Tensor:
        """The tensor."""
        result: Tensor = _Blockwise.apply(self, None, *self.along, *self.inputs)  # type: ignore[no-untyped-call]
        return result

    def combined(self, combine: Combine, x: Tensor) -> Tensor:
        """`combine(x, self.whole())` in one pass; `combine` works on each place of the last dimension by itself."""
        result: Tensor = _Blockwise.apply(self, combine, *self.along, *self.inputs, x)  # type: ignore[no-untyped-call]
        return result

    def scaled(self, gain: Tensor) -> Formula:
        """Times a gain (b, 1, 1) of each row."""

        def evaluate(inputs: Sequence[Tensor], part: slice) -> Tensor:
            value = self.evaluate(inputs[:-1], part)
            return value * inputs[-1].reshape(-1, *[1] * (value.dim() - 1))

        return replace(self, evaluate=evaluate, inputs=[*self.inputs, gain])


class _Blockwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, formula: Formula, combine: Combine | None, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors)
        ctx.formula, ctx.combine = formula, combine
        first = _block(formula, combine, _cut(tensors, formula, slice(0, 1)), slice(0, 1))
        ctx.size = formula.size or max(256, BLOCK // first.numel())
        out = first.new_empty(*first.shape[:-1], formula.length)
        for part in _parts(formula.length, ctx.size):
            _block(formula, combine, _cut(tensors, formula, part), part, out=out[..., part])
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        formula, wanted = ctx.formula, ctx.needs_input_grad[2:]
        totals = [
            torch.zeros_like(saved) if want else None for saved, want in zip(ctx.saved_tensors, wanted, strict=True)
        ]
        for part in _parts(formula.length, ctx.size):
            pieces = _cut(ctx.saved_tensors, formula, part)
            leaves = [piece.detach().requires_grad_(want) for piece, want in zip(pieces, wanted, strict=True)]
            with torch.enable_grad():
                seeded = _seeded(_block(formula, ctx.combine, leaves, part), grad[..., part])
            sought = [leaf for leaf in leaves if leaf.requires_grad]
            gradients = torch.autograd.grad(seeded, sought)
            targets = [total for total in _cut(totals, formula, part) if total is not None]
            for target, gradient in zip(targets, gradients, strict=True):
                target += gradient
        return None, None, *totals


class _Seed(torch.autograd.Function):
    """A number whose derivative by a value is a given one.

    Handed over to `torch.autograd.grad` instead, torch would import an algebra system to compare two shapes.
    """

    @staticmethod
    def forward(ctx: Any, value: Tensor, grad: Tensor) -> Tensor:
        ctx.save_for_backward(grad)
        return torch.zeros((), dtype=value.real.dtype, device=value.device)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = ctx.saved_tensors
        return grad, None


def _seeded(value: Tensor, grad: Tensor) -> Tensor:
    number: Tensor = _Seed.apply(value, grad)  # type: ignore[no-untyped-call]
    return number


def _block(
    formula: Formula, combine: Combine | None, tensors: Sequence[Tensor], part: slice, out: Tensor | None = None
) -> Tensor:
    """One block, of the formula or of what it is combined with, the last tensor; written to `out` if that is given."""
    if combine is not None:
        return combine(tensors[-1], formula.evaluate(tensors[:-1], part), out=out)
    value = formula.evaluate(tensors, part)
    return value if out is None else out.copy_(value)


T = TypeVar("T", Tensor, Tensor | None)


def _cut(tensors: Sequence[T], formula: Formula, part: slice) -> list[T]:
    """The tensors of one block: a range of those along the result, and of what is combined with it; others whole."""
    along, small = len(formula.along), len(formula.along) + len(formula.inputs)
    return [t if t is None or along <= i < small else t[..., part] for i, t in enumerate(tensors)]


def _parts(length: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]
