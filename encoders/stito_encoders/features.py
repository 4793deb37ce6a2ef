"""The `features` encoder: mixing statistics as an embedding, without weights.

It embeds what an engineer measures: level, balance, dynamics, decay, width. It needs no training and no data, and its
distances can be read: one unit is about the step from just noticeable to clear. It also embeds the content: use it
where a trained encoder is missing or as a second opinion.

`GROUPS` lists what is in the embedding and in which units. The root mean square difference of two embeddings is the
weighted quadratic mean, over groups, of each group's root mean square difference in its unit: a group of 48 dims does
not outweigh one of a single dim.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from stito.dsp.stft import StereoBands, stereo_bands
from stito.errors import AudioError
from stito.features.dynamics import (
    active_frames,
    block_crest_db,
    envelope_db,
    envelope_quantiles,
    envelope_std,
    flux,
    slopes,
)
from stito.features.spectrum import flatness_db, relative_db, tilt
from stito.features.stereo import correlation, level_difference_db, side_mid_db

__all__ = ["Features"]


class Group(NamedTuple):
    """How a group of statistics is scaled: its unit, its weight among the groups, its size."""

    unit: float
    weight: float
    dims: int

    def scaled(self, values: Tensor) -> Tensor:
        """Statistics (b, dims) as they stand in the embedding."""
        share = self.weight / WEIGHT * DIM / self.dims
        return values * (math.sqrt(share) / self.unit)


BANDS = 48
BROAD = 12

GROUPS = {
    # Integrated and gated, in LU.
    "loudness": Group(2.0, 1.0, 1),
    # Energy of each mel band of mid, then of side, relative to the total, in dB.
    "mid": Group(3.0, 2.0, BANDS),
    "side": Group(4.0, 1.0, BANDS),
    # Slope of the power density in dB per octave.
    "tilt": Group(1.0, 0.5, 1),
    # Of the long-term spectrum, in dB.
    "flatness": Group(2.0, 0.5, 1),
    # Change within the spectrum over 46 ms, in dB.
    "flux": Group(1.0, 0.5, 1),
    # Standard deviation and 10, 50 and 90 % of the envelopes of the broad bands, in dB: compression, reverb.
    "spread": Group(2.0, 1.5, 4 * BROAD),
    # How fast the broad bands fall (reverb, release) and rise (attack), as log2 of dB/s.
    "fall": Group(0.25, 1.5, BROAD),
    "rise": Group(0.25, 1.0, BROAD),
    # Peak over mean within 100 ms, and of the loudest blocks over the whole, in dB.
    "crest": Group(1.5, 1.0, 2),
    # 10, 50 and 95 % of the momentary loudness relative to the integrated, and its inter-quartile range, in LU.
    "momentary": Group(2.0, 0.5, 4),
    # Left over right in dB, correlation, side over mid in dB: overall, then in the broad bands.
    "difference": Group(2.0, 1.0, 1 + BROAD),
    "correlation": Group(0.15, 1.0, 1 + BROAD),
    "width": Group(3.0, 1.0, 1 + BROAD),
}
"""The embedding's parts in order: unit (from just noticeable to clear), weight, size."""
DIM = sum(group.dims for group in GROUPS.values())
WEIGHT = sum(group.weight for group in GROUPS.values())


class Features:
    """Mixing statistics as an embedding: differentiable, deterministic, the same at any length of one texture."""

    name: ClassVar[str] = "features"
    sample_rate: ClassVar[int] = 44_100
    dim: ClassVar[int] = DIM
    distance: ClassVar[Literal["euclidean"]] = "euclidean"
    same_style_distance: ClassVar[float] = 2.64
    """Of 40 pairs of stems of different songs, 12 s each, FX-normalised, under the same random effects."""

    def embed(self, x: Tensor) -> Tensor:
        """The embedding (b, 217) of audio (b, 2, t) at 44.1 kHz; `AudioError` for other shapes or less than .1 s."""
        return self._embedded(x, self._bands(x))

    def embed_mirrored(self, x: Tensor) -> Tensor:
        """The embeddings (2 b, 217) of audio and, behind them, of its mirror image, left and right swapped."""
        return self._embedded(torch.cat([x, x.flip(1)]), self._bands(x).with_mirror())

    def _bands(self, x: Tensor) -> StereoBands:
        if x.shape[-1] < self.sample_rate // 10:
            raise AudioError(
                f"The features encoder needs .1 s of audio, not {x.shape[-1]} samples.",
                hint="Give it a few seconds: statistics of less mean little.",
            )
        return stereo_bands(x, self.sample_rate, count=BANDS)

    @staticmethod
    def _embedded(x: Tensor, bands: StereoBands) -> Tensor:
        groups = {**_levels(x, bands), **_balance(bands), **_motion(bands), **_image(bands)}
        return torch.cat([group.scaled(groups[name]) for name, group in GROUPS.items()], dim=-1)


def _levels(x: Tensor, bands: StereoBands) -> dict[str, Tensor]:
    loudness = bands.loudness
    integrated = loudness.integrated()[:, None]
    low, quarter, middle, three, high = loudness.momentary_quantiles((0.1, 0.25, 0.5, 0.75, 0.95)).unbind(-1)
    momentary = torch.stack([low, middle, high], dim=-1) - integrated
    return {
        "loudness": integrated,
        "momentary": torch.cat([momentary, (three - quarter)[:, None]], dim=-1),
        "crest": block_crest_db(x, Features.sample_rate),
    }


def _balance(bands: StereoBands) -> dict[str, Tensor]:
    mean = bands.over_time()
    energy = mean.total[:, 0]
    total = energy.sum(-1, keepdim=True)
    return {
        "mid": relative_db(mean.mid[:, 0], total),
        "side": relative_db(mean.side[:, 0], total),
        "tilt": tilt(energy, bands)[:, None],
        "flatness": flatness_db(energy, bands)[:, None],
    }


def _motion(bands: StereoBands) -> dict[str, Tensor]:
    broad = bands.grouped(BANDS // BROAD)
    active = active_frames(bands)
    envelope = envelope_db(broad)
    spread = envelope_std(envelope, active)[..., None]
    percentiles = envelope_quantiles(envelope, active, (0.1, 0.5, 0.9))
    fall, rise = slopes(envelope, active, bands.hop_s)
    return {
        "spread": torch.cat([spread, percentiles], dim=-1).flatten(1),
        "fall": (fall + 1).log2(),
        "rise": (rise + 1).log2(),
        "flux": flux(envelope, active)[:, None],
    }


def _image(bands: StereoBands) -> dict[str, Tensor]:
    mean = bands.over_time()
    overall, broad = mean.whole(), mean.grouped(BANDS // BROAD)
    return {
        name: torch.cat([statistic(overall), statistic(broad)], dim=-1)
        for name, statistic in (
            ("difference", level_difference_db),
            ("correlation", correlation),
            ("width", side_mid_db),
        )
    }
