"""What a file holds once it is read: samples, rate, and the format in which the result goes back out."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from stito.audio.downmix import to_stereo
from stito.errors import AudioError

__all__ = [
    "SUBTYPES",
    "Audio",
    "AudioFormat",
    "Decoded",
    "digest_of",
    "is_silent",
    "peak_of",
    "require_sane_peak",
    "require_sound",
]

SUBTYPES = ("PCM_16", "PCM_24", "PCM_32", "FLOAT")
"""How samples are stored in the WAV files that are written, from the coarsest to the finest."""

SILENCE_DB = -90.0
"""Audio whose peak stays below this, in dBFS, is silence: the last bit of 16 is at -90.3 dBFS."""

MAX_PEAK = 1e6
"""Float audio may go beyond full scale; what goes beyond it by 120 dB is no recording."""


@dataclass(frozen=True)
class AudioFormat:
    """What came in, so that it goes out the same; `subtype` is one of `SUBTYPES`, PCM_24 for lossy sources."""

    sample_rate: int
    channels: int
    subtype: str


@dataclass(frozen=True)
class Decoded:
    """What a decoder makes of one stream: samples (channels, t), their rate, the subtype to write, remarks."""

    samples: Tensor
    sample_rate: int
    subtype: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Audio:
    """One piece of audio: float32 samples (channels, t), usually within ±1, and where they came from.

    `start_s` is the place of the first sample on the session's clock (Broadcast-WAV), None if the file says nothing.
    """

    samples: Tensor
    sample_rate: int
    format: AudioFormat
    name: str
    notes: tuple[str, ...] = ()
    start_s: float | None = None

    def __post_init__(self) -> None:
        if self.samples.dim() != 2 or self.samples.dtype != torch.float32:
            raise AudioError(
                f"{self.name}: the samples are {self.samples.dtype} {tuple(self.samples.shape)}.",
                hint="Audio holds float32 samples of shape (channels, t).",
            )

    def stereo(self) -> Tensor:
        """The audio as two channels (2, t), for analysis; see `to_stereo`."""
        return to_stereo(self.samples)

    @property
    def duration_s(self) -> float:
        """The length in seconds."""
        return self.samples.shape[-1] / self.sample_rate

    @cached_property
    def digest(self) -> str:
        """A fingerprint of samples and rate, computed when first asked for."""
        return digest_of(self.samples, self.sample_rate)


def digest_of(samples: Tensor, sample_rate: int) -> str:
    """The first 16 hex digits of the SHA-256 of rate, shape and samples (channels, t); copies no contiguous channel."""
    digest = hashlib.sha256(f"{sample_rate} Hz {tuple(samples.shape)}".encode())
    for channel in samples.detach().cpu():
        digest.update(memoryview(channel.contiguous().numpy()).cast("B"))
    return digest.hexdigest()[:16]


def peak_of(samples: Tensor) -> float:
    """The largest magnitude, NaN or infinity if there is any; needs no memory beyond the samples."""
    if not samples.numel():
        return 0.0
    low, high = torch.aminmax(samples.detach())
    return max(-low.item(), high.item(), key=lambda value: math.inf if math.isnan(value) else value)


def is_silent(samples: Tensor) -> bool:
    """Whether no sample reaches -90 dBFS."""
    return peak_of(samples) < 10 ** (SILENCE_DB / 20)


def require_sane_peak(name: str | Path, samples: Tensor) -> None:
    """Raise `AudioError` if finite samples go so far beyond full scale that they can be no sound."""
    peak = peak_of(samples)
    if MAX_PEAK < peak < math.inf:
        raise AudioError(
            f"{name} has samples of {peak:.3g}, which is {20 * math.log10(peak):.0f} dB above full scale.",
            hint="Samples lie within about ±1: these may be whole numbers, or of a broken plug-in. Export again.",
        )


def require_sound(audio: Audio) -> None:
    """Raise `AudioError` if the audio is silent all through; a silent stem may be read, a silent mix is a mistake."""
    if is_silent(audio.samples):
        peak = peak_of(audio.samples)
        level = f"its peak is {20 * math.log10(peak):.0f} dBFS" if peak > 0 else "every sample is zero"
        raise AudioError(f"{audio.name} is silent: {level}.", hint="Check that the right track was exported.")
