"""Harmonic distortion."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import pad

from stito.dsp.antialiasing import Places, mean_tanh
from stito.dsp.fourier import rfft
from stito.dsp.offset import take_offset
from stito.dsp.reduction import GainReduction
from stito.dsp.spectrum import unit_circle
from stito.effects.effect import Effect, batch_of, column
from stito.effects.param import Param
from stito.effects.words import DRY, Move, decibels, percent

__all__ = ["Saturation"]

USUAL_PEAK = 0.25
"""Drive keeps the level of audio that peaks here (-12 dBFS); softer comes out louder, louder comes out softer."""
WARM_DB, HOT_DB = 10.0, 22.0
"""Less drive is warmth, more is distortion."""
DC_HZ = 15.0
"""Where the offset that asymmetry makes is cut."""
MARGIN_S = 0.2
"""How much of its neighbours a block includes: by then the filter of the offset has settled."""
BLOCK = 1 << 20
"""Samples shaped at a time, so that what they need does not grow with the song."""
FRAME = 1 << 13
"""Samples of a Fourier transform: short enough for the processor's cache,"""
OVERLAP = 1 << 9
"""of which so many at either end serve their neighbours: by then filters have rung out."""
AT_ONCE = 1 << 18
"""Samples, of all candidates and channels, that are shaped at once: what they need stays in the cache."""
TOP = 0.9
"""From here to the Nyquist frequency the highs fade out: a sudden end would ring for long."""
TOP_BETWEEN = 0.96
"""The same for values between samples."""


class Saturation(Effect):
    """Warm up or distort with a tanh curve, blended with the dry signal."""

    name: ClassVar[str] = "saturation"
    aspect: ClassVar[str] = "saturation"
    differentiable: ClassVar[bool] = True
    params: ClassVar[tuple[Param, ...]] = (
        Param("drive_db", 0.0, 36.0, neutral=0.0, doc="gain into the curve; peaks at -12 dBFS keep their level"),
        Param("asymmetry", 0.0, 1.0, neutral=0.0, doc="0: odd harmonics only, more: even ones too"),
        Param("mix", 0.0, 1.0, neutral=0.0, doc="0: dry, 1: distorted only", depth=True),
    )

    @classmethod
    def describe(cls, settings: Mapping[str, float], reduction: GainReduction | None = None) -> list[Move]:
        """How hard it is driven, and its share."""
        drive, mix = settings["drive_db"], settings["mix"]
        if mix < DRY:
            return []
        how = "Warm up" if drive < WARM_DB else "Saturate" if drive < HOT_DB else "Distort"
        text = f"{how}: a tanh curve driven by {decibels(drive)}, at {percent(mix)}"
        text += ", with even harmonics" if settings["asymmetry"] > 0.2 else ""
        return [Move(f"{text}.", mix * (1 + drive / 4))]

    def process(self, x: Tensor, p: Mapping[str, Tensor], sample_rate: int) -> Tensor:
        """On a processor one candidate at a time, so that it stays in the cache."""
        batch = batch_of(x, p)
        knobs = torch.stack([10 ** (p["drive_db"] / 20), p["asymmetry"], p["mix"]]).expand(-1, batch)
        size = 1 if x.device.type == "cpu" else batch
        rows = [slice(start, start + size) for start in range(0, batch, size)]
        done = [_saturated(x if len(x) == 1 else x[row], knobs[:, row], sample_rate) for row in rows]
        return torch.cat(done) if len(done) > 1 else done[0]


def _saturated(x: Tensor, knobs: Tensor, sample_rate: int) -> Tensor:
    """Audio (b | 1, 2, t) under drive, bias and mix (3, b), one block at a time; these include a margin either side."""
    margin, length = round(MARGIN_S * sample_rate), x.shape[-1]
    drive, bias, mix = map(column, knobs)
    swing = torch.tanh(bias + USUAL_PEAK * drive) - torch.tanh(bias - USUAL_PEAK * drive)
    dry, wet = 1 - mix, mix * (2 * USUAL_PEAK / swing)
    blocks = []
    for start in range(0, length, BLOCK):
        before, stop = min(margin, start), min(start + BLOCK, length)
        shaped = _shaped(x[..., start - before : stop + margin], drive, bias, sample_rate)
        blocks.append(torch.addcmul(dry * x[..., start:stop], wet, shaped[..., before : before + stop - start]))
    return torch.cat(blocks, dim=-1) if len(blocks) > 1 else blocks[0]


def _shaped(x: Tensor, drive: Tensor, bias: Tensor, sample_rate: int) -> Tensor:
    """tanh(drive x + bias) without its offset, band-limited and in time with x (b | 1, 2, t): (b, 2, t).

    In frames that overlap: the transforms of short ones cost half as much.
    """
    step, length = FRAME - 2 * OVERLAP, x.shape[-1]
    count = -(-length // step)
    padded = pad(x, (OVERLAP, count * step + OVERLAP + 1 - length))
    frames = padded.unfold(-1, FRAME + 1, step)
    chunk = max(1, AT_ONCE // (2 * len(drive) * FRAME))
    done = [
        _shaped_frames(part, drive[..., None], bias[..., None])[..., OVERLAP:-OVERLAP]
        for part in torch.split(frames, chunk, dim=2)
    ]
    silence = Places.of(bias)
    shaped = torch.cat(done, dim=2).flatten(2)
    return take_offset(shaped, sample_rate, DC_HZ, mean_tanh(silence, silence))[..., :length]


def _shaped_frames(frames: Tensor, drive: Tensor, bias: Tensor) -> Tensor:
    """The curve on frames (b, 2, count, n + 1), of which the last sample is the next one's: (b, 2, count, n).

    Shaped at twice the sample rate, as two streams at the old one: the samples, and the values between them.
    """
    n = frames.shape[-1] - 1
    early, on_time, late = _tables(n, frames.dtype, frames.device)
    between = torch.fft.irfft(rfft(frames[..., :-1]) * early, n=n)
    on, off = (Places.of(torch.addcmul(bias, drive, audio)) for audio in (frames, between))
    rising, falling = mean_tanh(on[:-1], off), mean_tanh(off, on[1:])
    shaped: Tensor = torch.fft.irfft(rfft(rising) * on_time + rfft(falling) * late, n=n)
    return shaped


@lru_cache(maxsize=8)
def _tables(n: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Half a sample ahead; and the shares of rising and falling means in the result, complex (n // 2 + 1,) each.

    The shares undo what taking means does to small signals (a little early, highs softer), and halve the sum.
    """
    late = unit_circle(2 * n, torch.float64, device)[: n // 2 + 1]
    place = torch.linspace(0, 1, n // 2 + 1, dtype=torch.float64, device=device)
    repair = _fade(place, TOP) / (1 + late.conj())
    tables = (late.conj() * _fade(place, TOP_BETWEEN), repair, repair * late)
    early, on_time, falling = (table.to(dtype.to_complex()) for table in tables)
    return early, on_time, falling


def _fade(place: Tensor, top: float) -> Tensor:
    return torch.cos(torch.pi / 2 * ((place - top) / (1 - top)).clamp_min(0)).square()
