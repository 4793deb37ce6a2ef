"""The multi-scale spectral distance of Koo et al. (2022), the field's measure of distance to a truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from stito.dsp.fourier import rfft
from stito.dsp.stft import hann, magnitude
from stito.metrics.metric import Metric, validate

__all__ = ["LEFT_RIGHT", "MID_SIDE", "MultiScaleSpectral", "SampledSpectral", "Spectral", "multi_scale_spectral"]

FFT_SIZES = (4096, 2048, 1024, 512)
LINEAR_WEIGHT, LOG_WEIGHT = 0.9, 0.1
EPS = 1e-7

FRAMES = {2048: 32, 512: 64}
"""The frames of each FFT size that an estimate uses by default."""


class Spectral(NamedTuple):
    """A multi-scale spectral distance, each (b,)."""

    left_right: Tensor
    mid_side: Tensor


def multi_scale_spectral(x: Tensor, y: Tensor) -> Spectral:
    """The distance between audio (b, 2, t) and its truth (b | 1, 2, t), sample-aligned.

    For FFT sizes n of 4096, 2048, 1024 and 512, with a periodic Hann window of n and hop n / 4, unnormalised and
    zero-padded at the ends, let X = sqrt(|STFT(x)|^2 + 1e-7). The distance is

        sum over n of  .9 mean |X - Y|  +  .1 mean (log10 X - log10 Y)^2,

    means over channels, bins and frames: once with left and right as the channels, once with mid = left + right and
    side = left - right. 0 means equal magnitudes; it depends on level, and does not see phase.

    Source: Koo et al., "Music Mixing Style Transfer" (ICASSP 2023), and its code, from which the unscaled mid and
    side, the weights and the constant are taken; unlike the code, no bin or frame is dropped.
    `AudioError` for other shapes or lengths that differ.
    """
    return MultiScaleSpectral(y)(x)


class MultiScaleSpectral:
    """`multi_scale_spectral` to one target whose magnitudes are computed once: call it on each batch of candidates."""

    def __init__(self, target: Tensor) -> None:
        validate(target, target, same_length=True)
        self._target = target
        self._magnitudes = [_magnitudes(target, n) for n in FFT_SIZES]

    def __call__(self, x: Tensor) -> Spectral:
        """The distances (b,) of audio (b, 2, t) to the target."""
        validate(x, self._target, same_length=True)
        scales = zip(FFT_SIZES, self._magnitudes, strict=True)
        return _added_up(_apart(_magnitudes(x, n), target) for n, target in scales)


class SampledSpectral:
    """An estimate of `multi_scale_spectral` to one target, from a few frames anywhere in it: much cheaper.

    Of some of the FFT sizes only, and of no frames that reach beyond the ends; the same frames at every call.

    Args:
        target: audio (b, 2, t), no shorter than the largest FFT.
        frames: how many frames of each FFT size.
        generator: what draws them; torch's own if not given.
    """

    def __init__(
        self, target: Tensor, frames: Mapping[int, int] = FRAMES, *, generator: torch.Generator | None = None
    ) -> None:
        places: list[Tensor] = []
        for n, count in frames.items():
            starts = torch.randint(target.shape[-1] - n + 1, (count, 1), generator=generator)
            places.append((starts + torch.arange(n)).to(target.device))
        self._places = places
        self._magnitudes = [_framed_magnitudes(target, place) for place in places]

    def __call__(self, x: Tensor) -> Spectral:
        """The estimated distances (b,) of audio (b, 2, t) to the target."""
        scales = zip(self._places, self._magnitudes, strict=True)
        share = len(FFT_SIZES) / len(self._places)
        return _added_up(share * _apart(_framed_magnitudes(x, place), target) for place, target in scales)


def _apart(found: Tensor, target: Tensor) -> Tensor:
    """The distance at one FFT size, of left, right, mid and side: (b, 4) of magnitudes (b, 4, ., .)."""
    linear = (found - target).abs().mean((-2, -1))
    logarithmic = torch.log10(found / target).square().mean((-2, -1))
    return LINEAR_WEIGHT * linear + LOG_WEIGHT * logarithmic


def _added_up(scales: Iterable[Tensor]) -> Spectral:
    """Of distances (b, 4) at each FFT size."""
    per_channel = torch.stack(list(scales)).sum(0)
    return Spectral(per_channel[:, :2].mean(1), per_channel[:, 2:].mean(1))


def _framed_magnitudes(x: Tensor, places: Tensor) -> Tensor:
    """Of left, right, mid and side at frames (count, n) of audio (b, 2, t): (b, 4, count, n // 2 + 1)."""
    window = hann(places.shape[-1], x.dtype, x.device)
    left, right = rfft(x[..., places] * window).unbind(1)
    spectra = torch.stack([left, right, left + right, left - right], dim=1)
    return (torch.view_as_real(spectra).square().sum(-1) + EPS).sqrt()


def _magnitudes(x: Tensor, n: int) -> Tensor:
    """Of left, right, mid and side: (b, 4, n // 2 + 1, frames)."""
    left, right = x.unbind(1)
    return magnitude(torch.stack([left, right, left + right, left - right], dim=1), n, n // 4, eps=EPS)


LEFT_RIGHT = Metric(
    "left_right",
    "",
    "less",
    lambda x, truth, sample_rate: multi_scale_spectral(x, truth).left_right,
    "The multi-scale spectral distance of Koo et al. (2022), of left and right.",
    aligned=True,
)
MID_SIDE = Metric(
    "mid_side",
    "",
    "less",
    lambda x, truth, sample_rate: multi_scale_spectral(x, truth).mid_side,
    "The multi-scale spectral distance of Koo et al. (2022), of mid and side.",
    aligned=True,
)
