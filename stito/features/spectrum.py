"""Spectral balance: where the energy lies between low and high."""

from __future__ import annotations

import torch
from torch import Tensor

from stito.dsp.loudness import FLOOR, decibels
from stito.dsp.stft import StereoBands

__all__ = ["flatness_db", "relative_db", "spectrum", "tilt"]

BALANCE_FLOOR = 1e-6
"""Bands bottom out 60 dB below the total: below that lies hiss, dither and arithmetic."""

TILT_FLOOR = 1e-9
"""Steep slopes need more room: 90 dB."""

LOW_HZ, HIGH_HZ = 250.0, 4000.0


def spectrum(bands: StereoBands, mix: StereoBands | None = None) -> dict[str, Tensor]:
    """The spectral balance of audio over its whole length.

    * `band_hz` (b, k): centres of the bands; `band_db` (b, k): energy of each relative to the total.
    * `band_of_mix_db` (b, k), if the mix is given (b | 1 rows): energy of each band relative to the mix's same band.
    * `low_mid_db`, `high_mid_db`, `low_high_db` (b,): ratios of the energies below 250 Hz, between, and above 4 kHz.
    * `tilt_db_per_octave` (b,), `flatness` (b,), the latter in [0, 1]: see `tilt` and `flatness_db`.
    """
    energy = bands.over_time().total[:, 0]
    low, middle, high = low_mid_high(energy, bands.centre_hz)
    found = {
        "band_hz": bands.centre_hz.expand(energy.shape),
        "band_db": relative_db(energy, energy.sum(-1, keepdim=True)),
        "low_mid_db": low - middle,
        "high_mid_db": high - middle,
        "low_high_db": low - high,
        "tilt_db_per_octave": tilt(energy, bands),
        "flatness": 10 ** (flatness_db(energy, bands) / 10),
    }
    if mix is not None:
        found["band_of_mix_db"] = relative_db(energy, mix.over_time().total[:, 0])
    return found


def relative_db(energy: Tensor, reference: Tensor) -> Tensor:
    """10 log10(energy / reference + 1e-6), of energies (..., k) and any reference that broadcasts."""
    return decibels(energy / (reference + FLOOR), BALANCE_FLOOR)


def low_mid_high(energy: Tensor, centre_hz: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Levels relative to the total of what lies below 250 Hz, between, and above 4 kHz: three times (b,) in dB."""
    total = energy.sum(-1)
    low, high = centre_hz < LOW_HZ, centre_hz > HIGH_HZ
    kept = [(energy * mask).sum(-1) for mask in (low, ~low & ~high, high)]
    return relative_db(kept[0], total), relative_db(kept[1], total), relative_db(kept[2], total)


def tilt(energy: Tensor, bands: StereoBands) -> Tensor:
    """The slope of the power density in dB per octave, (b,): 0 for white noise, -3.01 for pink.

    Least squares of 10 log10(band energy / band width) on log2(frequency), each band weighted by its width in octaves;
    the outermost two, whose flat flanks blur their centres, are left out.
    """
    octave = bands.centre_hz.log2()
    weight = bands.width_hz / bands.centre_hz
    weight = torch.nn.functional.pad(weight[1:-1], (1, 1))
    weight = weight / weight.sum()
    place = octave - (weight * octave).sum()
    density = energy / bands.width_hz
    level = decibels(density / (density.sum(-1, keepdim=True) + FLOOR), TILT_FLOOR)
    return (level * weight * place).sum(-1) / (weight * place.square()).sum()


def flatness_db(energy: Tensor, bands: StereoBands) -> Tensor:
    """The spectral flatness in dB, (b,): geometric over arithmetic mean of the bands' power densities.

    0 for white noise, far below for a tone. Of the long-term spectrum, as a single frame's flatness depends more
    about chance than about sound. Bands count equally.
    """
    density = energy / bands.width_hz
    share = density / (density.mean(-1, keepdim=True) + FLOOR / bands.width_hz.sum())
    flatness = decibels(share, BALANCE_FLOOR).mean(-1)
    return torch.where(energy.sum(-1) > FLOOR, flatness, torch.zeros_like(flatness))
