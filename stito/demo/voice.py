"""A singing voice without words: a glottal source through the formants of five vowels, with consonants.

All vowels are sung at once, as fixed filters, and cross-faded: the tract moves while no filter does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from scipy.signal import iirpeak, lfilter

from stito.demo.synth import Audio, NoiseBed, Tape, clock, fall, gate, harmonics_below, table_of, wave

__all__ = ["Sung", "Voice"]

CONTROL_HZ = 1000
"""Frames per second of pitch, loudness and vowel."""

FORMANTS = {
    "a": ((650, 0, 80), (1080, -6, 90), (2650, -7, 120), (2900, -8, 130), (3250, -22, 140)),
    "e": ((400, 0, 70), (1700, -14, 80), (2600, -12, 100), (3200, -14, 120), (3580, -20, 120)),
    "i": ((290, 0, 40), (1870, -15, 90), (2800, -18, 100), (3250, -20, 120), (3540, -30, 120)),
    "o": ((400, 0, 70), (800, -10, 80), (2600, -12, 100), (2800, -12, 130), (3000, -26, 135)),
    "u": ((350, 0, 40), (600, -20, 60), (2700, -17, 100), (2900, -14, 120), (3300, -26, 120)),
    "m": ((260, 0, 60), (1100, -26, 150), (2300, -30, 200), (2900, -36, 200), (3300, -40, 200)),
}
"""Hz, dB and bandwidth in Hz of a tenor's vowels (Csound manual, formant values) and of a closed mouth."""

NASAL = "mnlwr"
BREATH = {"s": (5500.0, 10_500.0, 0.10, 0.17), "h": (900.0, 4000.0, 0.07, 0.09), "f": (3500.0, 9000.0, 0.08, 0.09)}
BURST = {"t": (3000.0, 8000.0, 0.025, 0.22), "k": (1500.0, 4000.0, 0.025, 0.2), "d": (1800.0, 6000.0, 0.015, 0.14)}
"""Low and high edge in Hz, length in seconds and level of the noise of a consonant."""


@dataclass(frozen=True)
class Sung:
    """One syllable: a consonant or none and a vowel (`"la"`), on a note."""

    at_s: float
    seconds: float
    note: int
    velocity: float
    syllable: str


@dataclass(frozen=True)
class Voice:
    """A singer: `size` scales the formants (above 1 is a smaller head), `effort` the brightness of the source.

    `held` is the part of each note that is sung: less than 1 leaves rests, in which a room can be heard.
    """

    size: float = 1.0
    effort: float = 0.5
    vibrato_cents: float = 28.0
    breath: float = 0.05
    held: float = 1.0

    def sing(self, line: Sequence[Sung], seconds: float, rng: Generator, sample_rate: int) -> Audio:
        """The line as audio, (n,), n being `seconds`."""
        line = [replace(sung, seconds=self.held * sung.seconds) for sung in line]
        n = round(seconds * sample_rate)
        frames = np.arange(round(seconds * CONTROL_HZ) + 2) / CONTROL_HZ
        t = np.arange(n) / sample_rate
        pitch = np.interp(t, frames, self._pitch(line, frames, rng))
        loud = np.interp(t, frames, _loudness(line, frames, rng))
        source = self._source(pitch, loud, rng, sample_rate)
        sound = np.zeros(n)
        for vowel, weight in _vowels(line, frames).items():
            sound += np.interp(t, frames, weight) * self._tract(source, vowel, float(np.median(pitch)), sample_rate)
        sound /= np.max(np.abs(sound)) + 1e-12
        return sound + _consonants(line, seconds, rng, sample_rate)

    def _pitch(self, line: Sequence[Sung], frames: Audio, rng: Generator) -> Audio:
        """The sung frequency in Hz: glides between notes, scoops into phrases, late vibrato, a little drift."""
        note = np.full(len(frames), float(line[0].note))
        bend = np.zeros(len(frames))
        last_end_s = 0.0
        for sung in line:
            note[frames >= sung.at_s - 0.03] = sung.note
            late = np.clip((frames - sung.at_s - 0.22) / 0.35, 0, 1) * (frames < sung.at_s + sung.seconds)
            rate = rng.uniform(5.1, 5.7)
            wobble = np.sin(2 * np.pi * rate * (frames - sung.at_s))
            bend += self.vibrato_cents * late * wobble * (frames >= sung.at_s)
            if sung.at_s - last_end_s > 0.15:
                since = np.maximum(frames - sung.at_s, 0)
                bend -= rng.uniform(40, 90) * np.exp(-since / 0.05) * (frames >= sung.at_s - 0.05)
            last_end_s = sung.at_s + sung.seconds
        drift = _smooth(rng.normal(0, 1, len(frames)), 0.15) * 40
        return np.asarray(440 * 2 ** ((_smooth(note, 0.07) - 69 + (_smooth(bend, 0.02) + drift) / 100) / 12))

    def _source(self, pitch: Audio, loud: Audio, rng: Generator, sample_rate: int) -> Audio:
        """Glottal pulses that brighten as they get louder, and breath let through while the glottis is open."""
        number = harmonics_below(float(pitch.max()), 11_000.0, sample_rate)
        tilt = number * float(np.median(pitch)) / (900.0 + 2600.0 * self.effort)
        soft = table_of(1 / number / (1 + tilt**2))
        hard = table_of(1 / number / np.sqrt(1 + tilt**2)) - soft
        phase = np.cumsum(pitch) / sample_rate
        pulses = wave(soft, phase) + np.clip(loud, 0, 1) * wave(hard, phase)
        opened = 0.4 + 0.6 * np.maximum(np.sin(2 * np.pi * phase), 0)
        return np.asarray(loud * (pulses + self.breath * opened * rng.normal(0, 1, len(phase))))

    def _tract(self, source: Audio, vowel: str, usual_hz: float, sample_rate: int) -> Audio:
        """The source through one vowel: formants in parallel, their signs alternating so that none cancels the next.

        Singers open the mouth on high notes: the first formant stays above the pitch that is usual in the line.
        """
        total = 0.05 * source
        for place, (centre, level_db, width) in enumerate(FORMANTS[vowel]):
            centre_hz = min(max(centre * self.size, 1.25 * usual_hz), 0.45 * sample_rate)
            b, a = iirpeak(centre_hz, centre_hz / (1.9 * width), fs=sample_rate)
            lift_db = 11.0 * place**0.5  # the source falls where the table's levels are those of the sound itself
            total += (-1) ** place * 10 ** ((level_db + lift_db) / 20) * lfilter(b, a, source)
        return np.asarray(total)


