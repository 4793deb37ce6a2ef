"""A voice by frames, and what makes it another's: size, spectrum, breath and air.

A vocoder, WORLD, takes a voice apart into frames and puts it together again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

__all__ = ["FRAME_S", "Array", "Frames", "aired", "analysed", "breathed", "resized", "shaped", "synthesised"]

Array = NDArray[np.float64]

FRAME_S = 0.005
LOWEST_HZ, HIGHEST_HZ = 130.0, 900.0
"""Where the pitch of a voice is looked for."""
SHAPED_FROM_HZ = 1000.0
SHAPED_HZ = ((2000.0, 4000.0), (4000.0, 8000.0))
MOST_DB = 30.0
ROUNDS = 6
BREATH_FROM_HZ, BREATH_TO_HZ = 1000.0, 5000.0
AIR_LIKE_HZ = (3000.0, 6500.0)
"""Air is as loud as this band, but for the singer's `air_db`."""
AIR_FROM_HZ, AIR_TO_HZ = 6500.0, 8500.0
"""Where air begins, and where there is nothing else."""
AIR_FALL_DB = 24.0
"""By how much air falls with each octave above `AIR_TO_HZ`."""
TINY = 1e-16


@dataclass(frozen=True)
class Frames:
    """A voice every 5 ms: pitch in Hz (0 where there is none), and spectra from 0 Hz to half the sample rate.

    Shape: `f0` (frames,), `envelope` (frames, bins) as power, `aperiodicity` (frames, bins) as the share of noise.
    """

    f0: Array
    envelope: Array
    aperiodicity: Array
    sample_rate: int

    @property
    def hz(self) -> Array:
        """The frequency of each bin, (bins,)."""
        return np.linspace(0, self.sample_rate / 2, self.envelope.shape[1])

    @property
    def voiced(self) -> NDArray[np.bool_]:
        """Which frames have a pitch, (frames,)."""
        return self.f0 > 0


def analysed(x: Array, sample_rate: int) -> Frames:
    """The frames of a voice (t,)."""
    import pyworld  # optional

    x = np.ascontiguousarray(x, np.float64)
    pitch, times = pyworld.dio(x, sample_rate, f0_floor=LOWEST_HZ, f0_ceil=HIGHEST_HZ, frame_period=1000 * FRAME_S)
    f0 = pyworld.stonemask(x, pitch, times, sample_rate)
    envelope = pyworld.cheaptrick(x, f0, times, sample_rate)
    return Frames(f0, envelope, pyworld.d4c(x, f0, times, sample_rate), sample_rate)


def synthesised(voice: Frames) -> Array:
    """The voice of these frames, (t,), as long as they are."""
    import pyworld  # optional

    arrays = (np.ascontiguousarray(one, np.float64) for one in (voice.f0, voice.envelope, voice.aperiodicity))
    return np.asarray(pyworld.synthesize(*arrays, voice.sample_rate, 1000 * FRAME_S))


def resized(voice: Frames, factor: float) -> Frames:
    """The voice of a mouth and throat that are smaller by `factor`: its formants lie that much higher."""
    bins = voice.envelope.shape[1]
    place = np.minimum(np.arange(bins) / factor, bins - 1)
    below = np.minimum(place.astype(int), bins - 2)
    part = place - below
    levels = np.log(voice.envelope + TINY)
    envelope = np.exp(levels[:, below] * (1 - part) + levels[:, below + 1] * part)
    aperiodicity = voice.aperiodicity[:, below] * (1 - part) + voice.aperiodicity[:, below + 1] * part
    return replace(voice, envelope=envelope, aperiodicity=aperiodicity)


def shaped(voice: Frames, presence_db: float, bright_db: float) -> Frames:
    """The voice with its presence (2 to 4 kHz) and its brightness (4 to 8 kHz) so loud against the whole.

    By gains that grow straight over octaves from 1 kHz to the middle of each band; at most 30 dB.
    """
    hz, mean = voice.hz, voice.envelope.mean(0)
    wanted, gains = np.array([presence_db, bright_db]), np.zeros(2)
    for _ in range(ROUNDS):  # the bands take part in the whole
        power = mean * _gain(hz, gains)
        levels = [power[(hz >= low) & (hz < high)].sum() / (power.sum() + TINY) for low, high in SHAPED_HZ]
        gains = np.clip(gains + wanted - 10 * np.log10(np.array(levels) + TINY), -MOST_DB, MOST_DB)
    return replace(voice, envelope=voice.envelope * _gain(hz, gains))


def _gain(hz: Array, gains_db: Array) -> Array:
    """A gain in power at each frequency, from those in the middles of the bands."""
    middles = [np.log2(np.sqrt(low * high)) for low, high in SHAPED_HZ]
    octaves = np.log2(np.maximum(hz, 1.0))
    return np.asarray(10 ** (np.interp(octaves, [np.log2(SHAPED_FROM_HZ), *middles], [0.0, *gains_db]) / 10))


def breathed(voice: Frames, breath: float) -> Frames:
    """The voice with more breath, as a share of its tone above 5 kHz; below 1 kHz there is no more than before."""
    share = breath * _ramp(voice.hz, BREATH_FROM_HZ, BREATH_TO_HZ)
    return replace(voice, aperiodicity=1 - (1 - voice.aperiodicity) * (1 - share))


def aired(voice: Frames, air_db: float) -> Frames:
    """The voice with noise above 8 kHz, instead of what it had: `air_db` against what it has at 3 to 6.5 kHz.

    Consonants without pitch have as much there as below, which is what makes an s.
    """
    hz = voice.hz
    like = (hz >= AIR_LIKE_HZ[0]) & (hz < AIR_LIKE_HZ[1])
    level = voice.envelope[:, like].mean(1, keepdims=True) * np.where(voice.voiced, 10 ** (air_db / 10), 1.0)[:, None]
    fall = 10 ** (-AIR_FALL_DB * np.log2(np.maximum(hz, AIR_TO_HZ) / AIR_TO_HZ) / 10)
    share = _ramp(hz, AIR_FROM_HZ, AIR_TO_HZ)
    envelope = np.exp((1 - share) * np.log(voice.envelope + TINY) + share * np.log(level * fall + TINY))
    return replace(voice, envelope=envelope, aperiodicity=np.maximum(voice.aperiodicity, share))


def _ramp(hz: Array, low: float, high: float) -> Array:
    """From 0 at `low` to 1 at `high`, straight over octaves."""
    return np.asarray(np.clip(np.log2(np.maximum(hz, 1.0) / low) / np.log2(high / low), 0.0, 1.0))
