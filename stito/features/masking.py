"""Inter-stem masking: which stem dominates which band, and how much of each the others cover."""

from __future__ import annotations

import torch
from torch import Tensor

from stito.dsp.loudness import FLOOR, decibels
from stito.dsp.stft import stereo_bands
from stito.errors import SettingsError

__all__ = ["masking"]

MARGIN_LIMIT = 60.0
ACTIVITY_DEPTH_DB, ACTIVITY_SOFTNESS_DB = 40.0, 3.0
LOUDNESS_EXPONENT = 0.23
"""Specific loudness grows about as this power of a band's intensity (Zwicker & Fastl, Psychoacoustics, ch. 8)."""


def masking(stems: Tensor, sample_rate: int, *, softness_db: float = 3.0) -> dict[str, Tensor]:
    """How stems (s, 2, t) of one mix cover each other.

    With L(s, f, k) the level of stem s in frame f and band k, and `margin = L(s) - max over others L`, limited to
    +-60 dB:

    * `band_hz` (s, k): centres of the bands.
    * `margin_db` (s, k): the margin averaged over the frames in which the stem is active in that band.
    * `masked_band` (s, k): the logistic indicator `sigmoid(-margin / softness_db)` averaged likewise: 0 alone
      in it, .5 as loud as the loudest other, 1 covered.
    * `masked` (s,): the same averaged over bands too, each weighted by its share of the stem's loudness,
      mean(E)^.23. A silent stem is 0.

    A stem counts as active in a band, softly, from 40 dB below its own mean level upwards. `SettingsError` for fewer
    than two stems.
    """
    if stems.shape[0] < 2:
        raise SettingsError("Masking needs at least two stems.", hint="Give every stem of the mix, as (s, 2, t).")
    bands = stereo_bands(stems, sample_rate)
    energy = bands.total
    level = decibels(energy)
    margin = (level - _loudest_other(level)).clamp(-MARGIN_LIMIT, MARGIN_LIMIT)
    active = _activity(level, energy)
    indicator = torch.sigmoid(-margin / softness_db)
    weight = (energy.mean(1) + FLOOR) ** LOUDNESS_EXPONENT
    activity = active.sum(1)
    return {
        "band_hz": bands.centre_hz.expand(weight.shape),
        "margin_db": (active * margin).sum(1) / (activity + FLOOR),
        "masked_band": (active * indicator).sum(1) / (activity + FLOOR),
        "masked": ((active * indicator).sum(1) * weight).sum(-1) / ((activity * weight).sum(-1) + FLOOR),
    }


def _loudest_other(level: Tensor) -> Tensor:
    """For each stem of (s, ...) the largest value among the others."""
    count = level.shape[0]
    own = torch.eye(count, dtype=torch.bool, device=level.device).reshape(count, count, *[1] * (level.dim() - 1))
    return level.expand(count, *level.shape).masked_fill(own, -torch.inf).amax(1)


def _activity(level: Tensor, energy: Tensor) -> Tensor:
    """Soft activity in [0, 1], (s, frames, k); exactly none in a silent stem."""
    mean = energy.sum(-1).mean(1)[:, None, None]
    soft = torch.sigmoid((level - decibels(mean) + ACTIVITY_DEPTH_DB) / ACTIVITY_SOFTNESS_DB)
    return soft * (mean > FLOOR)
