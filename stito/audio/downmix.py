"""Any number of channels: mixed to two for analysis, or rendered in pairs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["in_pairs", "to_stereo"]

_HALF_POWER = 0.5**0.5

# ITU-R BS.775 weights in the channel order of WAVE_FORMAT_EXTENSIBLE: one (left, right) pair per channel.
_LEFT, _RIGHT, _DROPPED = (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)
_CENTRE = (_HALF_POWER, _HALF_POWER)
_SURROUND_LEFT, _SURROUND_RIGHT = (_HALF_POWER, 0.0), (0.0, _HALF_POWER)
_BACK_CENTRE = (0.5, 0.5)
_SURROUNDS = (_SURROUND_LEFT, _SURROUND_RIGHT)

_WEIGHTS: dict[int, tuple[tuple[float, float], ...]] = {
    3: (_LEFT, _RIGHT, _CENTRE),
    4: (_LEFT, _RIGHT, *_SURROUNDS),
    5: (_LEFT, _RIGHT, _CENTRE, *_SURROUNDS),
    6: (_LEFT, _RIGHT, _CENTRE, _DROPPED, *_SURROUNDS),
    7: (_LEFT, _RIGHT, _CENTRE, _DROPPED, _BACK_CENTRE, *_SURROUNDS),
    8: (_LEFT, _RIGHT, _CENTRE, _DROPPED, *_SURROUNDS, *_SURROUNDS),
}


def to_stereo(samples: Tensor) -> Tensor:
    """Audio (channels, t) as two channels (2, t): for analysis only, never for what is written.

    Mono is put on both sides (a view, not a copy) and stereo is returned as it is. Three to eight channels are the
    WAV layouts L R C, quad, 5.0, 5.1, 6.1 and 7.1: centre and surrounds come in at -3 dB, the LFE is dropped. With more
    channels, the odd-numbered ones are averaged to the left and the even-numbered ones to the right.
    """
    channels = samples.shape[0]
    if channels == 1:
        return samples.expand(2, -1)
    if channels == 2:
        return samples
    if channels in _WEIGHTS:
        weights = torch.tensor(_WEIGHTS[channels], dtype=samples.dtype, device=samples.device)
        return weights.T @ samples
    return torch.stack([samples[0::2].mean(dim=0), samples[1::2].mean(dim=0)])


def in_pairs(x: Tensor, render: Callable[[Tensor], Tensor]) -> Tensor:
    """Audio (channels, t) through something that renders stereo (2, t).

    Mono is rendered as two equal channels and folded back to their mean; more than two channels go through in pairs.
    """
    if x.shape[0] == 2:
        return render(x)
    rendered = []
    for first in range(0, x.shape[0], 2):
        pair = x[first : first + 2]
        stereo = render(pair.expand(2, -1))
        rendered.append(stereo if pair.shape[0] == 2 else stereo.mean(0, keepdim=True))
    return torch.cat(rendered)
