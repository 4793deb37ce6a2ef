"""Room: reverberation from noise that fades at its own pace in three bands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import copy
from functools import lru_cache
from typing import ClassVar

import torch
from torch import Tensor

from stito.audio import resample
from stito.dsp.blockwise import Formula
from stito.dsp.fourier import rfft
from stito.dsp.impulse import noise_bands, unit_energy
from stito.dsp.reduction import GainReduction
from stito.dsp.spectrum import Response
from stito.effects.effect import LinearEffect
from stito.effects.param import Param
from stito.effects.words import Move
from stito_effects.room_table import RoomTable, room_table
from stito_effects.wet import wet_move, wet_response

__all__ = ["Reverb"]

LENGTH_S = 2.0
FADE = 0.1
"""The share of the length that is faded out."""
ONSET_S = 0.003
"""Time constant of the build-up: an abrupt start of the noise would sound as a click."""
CROSSOVERS_HZ = (300.0, 3000.0)
COMMON = 0.2
"""The share of energy that left and right have in common: wide, and not hollow in mono."""
NOISE_RATE = 44_100
SEED = 20_241
COLUMNS = 64
HALL_S = 1.3
"""A room that rings longer is called a hall."""
LONGEST_TABLE = 600_000
"""Points of the FFT: six seconds at 48 kHz with the tails of a delay and a reverb; the table takes 85 MB."""


class Reverb(LinearEffect):
    """Put it in a room: how long lows, middle and highs ring, how dark, how far away and how much.

    Noise shaped by one exponential decay per band (J. A. Moorer, "About this reverberation business", 1979), from one
    fixed draw: left and right are filtered each by its own noise. `mix` crossfades from dry to wet under the
    sine-cosine law, with the wet path at unit energy, so that the level stays about the same.
    """

    name: ClassVar[str] = "reverb"
    aspect: ClassVar[str] = "reverb"
    params: ClassVar[tuple[Param, ...]] = (
        Param("decay_low_s", 0.1, 3.0, neutral=0.8, scale="log", doc="time to -60 dB below 300 Hz"),
        Param("decay_mid_s", 0.1, 3.0, neutral=0.8, scale="log", doc="time to -60 dB up to 3 kHz"),
        Param("decay_high_s", 0.1, 3.0, neutral=0.5, scale="log", doc="time to -60 dB above 3 kHz"),
        Param("pre_delay_ms", 0.0, 100.0, neutral=10.0, doc="silence before the room answers"),
        Param("damping_hz", 1000.0, 18_000.0, neutral=8000.0, scale="log", doc="the room loses what is above"),
        Param("low_cut_hz", 20.0, 500.0, neutral=100.0, scale="log", doc="the room loses what is below"),
        Param("mix", 0.0, 1.0, neutral=0.0, doc="0 is dry, 1 is the room alone", depth=True),
    )
    tail_s: ClassVar[float] = 2.15
    _table: RoomTable | None = None

    @classmethod
    def target_settings(cls, configuration: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A room of one decay, crossfaded by the weight of the dry signal."""
        decays = ("decay_low_s", "decay_mid_s", "decay_high_s")
        return dict.fromkeys(decays, configuration["decay_s"]) | {"mix": 1 - configuration["dry"]}

    @classmethod
    def describe(cls, settings: Mapping[str, float], reduction: GainReduction | None = None) -> list[Move]:
        """A room, or a hall, its time to -60 dB in the middle, and its share."""
        return wet_move(
            "hall" if settings["decay_mid_s"] > HALL_S else "room",
            settings["mix"],
            decay_s=settings["decay_mid_s"],
            pre_delay_ms=settings["pre_delay_ms"],
            high_cut_hz=settings["damping_hz"],
        )

    def response(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Response:
        return self.factor(p, n, sample_rate).whole()

    def factor(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Formula:
        decays = torch.stack([p["decay_low_s"], p["decay_mid_s"], p["decay_high_s"]], dim=1)
        return wet_response(
            self._room(decays, n, sample_rate),
            pre_delay_ms=p["pre_delay_ms"],
            low_cut_hz=p["low_cut_hz"],
            high_cut_hz=p["damping_hz"],
            mix=p["mix"],
            n=n,
            sample_rate=sample_rate,
        )

    def prepared(self, n: int, sample_rate: int, device: torch.device) -> Reverb:
        """With a table of all rooms, which takes half a second to make; an accelerator is as fast without."""
        if device.type != "cpu" or n > LONGEST_TABLE:
            return self
        prepared = copy(self)
        prepared._table = _table(n, sample_rate)
        return prepared

    def _room(self, decays_s: Tensor, n: int, sample_rate: int) -> Formula:
        """The spectrum of the room alone, at unit energy: (b, 2, f)."""
        if self._table is not None and self._table.serves(decays_s, n, sample_rate):
            return self._table.spectrum(decays_s)
        impulse = unit_energy(impulse_response(decays_s, sample_rate), sample_rate)
        return Formula.of(rfft(impulse, n))


@lru_cache(maxsize=2)
def _table(n: int, sample_rate: int) -> RoomTable:
    """The latest tables: stems whose excerpts are equally long share them, for the search and for what is fitted."""
    decay, noise = Reverb.params[0], _noise(sample_rate, torch.float64, torch.device("cpu"))
    return room_table(noise, decay.low, decay.high, n, sample_rate)


def impulse_response(decays_s: Tensor, sample_rate: int) -> Tensor:
    """The room's answer to a click for times to -60 dB, (b, bands): audio (b, 2, t)."""
    noise = _noise(sample_rate, decays_s.dtype, decays_s.device)
    rate = (-3 * math.log(10) / sample_rate) / decays_s.double()
    rows = torch.arange(noise.shape[-1] // COLUMNS, dtype=torch.float64, device=decays_s.device) * COLUMNS
    columns = torch.arange(COLUMNS, dtype=torch.float64, device=decays_s.device)
    # exp(-d (64 i + j)) is the product of two short tables
    coarse, fine = (torch.exp(rate[..., None] * steps).to(decays_s.dtype) for steps in (rows, columns))
    return torch.stack([_candidate(noise, *tables) for tables in zip(coarse, fine, strict=True)])


def _candidate(noise: Tensor, coarse: Tensor, fine: Tensor) -> Tensor:
    """One impulse response (2, t) from band noises (bands, 2, t) and tables (bands, rows) and (bands, columns).

    Candidates are made one by one, since one at a time stays in the processor's cache.
    """
    envelopes = (coarse[:, :, None] * fine[:, None, :]).flatten(1)
    impulse = noise[0] * envelopes[0]
    for band in range(1, len(noise)):
        impulse = impulse.addcmul(noise[band], envelopes[band])
    return impulse


@lru_cache(maxsize=4)
def _noise(sample_rate: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Band-limited noise, (bands, 2, t) with t a multiple of 64; the bands add up to white noise."""
    samples = round(LENGTH_S * NOISE_RATE)
    generator = torch.Generator().manual_seed(SEED)
    draws = torch.randn(3, samples, generator=generator, dtype=torch.float64)
    bands = noise_bands(draws, COMMON, CROSSOVERS_HZ, NOISE_RATE)
    at_rate = resample(bands.flatten(0, 1), NOISE_RATE, sample_rate).reshape(len(bands), 2, -1)
    time = torch.arange(at_rate.shape[-1], dtype=torch.float64) / sample_rate
    fade = torch.sin(((LENGTH_S - time) / (FADE * LENGTH_S)).clamp(0, 1) * (math.pi / 2)).square()
    shaped = at_rate * fade * (1 - torch.exp(-time / ONSET_S))
    return torch.nn.functional.pad(shaped, (0, -shaped.shape[-1] % COLUMNS)).to(dtype).to(device)
