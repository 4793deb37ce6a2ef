"""Devices that every mixing desk has, whoever made it: what an effect is where stito is not installed.

An effect that is one of these, or several in a row, says so by `Effect.devices`. Its words follow from that, and
sessions for a DAW are made of it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal

from stito.dsp.reduction import GainReduction
from stito.effects.words import AUDIBLE_DB, Move, decibels, hertz, milliseconds, percent, ratio

__all__ = ["Balance", "Band", "BandShape", "Compressor", "Device", "Equalizer", "Gate", "Limiter", "Trim"]

BandShape = Literal["low_shelf", "bell", "high_shelf", "high_pass", "low_pass"]

WORKING_DB = 0.5
"""Less gain reduction than this is none."""
WIDE, NARROW = 1.4, 0.6
"""Bells of more octaves are wide, of fewer narrow."""
GENTLE, FIRM = 2.5, 5.0
GATE = 6.0
"""From this ratio on an expander is a gate."""
OFF_CENTRE = 0.04
MOST_BANDS = 4


class Device(ABC):
    """One device of a channel.

    `notes` in subclasses say where such a device, as DAWs have it, differs from the effect.
    """

    notes: tuple[str, ...]

    @abstractmethod
    def moves(self, reduction: GainReduction | None = None) -> list[Move]:
        """What it does in sentences; with the gain reduction that was measured on the sound, if it was."""


@dataclass(frozen=True)
class Band:
    """One filter of an equalizer; cuts (`high_pass`, `low_pass`) have no gain."""

    shape: BandShape
    hz: float
    q: float
    gain_db: float = 0.0

    @property
    def octaves(self) -> float:
        """The width of a bell between the half-gain points."""
        return 2 / math.log(2) * math.asinh(1 / (2 * self.q))

    @property
    def weight_db(self) -> float:
        """Its gain, less where it is narrow."""
        return abs(self.gain_db) * (min(self.octaves, 2.0) / 2) ** 0.5 if self.shape == "bell" else abs(self.gain_db)

    def move(self) -> Move | None:
        """The sentence, None for what nobody hears."""
        match self.shape:
            case "high_pass":
                return Move(f"Cut everything below {hertz(self.hz)}.", 6.0)
            case "low_pass":
                return Move(f"Cut everything above {hertz(self.hz)}.", 6.0)
        if abs(self.gain_db) < AUDIBLE_DB:
            return None
        done = f"{'Boost' if self.gain_db > 0 else 'Cut'} {decibels(abs(self.gain_db))}"
        match self.shape:
            case "low_shelf":
                return Move(f"{done} below {hertz(self.hz)}.", self.weight_db)
            case "high_shelf":
                return Move(f"{done} above {hertz(self.hz)}.", self.weight_db)
        width = ", wide" if self.octaves > WIDE else ", narrow" if self.octaves < NARROW else ""
        return Move(f"{done} around {hertz(self.hz)}{width}.", self.weight_db)


@dataclass(frozen=True)
class Equalizer(Device):
    """A parametric equalizer."""

    bands: tuple[Band, ...]
    notes: tuple[str, ...] = ()

    def moves(self, reduction: GainReduction | None = None) -> list[Move]:
        """A sentence for each band that is worth one, four at most."""
        said = [move for band in self.bands if (move := band.move()) is not None]
        return sorted(said, key=lambda move: -move.size_db)[:MOST_BANDS]


@dataclass(frozen=True)
class Compressor(Device):
    """A downward compressor without make-up gain; `knee_db` None where that is fixed."""

    threshold_db: float
    ratio: float
    attack_ms: float
    release_ms: float
    knee_db: float | None = None
    notes: tuple[str, ...] = ()

    def moves(self, reduction: GainReduction | None = None) -> list[Move]:
        """One sentence; none where it does nothing to the sound."""
        if self.ratio < 1.02 or (reduction is not None and reduction.mean_db < WORKING_DB):
            return []
        how = "gently" if self.ratio < GENTLE else "firmly" if self.ratio < FIRM else "hard"
        text = f"Compress {how}: {ratio(self.ratio)} from {decibels(self.threshold_db)}"
        text += f", {milliseconds(self.attack_ms)} attack, {milliseconds(self.release_ms)} release"
        if reduction is None:
            return [Move(f"{text}.", 6 * (1 - 1 / self.ratio))]
        return [Move(f"{text}, about {decibels(reduction.mean_db)} of gain reduction.", 1.5 * reduction.mean_db)]


@dataclass(frozen=True)
class Gate(Device):
    """A downward expander, or a noise gate; `range_db` is the most that it turns down, None where nothing bounds it."""

    threshold_db: float
    ratio: float
    attack_ms: float
    release_ms: float
    range_db: float | None = None
    notes: tuple[str, ...] = ()

    def moves(self, reduction: GainReduction | None = None) -> list[Move]:
        """One sentence; none where it does nothing to the sound."""
        if self.ratio < 1.02 or self.range_db == 0 or (reduction is not None and reduction.most_db < WORKING_DB):
            return []
        under = f"{ratio(self.ratio)} below {decibels(self.threshold_db)}"
        text = f"Gate: {under}" if self.ratio >= GATE else f"Expand: {under}"
        if reduction is not None:
            return [Move(f"{text}, up to {decibels(reduction.most_db)} down.", min(reduction.most_db / 4, 6.0))]
        return [Move(f"{text}.", 3 * (1 - 1 / self.ratio))]


@dataclass(frozen=True)
class Limiter(Device):
    """Nothing passes the threshold."""

    threshold_db: float
    release_ms: float
    attack_ms: float | None = None
    notes: tuple[str, ...] = ()

    def moves(self, reduction: GainReduction | None = None) -> list[Move]:
        """One sentence; none where it does nothing to the sound."""
        if self.threshold_db > -0.05 if reduction is None else reduction.most_db < WORKING_DB / 2:
            return []
        text = f"Limit at {decibels(self.threshold_db)}"
        if reduction is None:
            return [Move(f"{text}.", 2.0)]
        return [Move(f"{text}, up to {decibels(reduction.most_db)} of gain reduction.", 1.5 * reduction.most_db)]


@dataclass(frozen=True)
class Trim(Device):
    """A gain."""

    gain_db: float
    notes: tuple[str, ...] = ()

    def moves(self, reduction: GainReduction | None = None) -> list[Move]:
        """One sentence; none for what nobody hears."""
        if abs(self.gain_db) < AUDIBLE_DB / 1.5:
            return []
        way = "up" if self.gain_db > 0 else "down"
        return [Move(f"Turn it {way} {decibels(abs(self.gain_db))}.", abs(self.gain_db))]


@dataclass(frozen=True)
class Balance(Device):
    """A place between left (-1) and right (1)."""

    pan: float
    notes: tuple[str, ...] = ()

    def moves(self, reduction: GainReduction | None = None) -> list[Move]:
        """One sentence; none near the centre."""
        if abs(self.pan) < OFF_CENTRE:
            return []
        side = "right" if self.pan > 0 else "left"
        return [Move(f"Pan {percent(abs(self.pan))} to the {side}.", 8 * abs(self.pan))]
