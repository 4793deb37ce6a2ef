"""A long mix through a network that takes a few seconds: at its level, in segments that fade into each other."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["at_one_level", "overlap_add"]

QUIET = 1e-8

Network = Callable[[Tensor], Tensor]
"""Stems (1, s, 2, t) of a mix (1, 2, t)."""


def at_one_level(separate: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Stems (s, 2, t) of a mix (2, t) by a network that was trained on mixes without offset, all at one level."""
    mono = x.mean(0)
    mean, std = mono.mean(), mono.std(correction=0).clamp_min(QUIET)
    return separate((x - mean) / std) * std + mean


def overlap_add(
    network: Network, x: Tensor, segment: int, step: int, on_progress: Callable[[float], None] | None = None
) -> Tensor:
    """Stems (s, 2, t) of a mix (2, t), by segments every `step` samples, weighted by triangles.

    All segments are as long as the network expects; the last one of a long mix ends with it. What passes the network
    as it is comes out as it was.
    """
    length = x.shape[-1]
    ramp = torch.arange(1, segment // 2 + 1, dtype=x.dtype)
    weight = torch.cat([ramp, torch.arange(segment - segment // 2, 0, -1, dtype=x.dtype)]) / (segment // 2 + 1)
    starts = [0] if length <= segment else [*range(0, length - segment, step), length - segment]
    stems: Tensor | None = None
    total = x.new_zeros(length)
    for number, start in enumerate(starts):
        piece = x[:, start : start + segment]
        size = piece.shape[-1]
        made = network(torch.nn.functional.pad(piece, (0, segment - size))[None])[0, ..., :size]
        if stems is None:
            stems = made.new_zeros(*made.shape[:-1], length)
        stems[..., start : start + size] += made * weight[:size]
        total[start : start + size] += weight[:size]
        if on_progress:
            on_progress((number + 1) / len(starts))
    assert stems is not None
    return stems / total
