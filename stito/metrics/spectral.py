"""The multi-scale spectral distance of Koo et al. (2022), the field's measure of distance to a truth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

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
        if x.device.type == "cpu" and x.requires_grad and torch.is_grad_enabled():
            return _added_up(share * _apart_on_processor(x, place, target) for place, target in scales)
        return _added_up(share * _apart(_framed_magnitudes(x, place), target) for place, target in scales)


def _apart(found: Tensor, target: Tensor) -> Tensor:
    """The distance at one FFT size, of left, right, mid and side: (b, 4) of magnitudes (b, 4, ., .)."""
    linear = (found - target).abs().mean((-2, -1))
    logarithmic = torch.log10(found / target).square().mean((-2, -1))
    return LINEAR_WEIGHT * linear + LOG_WEIGHT * logarithmic


def _apart_on_processor(x: Tensor, places: Tensor, target: Tensor) -> Tensor:
    found: Tensor = _FramesApart.apply(x, places, target)  # type: ignore[no-untyped-call]
    return found


class _FramesApart(torch.autograd.Function):
    """`_apart` of frames (count, n) of audio, with its derivative in few passes over memory; torch's own takes thrice.

    The derivative of a magnitude M = sqrt(|X|^2 + EPS) by X is X / M.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, places: Tensor, target: Tensor) -> Tensor:
        n = places.shape[-1]
        ctx.starts, ctx.n, ctx.shape = places[:, 0].tolist(), n, x.shape
        frames = torch.stack([x[..., start : start + n] for start in ctx.starts], dim=-2)
        spectra = _four_channels(torch.fft.rfft(frames.mul_(hann(n, x.dtype, x.device))))
        magnitudes = _sizes(spectra)
        off, ratio = magnitudes - target, (magnitudes / target).log10_()
        linear, logarithmic = (part.mean((-2, -1)) for part in (off.abs(), ratio.square()))
        numbers = off.shape[-2] * off.shape[-1]
        slope = off.sign_().mul_(LINEAR_WEIGHT / numbers)
        slope.addcdiv_(ratio, magnitudes, value=2 * LOG_WEIGHT / (numbers * math.log(10))).div_(magnitudes)
        ctx.save_for_backward(spectra, slope)
        return LINEAR_WEIGHT * linear + LOG_WEIGHT * logarithmic

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        spectra, slope = ctx.saved_tensors
        by_channel = torch.view_as_complex(torch.view_as_real(spectra) * (slope * grads[0][..., None, None])[..., None])
        left, right, mid, side = by_channel.unbind(1)
        both = torch.stack([(left + mid).add_(side), (right + mid).sub_(side)], dim=1).mul_(0.5)
        both[..., 0] *= 2  # as in `stito.dsp.fourier`
        both[..., -1] *= 2
        framed = torch.fft.irfft(both, n=ctx.n, norm="forward").mul_(hann(ctx.n, slope.dtype, slope.device))
        out = framed.new_zeros(ctx.shape)
        for number, start in enumerate(ctx.starts):
            out[..., start : start + ctx.n] += framed[..., number, :]
        return out, None, None


def _added_up(scales: Iterable[Tensor]) -> Spectral:
    """Of distances (b, 4) at each FFT size."""
    per_channel = torch.stack(list(scales)).sum(0)
    return Spectral(per_channel[:, :2].mean(1), per_channel[:, 2:].mean(1))


def _framed_magnitudes(x: Tensor, places: Tensor) -> Tensor:
    """Of left, right, mid and side at frames (count, n) of audio (b, 2, t): (b, 4, count, n // 2 + 1)."""
    window = hann(places.shape[-1], x.dtype, x.device)
    return _sizes(_four_channels(rfft(x[..., places] * window)))


def _four_channels(spectra: Tensor) -> Tensor:
    """Of left, right, mid and side: (b, 4, ...) from those of left and right (b, 2, ...)."""
    left, right = spectra.unbind(1)
    return torch.stack([left, right, left + right, left - right], dim=1)


def _sizes(spectra: Tensor) -> Tensor:
    real, imaginary = torch.view_as_real(spectra).unbind(-1)
    return torch.addcmul(real.square(), imaginary, imaginary).add(EPS).sqrt()


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
