"""Linear filtering as spectrum products: what makes a row of linear effects cost as much as one.

A `Response` is complex or real and has one of two shapes, where any `f` may be 1 (the same at every frequency) and
any `b` may be 1 (the same for every candidate):

* `(b, 1 | 2, f)`: each channel is multiplied by its own factor (an equaliser, a gain, a panner, a reverb);
* `(b, 2, 2, f)`: channels are mixed, rows are outputs (an imager, a ping-pong delay).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TypeGuard

import torch
from torch import Tensor

from stito.dsp.blockwise import Formula
from stito.dsp.fourier import rfft

__all__ = ["BLOCK", "Factor", "Response", "apply_responses", "fast_length", "filter_blocks", "unit_circle"]

Response = Tensor
Factor = Response | Formula
"""A response, or how to work it out while it is applied."""

BLOCK = 1 << 20
"""Longer audio is filtered in blocks of at most this many samples, so that memory does not grow with the song."""
LEAD = 1 << 14
"""Responses without phase also ring before what they answer to: for so many samples, at most."""
USUAL, LONGEST = 1 << 17, 1 << 20
"""Points of a block's FFT: shorter ones spend more on what rings, longer ones leave the cache."""


@lru_cache(maxsize=256)
def fast_length(samples: int) -> int:
    """The next even length at which a real FFT is fast: twice a product of powers of 2, 3 and 5."""
    least = max(1, (samples + 1) // 2)
    best = 1 << (least - 1).bit_length()
    fives = 1
    while fives < best:
        odd = fives
        while odd < best:  # times the power of two that makes it long enough
            best = min(best, odd << max(0, (-(-least // odd) - 1).bit_length()))
            odd *= 3
        fives *= 5
    return 2 * best


def unit_circle(n: int, dtype: torch.dtype, device: torch.device | None = None) -> Tensor:
    """z^-1 on the bins of an `n`-point real FFT: complex (n // 2 + 1,)."""
    return _unit_circle(n, dtype, device or torch.device("cpu"))


@lru_cache(maxsize=8)
def _unit_circle(n: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    angle = -2 * torch.pi * torch.arange(n // 2 + 1, dtype=torch.float64, device=device) / n
    target = torch.complex128 if dtype == torch.float64 else torch.complex64
    return torch.polar(torch.ones_like(angle), angle).to(target)


def fuse(factors: Sequence[Factor]) -> list[Factor]:
    """The same filter with as few factors as possible.

    A gain common to both channels commutes with everything and joins the cheapest factor; neighbours that only scale
    channels become one, and so do neighbours that are the same at every frequency.
    """
    gains = [factor for factor in factors if isinstance(factor, Tensor) and factor.shape[1:] == (1, 1)]
    fused: list[Factor] = []
    for factor in factors:
        if isinstance(factor, Tensor) and factor.shape[1:] == (1, 1):
            continue
        joined = _joined(fused[-1], factor) if fused else None
        if joined is None:
            fused.append(factor)
        else:
            fused[-1] = joined
    if gains:
        gain = functools.reduce(torch.mul, gains)
        place = min(range(len(fused)), key=lambda i: _length(fused[i]), default=None)
        if place is None:
            return [gain]
        fused[place] = _scaled(fused[place], gain)
    return fused


def _length(factor: Factor) -> int:
    return factor.length if isinstance(factor, Formula) else factor.shape[-1]


def _scaled(factor: Factor, gain: Tensor) -> Factor:
    if isinstance(factor, Formula):
        return factor.scaled(gain)
    return factor * (gain if factor.dim() == 3 else gain[:, None])


def _joined(first: Factor, second: Factor) -> Response | None:
    """One factor for two in a row, where that is no dearer than both."""
    if isinstance(first, Formula) or isinstance(second, Formula):
        return None
    if first.dim() == second.dim() == 3:
        return first * second
    if first.shape[-1] != 1 or second.shape[-1] != 1:
        return None
    if first.dim() == 3:
        return second * first[:, None]
    if second.dim() == 3:
        return second[:, :, None] * first
    return torch.einsum("bijf,bjkf->bikf", second, first)


def _is_flat(factor: Factor) -> TypeGuard[Tensor]:
    """Whether it is the same at every frequency."""
    return isinstance(factor, Tensor) and factor.shape[-1] == 1 and not factor.is_complex()


def apply_responses(spectrum: Tensor, factors: Sequence[Factor]) -> Tensor:
    """Multiply a spectrum (b | 1, 2, f) by each factor in turn: (b, 2, f)."""
    for factor in fuse(factors):
        if isinstance(factor, Formula):
            spectrum = factor.combined(_multiplied, spectrum)
        else:
            spectrum = _multiplied(spectrum, factor)
    return spectrum


def _multiplied(spectrum: Tensor, response: Response, /, *, out: Tensor | None = None) -> Tensor:
    if response.dim() == 3:
        return torch.mul(spectrum, response, out=out)
    left, right = spectrum[:, :1], spectrum[:, 1:]
    return torch.add(left * response[:, :, 0], right * response[:, :, 1], out=out)


def _padded(x: Tensor, n: int, matrix: Tensor | None = None) -> Tensor:
    """Audio (b | 1, 2, t), its channels mixed by a matrix (b, 2, 2) if given, with silence behind: (b, 2, n).

    Each is written once; torch's own padding writes silence first, and then the audio.
    """
    if matrix is not None and torch.is_grad_enabled():  # what writes in place has no derivative
        x, matrix = matrix @ x, None
    padded = x.new_empty(len(x) if matrix is None else len(matrix), 2, n)
    sounding = padded[..., : x.shape[-1]]
    if matrix is None:
        sounding.copy_(x)
    else:
        torch.matmul(matrix, x, out=sounding)
    padded[..., x.shape[-1] :] = 0
    return padded


def _block_points(ring: int) -> int:
    """Points of the FFT of one block, of which `ring` are for what rings: a power of two, the fastest lengths."""
    wanted = min(max(USUAL, 8 * ring), LONGEST)
    return 1 << (max(wanted, 2 * ring) - 1).bit_length()


def filter_blocks(x: Tensor, responses: Callable[[int], Sequence[Factor]], tail: int) -> Tensor:
    """Filter audio (b | 1, 2, t) by responses given as a function of the FFT length.

    The audio is padded by `tail` samples, so that what rings does not wrap around; audio longer than `BLOCK` is
    filtered block by block and overlap-added, with the same result. What is the same at every frequency needs no
    spectrum.
    """
    length, lead = x.shape[-1], min(LEAD, BLOCK)
    n = fast_length(length + tail) if length <= BLOCK else _block_points(tail + lead)
    factors = fuse(responses(n))
    if all(_is_flat(factor) for factor in factors):
        return apply_responses(x, factors)
    if length <= BLOCK:
        first, matrix = factors[0], None
        if _is_flat(first) and first.dim() == 4:  # half the work in the time domain: real, and without the padding
            matrix, factors = first[..., 0], factors[1:]
        shaped = apply_responses(rfft(_padded(x, n, matrix)), factors)
        filtered: Tensor = torch.fft.irfft(shaped, n=n)[..., :length]
        return filtered
    whole = [factor.whole() if isinstance(factor, Formula) else factor for factor in factors]
    out: Tensor | None = None
    size = min(n - tail - lead, BLOCK)
    for start in range(0, length, size):
        block = torch.fft.irfft(apply_responses(rfft(x[..., start : start + size], n), whole), n=n)
        if out is None:
            out = block.new_zeros(*block.shape[:-1], length)
        stop = min(start + n - lead, length)
        out[..., start:stop] += block[..., : stop - start]
        if start:  # what rings before the block stands at the end of its circle
            out[..., start - lead : start] += block[..., n - lead :]
    assert out is not None
    return out