def _loudness(line: Sequence[Sung], frames: Audio, rng: Generator) -> Audio:
    """How hard the singer sings, per frame: each note swells and lets go, joined notes dip a little between."""
    loud = np.zeros(len(frames))
    for sung in line:
        place = (frames - sung.at_s) / sung.seconds
        inside = (place >= 0) & (place < 1)
        arch = 0.62 + 0.38 * np.sin(np.pi * np.clip(place, 0, 1) ** 0.5)
        loud[inside] = (sung.velocity * arch)[inside]
    shimmer = 1 + 0.18 * _smooth(rng.normal(0, 1, len(frames)), 0.03)
    return _smooth(loud, 0.075) * shimmer


def _vowels(line: Sequence[Sung], frames: Audio) -> dict[str, Audio]:
    """How far the mouth stands at each vowel, per frame; the weights sum to one."""
    used = sorted({sung.syllable[-1] for sung in line} | {"m"})
    shape = np.zeros((len(used), len(frames)))
    shape[used.index(line[0].syllable[-1])] = 1.0
    for sung in line:
        nasal = sung.syllable[0] in NASAL
        closed = (frames >= sung.at_s - 0.05) & (frames < sung.at_s + 0.045)
        after = frames >= (sung.at_s + 0.045 if nasal else sung.at_s - 0.05)
        for rows, name in ((closed & nasal, "m"), (after, sung.syllable[-1])):
            shape[:, rows] = 0.0
            shape[used.index(name), rows] = 1.0
    return {name: _smooth(row, 0.045) for name, row in zip(used, shape, strict=True)}


def _consonants(line: Sequence[Sung], seconds: float, rng: Generator, sample_rate: int) -> Audio:
    """The noises before the vowels."""
    tape = Tape.blank(seconds, sample_rate)
    spoken = {sung.syllable[0] for sung in line}
    sounds = {name: sound for name, sound in sorted((BREATH | BURST).items()) if name in spoken}
    beds = {name: NoiseBed(rng, sample_rate, low, high) for name, (low, high, _, _) in sounds.items()}
    for sung in line:
        letter = sung.syllable[0]
        if letter not in sounds:
            continue
        _, _, length_s, level = sounds[letter]
        t = clock(length_s * rng.uniform(0.9, 1.15), sample_rate)
        if letter in BURST:
            shape = fall(t, length_s * 1.5) * gate(len(t), sample_rate, 0.0008, 0.008)
        else:
            shape = gate(len(t), sample_rate, 0.6 * length_s, 0.35 * length_s)
        noise = beds[letter].cut(len(t))
        tape.lay(level * sung.velocity * shape * noise, sung.at_s - length_s + 0.012)
    return np.asarray(tape.audio[0])


def _smooth(curve: Audio, seconds: float) -> Audio:
    """A moving raised-cosine average of a control curve."""
    window = np.hanning(max(round(seconds * CONTROL_HZ), 1) + 2)
    padded = np.pad(curve, len(window) // 2, mode="edge")
    return np.convolve(padded, window / window.sum(), "valid")[: len(curve)]
