"""What can be said of a mix in plain words: which stem covers which, and which faults a trained encoder finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from stito.analysis.sounding import sounding_stems
from stito.data.degradation.fault import load_fault
from stito.dsp.loudness import FLOOR, decibels
from stito.dsp.stft import stereo_bands
from stito.engine.excerpts import active_starts
from stito.errors import SettingsError
from stito.features.masking import LOUDNESS_EXPONENT
from stito.mix import Mix
from stito.models.encoder import Combined, Described, Encoder, FaultFinder

__all__ = [
    "Covering",
    "FoundFault",
    "coverings",
    "fault_finder",
    "find_faults",
    "severities",
    "told",
    "trained_on",
]

RANGES = ((20.0, 120.0), (120.0, 500.0), (500.0, 2000.0), (2000.0, 5000.0), (5000.0, 20_000.0))
"""From lows to highs, in Hz."""
LONGEST_S = 60.0
TOLERANCE_DB = 3.0
"""By so much another stem is louder in a range where it covers."""
ACTIVE_DB = 40.0
"""A stem plays in a range while it is no further below its own mean level."""
OFTEN, WEIGHTY = 0.5, 0.1
"""Told is what is covered for so much of the time, in a range that makes up so much of the stem's loudness."""
EXCERPTS, EXCERPT_S = 6, 5.0
LEAST_SEVERITY = 0.1


@dataclass(frozen=True)
class Covering:
    """A stem is covered by another in a range (Hz) for a share of the time in which it plays there."""

    stem: str
    by: str
    low_hz: float
    high_hz: float
    share: float

    def __str__(self) -> str:
        return (
            f"{self.stem} {_verb(self.stem)} covered by {self.by} between {_hz(self.low_hz)} and {_hz(self.high_hz)} "
            f"for {100 * self.share:.0f} % of the time"
        )


@dataclass(frozen=True)
class FoundFault:
    """A fault that an encoder finds in a stem, and how severe it seems to be, from 0 to 1."""

    stem: str
    fault: str
    severity: float
    doc: str

    def __str__(self) -> str:
        return f"{self.stem}: {self.fault} of a severity of about {self.severity:.1f} ({self.doc})"


def fault_finder(encoder: Encoder) -> FaultFinder | None:
    """The encoder, or the part of a combination, that finds faults; None where there is none."""
    parts = encoder.parts if isinstance(encoder, Combined) else (encoder,)
    return next((part for part in parts if isinstance(part, FaultFinder) and part.faults), None)


def trained_on(encoder: Encoder) -> str:
    """What its weights were trained on, in a sentence; "" where they do not say."""
    header = encoder.header if isinstance(encoder, Described) else {}
    description = " ".join(str(header.get("data", {}).get("description", "")).split())
    return f"{encoder.name} was trained on: {description.removesuffix('.')}." if description else ""


def coverings(mix: Mix, *, seconds: float = LONGEST_S) -> list[Covering]:
    """Which stems are covered by which in which range, those first that lose most; nothing for less than two stems.

    Over the most active minute, or fewer `seconds`. A stem counts as covered while the loudest other is 3 dB or more
    above it; told is what is so for at least half of the time in which the stem plays there, in ranges that make up a
    tenth of its loudness.
    """
    if len(mix.stems) < 2:
        return []
    active = torch.stack(list(_active(mix, seconds).values()))
    names, bands = list(mix.stems), stereo_bands(active, mix.sample_rate)
    found = []
    for low, high in RANGES:
        inside = (bands.centre_hz >= low) & (bands.centre_hz < high)
        energy, whole = bands.total[..., inside].sum(-1), bands.total.sum(-1)
        weight = _loudness(bands.total[..., inside].mean(1)) / _loudness(bands.total.mean(1)).clamp_min(FLOOR)
        for index, name in enumerate(names):
            plays = decibels(energy[index]) > decibels(whole[index].mean()) - ACTIVE_DB
            others = [other for other in range(len(names)) if other != index]
            loudest, place = energy[others].max(0)
            covered = plays & (decibels(loudest) > decibels(energy[index]) + TOLERANCE_DB)
            share = float(covered.sum() / plays.sum().clamp_min(1))
            if share >= OFTEN and float(weight[index]) >= WEIGHTY:
                most = int(torch.bincount(place[covered], minlength=len(others)).argmax())
                found.append((share * float(weight[index]), Covering(name, names[others[most]], low, high, share)))
    return [covering for _, covering in sorted(found, key=lambda pair: -pair[0])]


def _loudness(energy: Tensor) -> Tensor:
    """Specific loudness summed over bands, (s,)."""
    return ((energy + FLOOR) ** LOUDNESS_EXPONENT).sum(-1)


def find_faults(mix: Mix, encoder: Encoder) -> list[FoundFault]:
    """The faults that an encoder finds in the stems of a mix, the most severe first; errors as `severities`."""
    return told(severities(mix, encoder))


def told(found: Mapping[str, Mapping[str, float]]) -> list[FoundFault]:
    """The faults worth telling of all that an encoder predicts, the most severe first."""
    each = [(stem, fault, severity) for stem, faults in found.items() for fault, severity in faults.items()]
    return [
        FoundFault(stem, fault, severity, load_fault(fault).doc)
        for stem, fault, severity in sorted(each, key=lambda of: -of[2])
        if severity >= LEAST_SEVERITY
    ]


def severities(mix: Mix, encoder: Encoder) -> dict[str, dict[str, float]]:
    """How severe an encoder predicts each fault of each stem of a mix to be, 0 to 1: means over active excerpts.

    Raises `SettingsError` for an encoder that was not trained to, `AudioError` for a mix of which no stem is one that
    it knows.
    """
    if not isinstance(encoder, FaultFinder) or not encoder.faults:
        raise SettingsError(f"The encoder '{encoder.name}' finds no faults.", hint="Use one that was trained to.")
    found: dict[tuple[str, str], list[float]] = {}
    for stems in sounding_stems(mix, encoder.stems, encoder.sample_rate, seconds=EXCERPT_S, count=EXCERPTS):
        with torch.no_grad():
            predicted = encoder.find_faults(stems)
        for stem, faults in predicted.items():
            for fault, severity in faults.items():
                found.setdefault((stem, fault), []).append(float(severity[0]))
    means: dict[str, dict[str, float]] = {}
    for (stem, fault), values in found.items():
        means.setdefault(stem, {})[fault] = sum(values) / len(values)
    return means


def _active(mix: Mix, seconds: float) -> dict[str, Tensor]:
    start = active_starts(mix.stereo_sum(), mix.sample_rate, seconds=seconds, count=1)[0]
    return {name: mix.stereo(name)[:, start : start + round(seconds * mix.sample_rate)] for name in mix.stems}


def _verb(stem: str) -> str:
    return "are" if stem.endswith("s") and not stem.endswith("ss") else "is"


def _hz(value: float) -> str:
    return f"{value / 1000:g} kHz" if value >= 1000 else f"{value:g} Hz"
