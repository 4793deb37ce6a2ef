"""Dynamics: how loud, how steady, how peaky, and how fast bands rise and fall."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stito.dsp.loudness import FLOOR, Loudness, crest_db, decibels, masked_mean, peak_db, quantiles, rms_db
from stito.dsp.stft import StereoBands

__all__ = [
    "active_frames",
    "block_crest_db",
    "dynamics",
    "envelope_db",
    "envelope_quantiles",
    "envelope_std",
    "flux",
    "slopes",
]

ENVELOPE_FLOOR = 1e-5
"""Envelopes bottom out 50 dB below their band's mean, so that silence between notes is a depth, not an infinity."""


def dynamics(x: Tensor, loudness: Loudness) -> dict[str, Tensor]:
    """The level and dynamics of audio (b, 2, t) whose loudness was measured; every value (b,).

    * `rms_db`, `peak_db` (dBFS) and `crest_db`: as in `stito.dsp.loudness`.
    * `loudness_lufs`: integrated and gated. `loudness_range_lu`: inter-quartile range of the short-term loudness.
    * `short_term_mean_lufs`, `short_term_std_lu`: of the gated short-term (3 s) loudness.
    * `momentary_10_lufs`, `momentary_50_lufs`, `momentary_95_lufs`: percentiles of the gated momentary (400 ms) one.
    """
    mean, std = loudness.short_term_moments()
    low, middle, high = loudness.momentary_quantiles((0.1, 0.5, 0.95)).unbind(-1)
    return {
        "rms_db": rms_db(x),
        "peak_db": peak_db(x),
        "crest_db": crest_db(x),
        "loudness_lufs": loudness.integrated(),
        "loudness_range_lu": loudness.range(),
        "short_term_mean_lufs": mean,
        "short_term_std_lu": std,
        "momentary_10_lufs": low,
        "momentary_50_lufs": middle,
        "momentary_95_lufs": high,
    }


def block_crest_db(x: Tensor, sample_rate: int) -> Tensor:
    """Peak over mean within blocks of 100 ms, and the 95th percentile of their peaks over the whole: (b, 2) in dB.

    Unlike the peak of the whole, neither grows with the length.
    """
    block = sample_rate // 10
    left, right = x.unbind(1)
    energy = torch.addcmul(left * left, right, right)
    energy = energy[:, : energy.shape[-1] // block * block].reshape(x.shape[0], -1, block)
    mean, peak = energy.mean(-1), decibels(energy.amax(-1))
    overall = mean.mean(-1, keepdim=True)
    active = mean.detach() > overall.detach() * 10**-2.5
    inside = masked_mean(peak - decibels(mean), active)
    across = quantiles(peak, (0.95,)) - decibels(overall)
    return torch.cat([inside[:, None], across], dim=-1)


def active_frames(bands: StereoBands, depth_db: float = 25.0) -> Tensor:
    """The frames in which something plays, (b, frames): K-weighted, at most `depth_db` below the mean. No gradient."""
    energy = bands.weighted.detach()
    return (energy > energy.mean(-1, keepdim=True) * 10 ** (-depth_db / 10)) & (energy > FLOOR)


def envelope_db(bands: StereoBands) -> Tensor:
    """The level of each band over time relative to its own mean, (b, k, frames): 10 log10(E / mean E + 1e-5)."""
    energy = bands.total.transpose(1, 2)
    return decibels(energy / (energy.mean(-1, keepdim=True) + FLOOR), ENVELOPE_FLOOR)


def envelope_std(envelope: Tensor, active: Tensor) -> Tensor:
    """The standard deviation in dB of envelopes (b, k, frames) over the active frames (b, frames): (b, k)."""
    keep = active[:, None]
    mean = masked_mean(envelope, keep)
    return (masked_mean((envelope - mean[..., None]).square(), keep) + 1e-6).sqrt()


def envelope_quantiles(envelope: Tensor, active: Tensor, q: Sequence[float]) -> Tensor:
    """Quantiles in dB of envelopes (b, k, frames) over the active frames (b, frames): (b, k, len(q))."""
    return quantiles(envelope, q, active[:, None].expand_as(envelope))


def slopes(envelope: Tensor, active: Tensor, hop_s: float, *, span: int = 4) -> tuple[Tensor, Tensor]:
    """How fast bands fall and rise, in dB/s, each (b, k).

    With d the change of an envelope (b, k, frames) over `span` frames, per second, where either end is active: the
    rise is sum(d+^2) / sum(d+) and the fall the same of d-. Each change thus counts as much as it moves, so that long
    flat stretches do not matter: plain means of rises and falls would be equal on any stationary sound. Reverb and
    release times show in the fall, attack times in the rise.
    """
    if envelope.shape[-1] <= span:
        return torch.zeros_like(envelope[..., 0]), torch.zeros_like(envelope[..., 0])
    change = (envelope[..., span:] - envelope[..., :-span]) / (span * hop_s)
    change = change * (active[:, None, span:] | active[:, None, :-span])
    return _self_weighted_mean((-change).relu()), _self_weighted_mean(change.relu())


def _self_weighted_mean(amount: Tensor) -> Tensor:
    return amount.square().sum(-1) / (amount.sum(-1) + 1.0)


def flux(envelope: Tensor, active: Tensor, *, span: int = 4) -> Tensor:
    """The spectral flux in dB, (b,).

    The mean absolute change of the band levels over `span` frames without the change common to all bands:
    what moves within the spectrum, not the level.
    """
    if envelope.shape[-1] <= span:
        return torch.zeros_like(envelope[:, 0, 0])
    change = envelope[..., span:] - envelope[..., :-span]
    change = (change - change.mean(1, keepdim=True)).abs().mean(1)
    return masked_mean(change, active[:, span:] & active[:, :-span])
