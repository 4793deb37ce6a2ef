"""Level detection, attack and release, and gain curves: what compressors, gates and limiters are made of.

Detection runs at a control rate, one value per `control_hop` samples. Attack and release are computed in parallel:
both are recurrences y[n] = join(x[n], a y[n-1]), so blocks of `BLOCK` values are solved side by side, and the last
values of the blocks, which obey the same recurrence with the decay of a whole block, are solved in turn.

Source: Giannoulis, Massberg and Reiss, "Digital dynamic range compressor design", JAES 60(6), 2012, cited as [GMR].
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = [
    "FLOOR_DB",
    "attack",
    "control_hop",
    "decay_per_step",
    "detect",
    "link_channels",
    "look_ahead",
    "peak_level",
    "release",
    "scale_by_db",
]

FLOOR_DB = -120.0
"""The level of silence."""
BLOCK = 64
"""Control values solved side by side: within a block float32 keeps seven digits at any audible decay."""
RENDER_BLOCK = 1 << 20
"""Longer audio is scaled in blocks of about this many samples, so that temporaries do not grow with the song."""


def control_hop(sample_rate: int) -> int:
    """Audio samples per control value: a third of a millisecond, 16 samples at 44.1 kHz."""
    return max(1, round(16 * sample_rate / 44_100))


def decay_per_step(time_ms: Tensor, sample_rate: int) -> Tensor:
    """The decay in nepers per control value of times (b,): (b, 1, 1), [GMR] eq. 7.

    After `time_ms` an attack has covered 63 % of a step and a release has fallen to 37 %.
    """
    return (1000 * control_hop(sample_rate) / sample_rate / time_ms).reshape(-1, 1, 1)


def peak_level(x: Tensor, sample_rate: int) -> Tensor:
    """The peak of each control step of audio (b, c, t) in dBFS: (b, c, ceil(t / hop)), at least `FLOOR_DB`."""
    peaks = torch.nn.functional.max_pool1d(x.abs(), control_hop(sample_rate), ceil_mode=True)
    return 20 * torch.log10(peaks.clamp_min(10 ** (FLOOR_DB / 20)))


def link_channels(level: Tensor, link: Tensor) -> Tensor:
    """Levels (b, c, n) moved towards the louder channel: `link` (b, 1, 1) is 0 for each its own, 1 for one for all."""
    return torch.lerp(level, level.amax(dim=1, keepdim=True), link)


def detect(x: Tensor, attack_step: Tensor, release_step: Tensor) -> Tensor:
    """The decoupled peak detector of [GMR] on x (b, c, n), not negative, from rest.

    Decays are those of `decay_per_step`. What is detected (dB of gain reduction, dB above a floor) is up to the caller.
    """
    return attack(release(x, release_step), attack_step)


def release(x: Tensor, decay: Tensor) -> Tensor:
    """y[n] = max(x[n], exp(-decay) y[n-1]) over the last dimension of x >= 0, from rest; `decay` broadcasts against x.

    Linear in max-plus algebra: inside a block, a running maximum of log x[n] + n decay finds the value that is held.
    """
    blocks, each = _blocks(x), decay[..., None]
    step = torch.arange(BLOCK, device=x.device)
    with torch.no_grad():
        holder = (blocks.log() + step * each).cummax(dim=-1).indices
    held = blocks.expand_as(holder).gather(-1, holder) * torch.exp((holder - step) * each)
    if held.shape[-2] > 1:
        carry = _shifted(release(held[..., -1], BLOCK * decay))
        held = torch.maximum(held, carry[..., None] * torch.exp(-(step + 1) * each))
    return held.flatten(-2)[..., : x.shape[-1]]


def attack(x: Tensor, decay: Tensor) -> Tensor:
    """y[n] = a y[n-1] + (1 - a) x[n] with a = exp(-decay), over the last dimension, from rest."""
    return _leaky_sum(-torch.expm1(-decay) * x, decay)


def _leaky_sum(x: Tensor, decay: Tensor) -> Tensor:
    """y[n] = x[n] + exp(-decay) y[n-1]: inside a block, a product with the powers of exp(-decay)."""
    blocks, each = _blocks(x), decay[..., None]
    step = torch.arange(BLOCK, device=x.device)
    lag = step - step[:, None]
    summed = blocks @ (torch.exp(-lag.clamp_min(0) * each) * (lag >= 0))
    if summed.shape[-2] > 1:
        carry = _shifted(_leaky_sum(summed[..., -1], BLOCK * decay))
        summed = summed + carry[..., None] * torch.exp(-(step + 1) * each)
    return summed.flatten(-2)[..., : x.shape[-1]]


def _blocks(x: Tensor) -> Tensor:
    """(..., n) as (..., ceil(n / BLOCK), BLOCK), zeros at the end."""
    return torch.nn.functional.pad(x, (0, -x.shape[-1] % BLOCK)).reshape(*x.shape[:-1], -1, BLOCK)


def _shifted(x: Tensor) -> Tensor:
    """Each value in the place of the next, zero first."""
    return torch.nn.functional.pad(x, (1, 0))[..., :-1]


def look_ahead(x: Tensor, window: int) -> Tensor:
    """A curve that never falls below x (b, c, n) >= 0 and climbs to each of its peaks over the `window` steps before.

    The maximum over the window ahead, averaged over the window behind: every value averaged has seen the present one.
    """
    padded = torch.nn.functional.pad(x, (window - 1, window - 1))
    highest = torch.nn.functional.max_pool1d(padded, window, stride=1)
    return torch.nn.functional.avg_pool1d(highest, window, stride=1)


def scale_by_db(x: Tensor, gain_db: Tensor, sample_rate: int) -> Tensor:
    """Audio (b | 1, c, t) under gains (b, c | 1, n + 1) at the ends of its n control steps, straight in between."""
    hop, length = control_hop(sample_rate), x.shape[-1]
    ends = 10 ** (gain_db / 20)
    ramp = torch.arange(1, hop + 1, dtype=x.dtype, device=x.device) / hop
    line = torch.stack([torch.ones_like(ramp), ramp])
    per_block = max(1, RENDER_BLOCK // hop)
    pieces = (
        _scaled(x[..., hop * start : hop * (start + per_block)], ends[..., start : start + per_block + 1], line)
        for start in range(0, ends.shape[-1] - 1, per_block)
    )
    if length <= hop * per_block:
        return next(pieces)
    scaled = x.new_empty(max(len(x), len(ends)), *x.shape[1:])
    for start, piece in zip(range(0, length, hop * per_block), pieces, strict=True):
        scaled[..., start : start + piece.shape[-1]] = piece
    return scaled


def _scaled(x: Tensor, ends: Tensor, line: Tensor) -> Tensor:
    """Audio times start plus slope times ramp: as a matrix product, since interpolation is slow in rows this short."""
    gain = (torch.stack([ends[..., :-1], ends.diff()], dim=-1) @ line).flatten(-2)
    return x * gain[..., : x.shape[-1]]
