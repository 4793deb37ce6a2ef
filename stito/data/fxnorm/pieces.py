"""Filtering whole tracks piece by piece: a piece stays in the processor's cache, and memory does not grow.

Beside `stito.dsp.spectrum.filter_blocks`, which filters batches of candidates by several responses with gradients, and
adds up the tails of causal filters; these filters may look ahead, and nothing of a track is held twice.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from stito.dsp.spectrum import fast_length

__all__ = ["filter_pieces"]

PIECE = 1 << 17
"""Samples of the result at a time: twice as fast as sixteen times as many."""


def filter_pieces(x: Tensor, response: Callable[[int], Tensor], *, before: int, after: int = 0) -> Tensor:
    """Filter audio (c, t) by a response (n // 2 + 1,), given as a function of the FFT length n: (c, t).

    The filter may reach `before` samples into the past and `after` into the future; outside, the audio is silent.
    Each piece is transformed with so much of its neighbours, which is thrown away again (overlap-save).
    """
    length = x.shape[-1]
    size = min(PIECE, length)
    n = fast_length(size + before + after)
    factor = response(n).to(x.device)
    out = torch.empty_like(x)
    for start in range(0, length, size):
        first, last = start - before, start - before + n
        piece = torch.nn.functional.pad(x[:, max(0, first) : last], (max(0, -first), max(0, last - length)))
        filtered = torch.fft.irfft(torch.fft.rfft(piece) * factor, n)
        out[:, start : start + size] = filtered[:, before : before + min(size, length - start)]
    return out
