"""Pitched instruments: band-limited oscillators, plucked strings, electric piano, string ensemble and basses.

Times are seconds, pitches MIDI notes, velocities 0 to 1, sounds float64 arrays (n,) or, in stereo, (2, n).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

__all__ = [
    "Audio",
    "NoiseBed",
    "Tape",
    "clock",
    "electric_piano",
    "ensemble",
    "fall",
    "gate",
    "hertz",
    "picked_bass",
    "pluck",
    "sub_bass",
    "table_of",
    "upright_bass",
    "wave",
]

Audio = NDArray[np.float64]

TABLE = 4096
"""Points of one cycle of a wave table: linear interpolation then errs below -90 dB."""


def hertz(note: float) -> float:
    """The frequency of a MIDI note; 69 is 440 Hz."""
    return 440.0 * math.exp2((note - 69.0) / 12.0)


def clock(seconds: float, sample_rate: int) -> Audio:
    """The times of the samples of `seconds`, in seconds."""
    return np.arange(max(round(seconds * sample_rate), 1)) / sample_rate


def fall(t: Audio, t60_s: float) -> Audio:
    """An exponential decay by 60 dB in `t60_s`."""
    return np.asarray(np.exp(t * (-math.log(1000.0) / t60_s)))


def gate(n: int, sample_rate: int, attack_s: float, release_s: float) -> Audio:
    """One, with raised-cosine edges so that nothing clicks; the edges shrink to fit a short note."""
    shape = np.ones(n)
    rise = min(max(round(attack_s * sample_rate), 1), n // 2)
    drop = min(max(round(release_s * sample_rate), 1), n - rise)
    shape[:rise] = 0.5 - 0.5 * np.cos(np.pi * np.arange(rise) / rise)
    shape[n - drop :] = 0.5 + 0.5 * np.cos(np.pi * np.arange(1, drop + 1) / drop)
    return shape


def table_of(harmonics: Audio) -> Audio:
    """One cycle of a sum of sines with these amplitudes, and its first point again for interpolation."""
    spectrum = np.zeros(TABLE // 2 + 1, dtype=np.complex128)
    spectrum[1 : len(harmonics) + 1] = -0.5j * TABLE * harmonics
    cycle = np.fft.irfft(spectrum, TABLE)
    return np.append(cycle, cycle[0])


def wave(table: Audio, phase: Audio) -> Audio:
    """Read a wave table at a phase in cycles."""
    place = (phase - np.floor(phase)) * TABLE
    index = place.astype(np.int64)
    return np.asarray(table[index] + (place - index) * (table[index + 1] - table[index]))


def harmonics_below(f0_hz: float, limit_hz: float, sample_rate: int) -> Audio:
    """The numbers 1, 2, … of the harmonics of `f0_hz` that fit below `limit_hz` and the Nyquist frequency."""
    count = int(min(limit_hz, 0.45 * sample_rate) / f0_hz)
    return np.arange(1.0, max(min(count, TABLE // 4), 1) + 1.0)


class NoiseBed:
    """A strip of shaped noise from which each hit cuts its own piece, so that no two are alike."""

    def __init__(
        self, rng: Generator, sample_rate: int, low_hz: float, high_hz: float, *, lines_hz: Audio | None = None
    ) -> None:
        """Gaussian noise between two soft edges or, with `lines_hz`, sine lines of random phase (metal)."""
        n = 1 << 17
        frequency = np.fft.rfftfreq(n, 1 / sample_rate)
        spectrum = rng.normal(size=len(frequency)) + 1j * rng.normal(size=len(frequency))
        if lines_hz is not None:
            comb = np.zeros(len(frequency))
            comb[np.round(lines_hz[lines_hz < 0.48 * sample_rate] * n / sample_rate).astype(np.int64)] = 1.0
            spectrum *= comb
        ratio_low = (frequency / low_hz) ** 4
        spectrum *= ratio_low / (1 + ratio_low) / (1 + (frequency / high_hz) ** 4)
        strip = np.fft.irfft(spectrum, n)
        self._strip: Audio = strip / np.sqrt(np.mean(strip**2))
        self._rng = rng

    def cut(self, n: int) -> Audio:
        """`n` samples from anywhere, of unit power."""
        start = int(self._rng.integers(len(self._strip)))
        return np.asarray(np.take(self._strip, np.arange(start, start + n), mode="wrap"))


@dataclass(frozen=True)
class Tape:
    """A stereo strip (2, n) on which sounds are laid; what runs past its end is cut."""

    audio: Audio
    sample_rate: int

    @classmethod
    def blank(cls, seconds: float, sample_rate: int) -> Tape:
        """An empty tape."""
        return cls(np.zeros((2, round(seconds * sample_rate))), sample_rate)

    def lay(self, sound: Audio, at_s: float, gain: float = 1.0, pan: float = 0.0) -> None:
        """Add a mono or stereo sound at a time; pan from -1 (left) to 1 (right) at constant power."""
        start = max(round(at_s * self.sample_rate), 0)
        room = min(sound.shape[-1], self.audio.shape[1] - start)
        if room <= 0:
            return
        angle = (pan + 1) * math.pi / 4
        sides = np.array([[math.cos(angle)], [math.sin(angle)]]) * (gain * math.sqrt(2))
        self.audio[:, start : start + room] += sides * sound[..., :room]


def electric_piano(note: int, seconds: float, velocity: float, rng: Generator, sample_rate: int) -> Audio:
    """A tine piano by frequency modulation, (2, n): a warm 1:1 body and a bell at 14 times the pitch.

    Each side adds its own slightly detuned copy, as a chorus does. After Chowning 1973, J. Audio Eng. Soc. 21(7).
    """
    t = clock(seconds, sample_rate)
    pitch = hertz(note)
    depth = velocity * min(1.0, 330.0 / pitch)
    body, bell = 2.6 * depth * fall(t, 2.4), 0.9 * depth * fall(t, 0.45)
    tones = []
    for cents in (0.0, -5.0, 5.0):
        turn = 2 * np.pi * pitch * 2 ** ((cents + rng.normal(0, 0.8)) / 1200) * t + rng.uniform(0, 0.6)
        tones.append(np.sin(turn + body * np.sin(turn)) + 0.4 * np.sin(turn + bell * np.sin(14 * turn)))
    middle, left, right = tones
    level = velocity**1.3 * fall(t, 5.0 * (220.0 / pitch) ** 0.3) * gate(len(t), sample_rate, 0.004, 0.09)
    return np.asarray((0.7 * middle + 0.5 * np.stack([left, right])) * level)


def pluck(
    note: float,
    seconds: float,
    velocity: float,
    rng: Generator,
    sample_rate: int,
    *,
    t60_s: float = 2.5,
    bright_hz: float = 4000.0,
    damping: float = 0.12,
    pick: float = 0.17,
) -> Audio:
    """A plucked string, (n,).

    Noise, shaped by how hard and where (`pick`, of its length) the string is struck, runs round a delay line through a
    symmetric low-pass (`damping`) and a cubic fractional delay. After Karplus and Strong 1983 and Jaffe and Smith 1983,
    Computer Music Journal 7(2). A round depends only on the rounds before it, so each is one vector operation.
    """
    period = sample_rate / hertz(note)
    lowpass = np.array([damping, 1 - 2 * damping, damping])
    lag = int(period) - 2
    taps = np.convolve(lowpass, _cubic_delay(period - 1 - lag)) * 10 ** (-3 * period / sample_rate / t60_s)
    n, memory = max(round(seconds * sample_rate), 1), len(taps)
    line = np.zeros(memory + max(n, lag))
    line[memory : memory + lag] = _strike(lag, velocity * bright_hz, pick, rng, sample_rate)
    for start in range(memory + lag, memory + n, lag):
        stop = min(start + lag, memory + n)
        line[start:stop] = np.convolve(line[start - lag - memory + 1 : stop - lag], taps, "valid")
    return line[memory : memory + n] * gate(n, sample_rate, 0.001, 0.03) * velocity


def _cubic_delay(delay: float) -> Audio:
    """Lagrange interpolation on four points at a delay between 1 and 2 samples."""
    points = range(4)
    return np.array([math.prod((delay - j) / (i - j) for j in points if j != i) for i in points])


def _strike(n: int, bright_hz: float, pick: float, rng: Generator, sample_rate: int) -> Audio:
    frequency = np.fft.rfftfreq(n, 1 / sample_rate)
    spectrum = np.fft.rfft(rng.uniform(-1, 1, n)) / (1 + (frequency / bright_hz) ** 2)
    spectrum *= 1 - np.exp(-2j * np.pi * np.arange(len(frequency)) * pick)
    spectrum[0] = 0.0
    noise = np.fft.irfft(spectrum, n)
    return np.asarray(noise / (np.sqrt(np.mean(noise**2)) + 1e-12))


def ensemble(notes: tuple[int, ...], seconds: float, velocity: float, rng: Generator, sample_rate: int) -> Audio:
    """A string section holding a chord, (2, n): per note and side two detuned, drifting saws, opening as they swell."""
    t = clock(seconds, sample_rate)
    total = np.zeros((2, len(t)))
    swell = np.minimum(t / min(1.2, seconds), 1.0)
    for note in notes:
        pitch = hertz(note)
        number = harmonics_below(pitch, 9000.0, sample_rate)
        dark = table_of(1 / number / (1 + (number * pitch / 700.0) ** 2))
        light = table_of(1 / number / (1 + (number * pitch / 1800.0) ** 2)) - dark
        for side in (0, 1):
            for cents in (-7.0, 6.0):
                drift = 1.1 * np.sin(2 * np.pi * (rng.uniform(4.6, 5.6) * t + rng.uniform()))
                rate = pitch * 2 ** ((cents + rng.normal(0, 2.0)) / 1200)
                phase = rate * t + rng.uniform() + pitch * 2e-4 * drift / 6
                total[side] += wave(dark, phase) + velocity * swell * wave(light, phase)
    return total * (velocity * gate(len(t), sample_rate, 0.22, 0.35) / 4)


def sub_bass(note: int, seconds: float, velocity: float, rng: Generator, sample_rate: int) -> Audio:
    """A round synthesised bass, (n,): a sine that slides into its note, with a little second and third harmonic."""
    t = clock(seconds, sample_rate)
    rate = hertz(note) * (1 + 0.012 * fall(t, 0.12) * rng.uniform(0.6, 1.4))
    turn = 2 * np.pi * np.cumsum(rate) / sample_rate
    edge = velocity * (0.25 + 0.75 * fall(t, 0.5))
    tone = np.sin(turn)
    for number, level in ((2, 0.4), (3, 0.28), (4, 0.1), (5, 0.12), (7, 0.05)):
        tone += level * edge * np.sin(number * turn + 0.4 * number)
    return np.asarray(velocity * tone * fall(t, 6.0) * gate(len(t), sample_rate, 0.012, 0.06))


def picked_bass(note: int, seconds: float, velocity: float, rng: Generator, sample_rate: int) -> Audio:
    """An electric bass played with a pick, (n,)."""
    string = pluck(note, seconds, velocity, rng, sample_rate, t60_s=2.2, bright_hz=900.0, damping=0.16, pick=0.21)
    return string + _fundamental(note, seconds, velocity, sample_rate, level=0.9, t60_s=2.0)


def upright_bass(note: int, seconds: float, velocity: float, rng: Generator, sample_rate: int) -> Audio:
    """A double bass played with the finger, (n,): dark, woody, soon gone."""
    string = pluck(note, seconds, velocity, rng, sample_rate, t60_s=1.5, bright_hz=420.0, damping=0.2, pick=0.33)
    t = clock(seconds, sample_rate)
    knock = 0.5 * velocity * np.sin(2 * np.pi * 108.0 * rng.uniform(0.97, 1.03) * t) * fall(t, 0.09)
    string += knock * gate(len(t), sample_rate, 0.004, 0.02)
    return string + _fundamental(note, seconds, velocity, sample_rate, level=1.3, t60_s=1.6)


def _fundamental(note: int, seconds: float, velocity: float, sample_rate: int, *, level: float, t60_s: float) -> Audio:
    """The body of a bass adds weight that a string alone has not."""
    t = clock(seconds, sample_rate)
    tone = np.sin(2 * np.pi * hertz(note) * t) * fall(t, t60_s)
    return np.asarray(level * velocity * tone * gate(len(t), sample_rate, 0.012, 0.05))
