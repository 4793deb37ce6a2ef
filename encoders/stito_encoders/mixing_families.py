"""The structured mixing features that the `stem` encoder is conditioned on, by family.

Each family is a vector per stem, in units that an engineer reads, of the same band energies that the network embeds:
`dynamics`, `spectral` and `stereo` describe the stem, partly against its mix; `masking` is what the others cover of it.
A stem without a mix is its own mix: as loud as it, and covered by nothing. The level of a mix is the power sum of its
stems.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stito.dsp.loudness import FLOOR, decibels
from stito.dsp.stft import StereoBands
from stito.features.dynamics import active_frames, block_crest_db, envelope_db, envelope_std, flux, slopes
from stito.features.masking import masking_of
from stito.features.spectrum import flatness_db, low_mid_high, relative_db, tilt
from stito.features.stereo import correlation, level_difference_db, side_mid_db
from stito.models.stem_batch import StemBatch

__all__ = ["FAMILIES", "family_dims", "mixing_families"]

FAMILIES = ("dynamics", "spectral", "stereo", "masking")
BROAD = 16
"""Broad bands in which families are measured; the number of bands of the analysis must be a multiple."""
DB, SLOPE = 10.0, 0.5
"""Units in which decibels and slopes stand in a vector: about one for a usual difference."""


def family_dims(families: Sequence[str]) -> dict[str, int]:
    """How long the vector of each family is."""
    known = {
        "dynamics": 8 + 3 * BROAD,
        "spectral": 5 + 2 * BROAD,
        "stereo": 3 * (1 + BROAD),
        "masking": 1 + 2 * BROAD,
    }
    return {family: known[family] for family in families}


def mixing_families(
    batch: StemBatch, bands: StereoBands, sample_rate: int, families: Sequence[str], slots: int
) -> dict[str, Tensor]:
    """Of n stems, each family (n, dims): `bands` are those of the batch's sounds; a mix has so many `slots`."""
    broad = bands.grouped(bands.centre_hz.shape[0] // BROAD)
    measures = {
        "dynamics": lambda: _dynamics(batch, bands, broad, sample_rate),
        "spectral": lambda: _spectral(batch, bands, broad),
        "stereo": lambda: _stereo(bands, broad)[batch.row],
        "masking": lambda: _masking(batch, broad, slots),
    }
    return {family: measures[family]() for family in families}


def _dynamics(batch: StemBatch, bands: StereoBands, broad: StereoBands, sample_rate: int) -> Tensor:
    """Loudness, its percentiles, crest, spread and slopes of the envelopes, flux; and the loudness in the mix."""
    loudness = bands.loudness
    integrated = loudness.integrated()[:, None]
    momentary = loudness.momentary_quantiles((0.1, 0.5, 0.95)) - integrated
    active, envelope = active_frames(broad), envelope_db(broad)
    fall, rise = slopes(envelope, active, broad.hop_s)
    own = torch.cat(
        [
            (integrated + 25) / DB,
            momentary / DB,
            block_crest_db(batch.audio, sample_rate) / DB,
            flux(envelope, active)[:, None] / DB,
            envelope_std(envelope, active) / DB,
            ((fall + 1).log2() - 6) * SLOPE,
            ((rise + 1).log2() - 6) * SLOPE,
        ],
        dim=-1,
    )
    weighted = bands.weighted.mean(-1)[batch.row]
    return torch.cat([own[batch.row], _of_mix_db(batch, weighted[:, None]) / DB], dim=-1)


def _spectral(batch: StemBatch, bands: StereoBands, broad: StereoBands) -> Tensor:
    """The long-term spectrum, its slope, flatness and thirds; and its share of each band of the mix."""
    fine, energy = bands.over_time().total[:, 0], broad.over_time().total[:, 0]
    thirds = torch.stack(low_mid_high(fine, bands.centre_hz), dim=-1)
    own = torch.cat(
        [
            relative_db(energy, energy.sum(-1, keepdim=True)) / DB,
            tilt(fine, bands)[:, None] / 3,
            flatness_db(fine, bands)[:, None] / DB,
            thirds / DB,
        ],
        dim=-1,
    )
    return torch.cat([own[batch.row], _of_mix_db(batch, energy[batch.row]) / DB], dim=-1)


def _stereo(bands: StereoBands, broad: StereoBands) -> Tensor:
    """Level difference, correlation and width, overall and in broad bands."""
    means = (bands.over_time().whole(), broad.over_time())
    parts = [(statistic(mean), unit) for mean in means for statistic, unit in _IMAGE]
    return torch.cat([value / unit for value, unit in parts], dim=-1)


_IMAGE = ((level_difference_db, DB), (correlation, 0.5), (side_mid_db, DB))


def _masking(batch: StemBatch, broad: StereoBands, slots: int) -> Tensor:
    """How much of the stem the loudest other covers, overall and by band, and by what margin."""
    energy = broad.total
    whole = energy.new_zeros(batch.mixes, slots, *energy.shape[1:])
    whole = whole.index_put((batch.mix, batch.slot), energy[batch.row])
    found = masking_of(whole)
    parts = [found["masked"][..., None], found["masked_band"], found["margin_db"] / (2 * DB)]
    return torch.cat(parts, dim=-1)[batch.mix, batch.slot]


def _of_mix_db(batch: StemBatch, energy: Tensor) -> Tensor:
    """Energies (n, k) of stems relative to the power sums of their mixes, in dB."""
    whole = energy.new_zeros(batch.mixes, energy.shape[-1]).index_add(0, batch.mix, energy)
    return decibels(energy / (whole[batch.mix] + FLOOR), 1e-6)
