"""Room: reverberation by convolution with a recorded impulse response."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from stito.audio import read_audio, resample
from stito.dsp.blockwise import Formula
from stito.dsp.fourier import rfft
from stito.dsp.impulse import faded_out, from_first_sound, ring_s, unit_energy
from stito.dsp.reduction import GainReduction
from stito.dsp.spectrum import Response
from stito.effects.effect import LinearEffect
from stito.effects.param import Param
from stito.effects.words import Move
from stito_effects.reverb import impulse_response
from stito_effects.wet import wet_move, wet_response

__all__ = ["ConvolutionReverb"]

LENGTH_S = 4.0
BUILT_IN_RATE = 44_100
HALL_DECAYS_S = (1.6, 1.4, 0.7)
"""Times to -60 dB of the built-in hall: lows, middle, highs."""
REFLECTIONS_MS = ((5.3, 7.1, 11.9, 17.3, 23.9, 31.3, 41.9), (5.9, 8.3, 13.1, 19.7, 26.3, 33.7, 43.1))
"""Early reflections of the built-in hall, left and right; prime-like ratios keep them from adding up to a pitch."""
REFLECTION_LOSS = 0.75
REFLECTIONS = 1.5
"""Energy of the early reflections over that of the reverberation."""


class ConvolutionReverb(LinearEffect):
    """Put it in a recorded room: any impulse response, shortened, darkened, moved away and mixed in.

    `ir` is the path of an audio file; without it a synthesised hall is used. Its first four seconds count, from its
    first sound on; left and right are filtered each by its own channel. `decay` is the time to -60 dB relative to the
    recording's, by an exponential window. `mix` crossfades under the sine-cosine law, with the wet path at unit energy.

    Raises `AudioError` for a silent file, and the errors of `read_audio`.
    """

    name: ClassVar[str] = "convolution_reverb"
    aspect: ClassVar[str] = "reverb"
    params: ClassVar[tuple[Param, ...]] = (
        Param("decay", 0.2, 1.0, neutral=1.0, doc="length of the room's ring, relative to the recording"),
        Param("pre_delay_ms", 0.0, 100.0, neutral=0.0, doc="silence before the room answers"),
        Param("low_cut_hz", 20.0, 500.0, neutral=100.0, scale="log", doc="the room loses what is below"),
        Param("high_cut_hz", 1000.0, 18_000.0, neutral=10_000.0, scale="log", doc="the room loses what is above"),
        Param("mix", 0.0, 1.0, neutral=0.0, doc="0 is dry, 1 is the room alone", depth=True),
    )
    tail_s: ClassVar[float] = 4.15
    file_options: ClassVar[frozenset[str]] = frozenset({"ir"})
    argument: ClassVar[str | None] = "ir"

    def __init__(self, ir: str | None = None) -> None:
        self.ir = ir
        # read now, so that an unusable file is reported before a search and not in the middle of it
        self._recorded, self._recorded_rate = (_hall(), BUILT_IN_RATE) if ir is None else _read(ir)
        self._prepared: dict[tuple[int, torch.dtype, torch.device], tuple[Tensor, float]] = {}

    @classmethod
    def describe(cls, settings: Mapping[str, float], reduction: GainReduction | None = None) -> list[Move]:
        """A recorded room and its share."""
        return wet_move(
            "recorded room",
            settings["mix"],
            length=settings["decay"],
            pre_delay_ms=settings["pre_delay_ms"],
            high_cut_hz=settings["high_cut_hz"],
        )

    def response(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Response:
        return self.factor(p, n, sample_rate).whole()

    def factor(self, p: Mapping[str, Tensor], n: int, sample_rate: int) -> Formula:
        return wet_response(
            Formula.of(self._spectrum(p["decay"], n, sample_rate)),
            pre_delay_ms=p["pre_delay_ms"],
            low_cut_hz=p["low_cut_hz"],
            high_cut_hz=p["high_cut_hz"],
            mix=p["mix"],
            n=n,
            sample_rate=sample_rate,
        )

    def _spectrum(self, decay: Tensor, n: int, sample_rate: int) -> Tensor:
        """The impulse response's spectrum for each decay, (b, 2, f)."""
        impulse, ring_s = self._at(sample_rate, decay.dtype, decay.device)
        # a time to -60 dB of r becomes decay * r if the amplitude falls faster by (1 / decay - 1) / r
        faster = (1 / decay - 1) * (3 * math.log(10) / ring_s)
        time = torch.arange(impulse.shape[-1], dtype=decay.dtype, device=decay.device) / sample_rate
        shortened = impulse * torch.exp(-faster[:, None] * time)[:, None]
        spectrum: Tensor = rfft(unit_energy(shortened, sample_rate), n)
        return spectrum

    def _at(self, sample_rate: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, float]:
        """The impulse response (2, t) at a sample rate and its time to -60 dB in seconds, prepared once."""
        key = (sample_rate, dtype, device)
        if key not in self._prepared:
            recorded = resample(self._recorded, self._recorded_rate, sample_rate)
            impulse = faded_out(recorded[:, : round(LENGTH_S * sample_rate)], sample_rate)
            self._prepared[key] = impulse.to(dtype).to(device), ring_s(impulse, sample_rate)
        return self._prepared[key]


def _read(path: str) -> tuple[Tensor, int]:
    """The impulse response (2, t) in a file, from its first sound on, and its sample rate."""
    audio = read_audio(path)
    return from_first_sound(audio.stereo(), path), audio.sample_rate


def _hall() -> Tensor:
    """A concert hall (2, t): reflections that thin out and grow softer, over reverberation."""
    diffuse = impulse_response(torch.tensor([HALL_DECAYS_S], dtype=torch.float64), BUILT_IN_RATE)[0]
    early = torch.zeros_like(diffuse)
    for channel, times in enumerate(REFLECTIONS_MS):
        for order, time_ms in enumerate(times):
            early[channel, round(time_ms * BUILT_IN_RATE / 1000)] = REFLECTION_LOSS**order * (-1) ** (order // 2)
    balance = (REFLECTIONS * diffuse.square().sum() / early.square().sum()).sqrt()
    return (balance * early + diffuse).float()
