"""Delays as phase, so that they can be any fraction of a sample and have a derivative."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["delay_block", "delay_response", "delay_tables", "nyquist_fade"]

ROW = 64


def delay_response(samples: Tensor, n: int, bins: slice) -> Tensor:
    """The response of delays of `samples` (b,) on a range of the bins of an `n`-point real FFT: complex (b, bins)."""
    return delay_block(*delay_tables(samples, n, bins), slice(0, bins.stop - bins.start))


def delay_tables(samples: Tensor, n: int, bins: slice) -> tuple[Tensor, Tensor]:
    """The phases by which delays of `samples` (b,) turn every 64th of the bins, (b, rows), and on from there, (b, 64).

    Bin 64 i + j turns by the phases of 64 i and of j: two short tables in float64 and one product give every bin
    the accuracy of float64 phases for the price of a multiplication.
    """
    count = bins.stop - bins.start
    rows = torch.arange(-(-count // ROW), dtype=torch.float64, device=samples.device) * ROW + bins.start
    columns = torch.arange(ROW, dtype=torch.float64, device=samples.device)
    turn = samples.double()[:, None] * (-2 * torch.pi / n)
    target = samples.dtype.to_complex()
    coarse, fine = (torch.polar(torch.ones_like(turn * k), turn * k).to(target) for k in (rows, columns))
    return coarse, fine


def delay_block(coarse: Tensor, fine: Tensor, bins: slice) -> Tensor:
    """The response of delays on a part of the bins of their tables: complex (b, bins)."""
    row, column = divmod(bins.start, ROW)
    count = bins.stop - bins.start
    rows = coarse[:, row : -(-bins.stop // ROW)]
    return (rows[:, :, None] * fine[:, None, :]).flatten(1)[:, column : column + count]


def nyquist_fade(n: int, bins: slice, like: Tensor) -> Tensor:
    """A gain (bins,) that falls smoothly to zero over the top tenth of the spectrum.

    A delay by part of a sample has no true phase at Nyquist; without the fade it rings there for long, either side.
    """
    place = torch.arange(bins.start, bins.stop, device=like.device).to(like.dtype) * (2 / n)
    return torch.cos(((place - 0.9) / 0.1).clamp(0, 1) * (torch.pi / 2)).square()
