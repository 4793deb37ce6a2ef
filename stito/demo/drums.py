"""A drum kit that never plays the same hit twice: swept sines, tuned bodies, and pieces cut from beds of noise.

Each hit takes a velocity from 0 to 1 and returns float64 audio (n,) or, where the sides differ, (2, n).
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from stito.demo.synth import Audio, NoiseBed, clock, fall, gate

__all__ = ["Kit"]

CYMBAL_HZ = (205.3, 304.4, 369.6, 522.7, 540.0, 800.0)
"""The six square waves that make the metal of the classic analogue hi-hat."""

PINGS_HZ = (2870.0, 3960.0, 5230.0, 6410.0)
RIM_MODES = ((440.0, 0.35, 0.06), (1720.0, 0.6, 0.05), (2510.0, 0.3, 0.035))


class Kit:
    """One kit, tuned once: the pitches say how big its drums are, `dry` how fast they stop."""

    def __init__(
        self, rng: Generator, sample_rate: int, *, kick_hz: float = 50.0, snare_hz: float = 185.0, dry: float = 1.0
    ) -> None:
        self._rng = rng
        self._sample_rate = sample_rate
        self._kick_hz = kick_hz
        self._snare_hz = snare_hz
        self._dry = dry
        squares = np.concatenate([base * np.arange(1.0, 20_000.0 / base, 2.0) for base in CYMBAL_HZ])
        self._metal = NoiseBed(rng, sample_rate, 6500.0, 15_000.0, lines_hz=squares)
        self._bronze = NoiseBed(rng, sample_rate, 3000.0, 11_000.0, lines_hz=np.sort(rng.uniform(700, 14_000, 160)))
        self._air = NoiseBed(rng, sample_rate, 7000.0, 15_000.0)
        self._wires = NoiseBed(rng, sample_rate, 1400.0, 9000.0)
        self._hands = NoiseBed(rng, sample_rate, 900.0, 3200.0)
        self._beater = NoiseBed(rng, sample_rate, 1200.0, 4500.0)

    def kick(self, velocity: float) -> Audio:
        """A bass drum: a sine that falls from a thud to the drum's pitch, and the beater."""
        t = clock(0.5 / self._dry, self._sample_rate)
        base = self._kick_hz * self._rng.uniform(0.985, 1.015)
        rate = base * (1 + (2.2 + 1.6 * velocity) * fall(t, 0.16) + 1.5 * fall(t, 0.03))
        tone = np.sin(2 * np.pi * np.cumsum(rate) / self._sample_rate) * fall(t, 0.6 / self._dry)
        knock = 0.22 * velocity * self._beater.cut(len(t)) * fall(t, 0.025)
        return velocity * np.tanh(1.7 * tone + knock) * gate(len(t), self._sample_rate, 0.001, 0.06)

    def snare(self, velocity: float) -> Audio:
        """A snare drum, (2, n): two modes of the head, and wires that rattle differently on each side."""
        t = clock(0.42 / self._dry, self._sample_rate)
        base = self._snare_hz * self._rng.uniform(0.98, 1.02) * (1 + 0.25 * fall(t, 0.04))
        turn = 2 * np.pi * np.cumsum(base) / self._sample_rate
        head = np.sin(turn) * fall(t, 0.28 / self._dry) + 0.5 * np.sin(1.79 * turn) * fall(t, 0.18 / self._dry)
        middle = self._wires.cut(len(t))
        rattle = np.stack([0.9 * middle + 0.44 * self._wires.cut(len(t)) for _ in range(2)])
        rattle *= 0.4 * (0.5 + 0.5 * velocity) * (fall(t, 0.42 / self._dry) + 0.4 * fall(t, 0.05))
        return velocity * np.tanh(1.1 * head + 1.3 * rattle) * gate(len(t), self._sample_rate, 0.0008, 0.05)

    def rim(self, velocity: float) -> Audio:
        """A stick across the rim: short, woody."""
        t = clock(0.09, self._sample_rate)
        pitch = self._rng.uniform(0.985, 1.015)
        sound = 0.3 * self._beater.cut(len(t)) * fall(t, 0.02)
        for mode_hz, level, ring_s in RIM_MODES:
            sound += level * np.sin(2 * np.pi * mode_hz * pitch * t) * fall(t, ring_s)
        return velocity * sound * gate(len(t), self._sample_rate, 0.0006, 0.03)

    def clap(self, velocity: float) -> Audio:
        """Several hands, (2, n): three early bursts and the one that rings, panned at random."""
        t = clock(0.26, self._sample_rate)
        total = np.zeros((2, len(t)))
        for burst, (delay_s, ring_s) in enumerate(((0.0, 0.03), (0.011, 0.03), (0.023, 0.03), (0.033, 0.2))):
            late = np.maximum(t - delay_s - abs(self._rng.normal(0, 0.0015)) * (burst > 0), 0)
            shape = fall(late, ring_s) * np.minimum(late / 6e-4, 1)
            side = self._rng.uniform(0.35, 0.65)
            total += np.array([[1 - side], [side]]) * 0.7 * self._hands.cut(len(t)) * shape
        return velocity * np.tanh(1.3 * total) * gate(len(t), self._sample_rate, 0.0005, 0.05)

    def hat(self, velocity: float, *, open_s: float = 0.0) -> Audio:
        """A closed hi-hat or, with `open_s`, one left open so long."""
        ring_s = (open_s or 0.075) * self._rng.uniform(0.85, 1.15) * (0.75 + 0.35 * velocity)
        t = clock(ring_s * 1.1, self._sample_rate)
        metal = 0.55 * self._metal.cut(len(t)) + 0.5 * self._air.cut(len(t)) * fall(t, ring_s)
        shape = fall(t, ring_s * 1.2) * gate(len(t), self._sample_rate, 0.0007, ring_s / 3)
        return np.asarray(0.42 * velocity**1.2 * np.tanh(0.8 * metal) * shape)

    def ride(self, velocity: float) -> Audio:
        """A ride cymbal: the stick's ping over a wash."""
        t = clock(0.9, self._sample_rate)
        pitch = self._rng.uniform(0.99, 1.01)
        sound = 0.3 * self._bronze.cut(len(t)) * (fall(t, 1.3) + fall(t, 0.08))
        for ping_hz in PINGS_HZ:
            sound += 0.13 * np.sin(2 * np.pi * ping_hz * pitch * t + self._rng.uniform(0, 6)) * fall(t, 0.35)
        return 0.4 * velocity * sound * gate(len(t), self._sample_rate, 0.001, 0.3)

    def crash(self, velocity: float) -> Audio:
        """A crash cymbal, (2, n): it opens within a few milliseconds and rings apart on each side."""
        t = clock(1.9, self._sample_rate)
        sides = np.stack([self._bronze.cut(len(t)) + 0.5 * self._air.cut(len(t)) * fall(t, 1.0) for _ in range(2)])
        return 0.28 * velocity * sides * fall(t, 2.2) * gate(len(t), self._sample_rate, 0.006, 0.6)

    def tom(self, velocity: float, pitch_hz: float) -> Audio:
        """A tom: a head whose pitch settles, and a breath of stick."""
        t = clock(0.4, self._sample_rate)
        rate = pitch_hz * self._rng.uniform(0.985, 1.015) * (1 + 0.5 * fall(t, 0.1))
        head = np.sin(2 * np.pi * np.cumsum(rate) / self._sample_rate) * fall(t, 0.45)
        stick = 0.12 * self._beater.cut(len(t)) * fall(t, 0.04)
        return velocity * np.tanh(head + stick) * gate(len(t), self._sample_rate, 0.0015, 0.1)

    def brush(self, velocity: float, seconds: float) -> Audio:
        """A brush drawn round the head for `seconds`, (2, n): it moves from side to side as the hand does."""
        t = clock(seconds, self._sample_rate)
        stroke = np.sin(np.pi * np.minimum(t / seconds, 1)) ** 1.5
        sway = 0.5 + 0.28 * np.cos(2 * np.pi * t / seconds + self._rng.uniform(-0.4, 0.4))
        return 0.1 * velocity * stroke * self._wires.cut(len(t)) * np.stack([sway, 1 - sway])

    def brush_tap(self, velocity: float) -> Audio:
        """A brush that falls on the head, (2, n)."""
        t = clock(0.2, self._sample_rate)
        head = 0.5 * np.sin(2 * np.pi * self._snare_hz * self._rng.uniform(0.98, 1.02) * t) * fall(t, 0.1)
        wires = np.stack([self._wires.cut(len(t)) for _ in range(2)]) * 0.22 * fall(t, 0.16)
        return velocity * (head + wires) * gate(len(t), self._sample_rate, 0.002, 0.05)
