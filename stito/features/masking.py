"""Inter-stem masking: which stem dominates which band, and how much of each the others cover."""

from __future__ import annotations

import torch
from torch import Tensor

from stito.dsp.loudness import FLOOR, decibels
from stito.dsp.stft import stereo_bands
from stito.errors import SettingsError

__all__ = ["masking", "masking_of"]

MARGIN_LIMIT = 60.0
ACTIVITY_DEPTH_DB, ACTIVITY_SOFTNESS_DB = 40.0, 3.0
LOUDNESS_EXPONENT = 0.23
"""Specific loudness grows about as this power of a band's intensity (Zwicker & Fastl, Psychoacoustics, ch. 8)."""


def masking(
    stems: Tensor, sample_rate: int, *, softness_db: float = 3.0, tolerance_db: float = 0.0
) -> dict[str, Tensor]:
    """How stems (s, 2, t) of one mix cover each other.

    With L(s, f, k) the level of stem s in frame f and band k, and `margin = L(s) - max over others L`, limited to
    +-60 dB:

    * `band_hz` (s, k): centres of the bands.
    * `margin_db` (s, k): the margin averaged over the frames in which the stem is active in that band.
    * `masked_band` (s, k): the logistic indicator `sigmoid(beta (-margin - tau))` averaged likewise, with the slope
      beta = 1 / `softness_db` and the threshold tau = `tolerance_db`: 0 alone in it, .5 as loud as the loudest other
      (for a tolerance of 0), 1 covered.
    * `masked` (s,): the same averaged over bands too, each weighted by its share of the stem's loudness,
      mean(E)^.23. A silent stem is 0.

    A stem counts as active in a band, softly, from 40 dB below its own mean level upwards. `SettingsError` for fewer
    than two stems.
    """
    if stems.shape[0] < 2:
        raise SettingsError("Masking needs at least two stems.", hint="Give every stem of the mix, as (s, 2, t).")
    bands = stereo_bands(stems, sample_rate)
    found = masking_of(bands.total, softness_db=softness_db, tolerance_db=tolerance_db)
    return {"band_hz": bands.centre_hz.expand(found["margin_db"].shape), **found}


def masking_of(energy: Tensor, *, softness_db: float = 3.0, tolerance_db: float = 0.0) -> dict[str, Tensor]:
    """The same, but `band_hz`, of band energies (..., s, frames, k) of one or many mixes; a stem alone is not masked.

    Silent stems cover nothing, so those that a mix lacks may be zeros here.
    """
    level = decibels(energy)
    margin = (level - _loudest_other(level)).clamp(-MARGIN_LIMIT, MARGIN_LIMIT)
    active = _activity(level, energy)
    indicator = torch.sigmoid((-margin - tolerance_db) / softness_db)
    weight = (energy.mean(-2) + FLOOR) ** LOUDNESS_EXPONENT
    activity = active.sum(-2)
    covered = (active * indicator).sum(-2)
    return {
        "margin_db": (active * margin).sum(-2) / (activity + FLOOR),
        "masked_band": covered / (activity + FLOOR),
        "masked": (covered * weight).sum(-1) / ((activity * weight).sum(-1) + FLOOR),
    }


def _loudest_other(level: Tensor) -> Tensor:
    """For each stem of (..., s, frames, k) the largest value among the others; nothing beside a stem alone."""
    if level.shape[-3] == 1:
        return torch.full_like(level, -torch.inf)
    (first, second), at = level.topk(2, dim=-3)[0].unbind(-3), level.argmax(-3, keepdim=True)
    own = torch.arange(level.shape[-3], device=level.device)[:, None, None] == at
    return torch.where(own, second.unsqueeze(-3), first.unsqueeze(-3))


def _activity(level: Tensor, energy: Tensor) -> Tensor:
    """Soft activity in [0, 1], (..., s, frames, k); exactly none in a silent stem."""
    mean = energy.sum(-1).mean(-1)[..., None, None]
    soft = torch.sigmoid((level - decibels(mean) + ACTIVITY_DEPTH_DB) / ACTIVITY_SOFTNESS_DB)
    return soft * (mean > FLOOR)
