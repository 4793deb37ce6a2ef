"""What a report shows, as plain values: no tensors, no effects, no files.

Whoever ran the transfer fills these in; the rest of this room only draws them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from stito.console.words import StripWords
from stito.errors import AudioError, SettingsError

__all__ = [
    "Array",
    "Clip",
    "ComparedMethod",
    "ComparedRow",
    "ComparisonData",
    "Curve",
    "EffectSettings",
    "Fact",
    "Headline",
    "Knob",
    "Measured",
    "ReportData",
    "ReportRow",
    "Voice",
]

Array = npt.NDArray[np.floating[Any]]

Voice = Literal["input", "result", "reference"]
"""Whose sound it is: every clip, curve and table column belongs to one of these three."""


@dataclass(frozen=True)
class Fact:
    """A line of "label: value", written as given."""

    label: str
    value: str


@dataclass(frozen=True)
class Headline:
    """How far the input was from the reference, and how far the result is.

    `measure` names what was measured and begins a sentence: "Distance to the reference".
    """

    before: float
    after: float
    measure: str = "Distance to the reference"

    @property
    def reduction(self) -> float | None:
        """By how much the distance shrank, in %: 100 is all of it. Negative if it grew, None if there was none."""
        return 100 * (1 - self.after / self.before) if self.before > 0 else None


@dataclass(frozen=True, eq=False)
class Clip:
    """An excerpt to listen to.

    Args:
        voice: whose sound it is.
        samples: float audio (1 or 2, t), finite, about 30 s at most: the page carries all of it.
        sample_rate: in Hz.
        start_s: where in the song it begins.
        label: what it is called; by default as its voice is.
        lufs: integrated loudness, by which the clips of a row are brought to one level; -inf if silent.

    Raises:
        AudioError: the samples are not such audio.
    """

    voice: Voice
    samples: Array
    sample_rate: int
    lufs: float
    start_s: float = 0.0
    label: str = ""

    def __post_init__(self) -> None:
        if self.samples.ndim != 2 or self.samples.shape[0] not in (1, 2) or self.samples.shape[1] == 0:
            raise AudioError(
                f"The report's {self.voice} excerpt has shape {self.samples.shape}.",
                hint="An excerpt is (channels, samples) with one or two channels and at least one sample.",
            )
        if not np.isfinite(self.samples).all():
            raise AudioError(f"The report's {self.voice} excerpt holds values that are not finite.")

    @property
    def seconds(self) -> float:
        """How long it plays."""
        return float(self.samples.shape[1] / self.sample_rate)


@dataclass(frozen=True, eq=False)
class Curve:
    """A spectrum: levels `db` (n,) at rising frequencies `freq_hz` (n,)."""

    voice: Voice
    freq_hz: Array
    db: Array

    def __post_init__(self) -> None:
        if self.freq_hz.shape != self.db.shape or self.freq_hz.ndim != 1 or self.freq_hz.size < 2:
            raise SettingsError(
                f"The {self.voice} spectrum has {self.freq_hz.shape} frequencies and {self.db.shape} levels.",
                hint="A spectrum is two arrays of the same length, at least 2.",
            )


@dataclass(frozen=True)
class Measured:
    """One measured property, for the three voices; None where there is nothing to measure. `doc` defines it."""

    name: str
    unit: str
    input: float | None
    result: float | None
    reference: float | None
    doc: str = ""


@dataclass(frozen=True)
class Knob:
    """Where a knob stands, and where it could.

    `name` may end in its unit, as a param's does (`threshold_db`); `unit` is what is written behind the value. `depth`
    says whether it is the amount of the effect, or of one of its bands.
    """

    name: str
    value: float
    low: float
    high: float
    neutral: float
    unit: str = ""
    scale: Literal["linear", "log"] = "linear"
    doc: str = ""
    depth: bool = False

    def place(self, value: float) -> float:
        """How far along the knob's range a value is, in [0, 1], equal ratios being equal steps on a log scale."""
        if self.scale == "log":
            along = math.log(max(value, self.low) / self.low) / math.log(self.high / self.low)
        else:
            along = (value - self.low) / (self.high - self.low)
        return min(max(along, 0.0), 1.0)


@dataclass(frozen=True)
class EffectSettings:
    """One effect of a chain as it was set; `neutral` if these settings do nothing, as they do where it is bypassed.

    `worth` is how far the distance to the reference rises where it is taken back, None where that was not measured.
    """

    effect: str
    label: str
    neutral: bool
    knobs: Sequence[Knob]
    bypass: bool = False
    moves: int = 0
    worth: float | None = None


@dataclass(frozen=True)
class ReportRow:
    """One stem, or the mix: its excerpts, plots, measures and settings. What is empty is left out of the page.

    Args:
        name: `mix`, `drums`, ...
        players: excerpts, one for each voice that exists, in the order of the keys 1, 2, 3.
        spectra: one curve for each voice that exists.
        metrics: the table's lines.
        convergence: (evaluations, best loss so far), in order.
        distances: to the reference, of the untouched input and of the result.
        loss_before: the loss of the untouched input, with the prior; none where the prior lies around the start.
        loss_after: the loss of the result, likewise.
        loss_start: the loss at the start of the search.
        settings: the effects in chain order.
    """

    name: str
    players: Sequence[Clip] = ()
    spectra: Sequence[Curve] = ()
    metrics: Sequence[Measured] = ()
    convergence: Sequence[tuple[int, float]] = ()
    distances: tuple[float, float] | None = None
    loss_before: float | None = None
    loss_after: float | None = None
    loss_start: float | None = None
    settings: Sequence[EffectSettings] = ()


@dataclass(frozen=True)
class Findings:
    """What can be said of input and result in plain words, and what a network that says so was trained on."""

    input: Sequence[str] = ()
    result: Sequence[str] = ()
    about: str = ""


@dataclass(frozen=True)
class ReportData:
    """A whole report.

    Args:
        title: "funk → sodium".
        headline: the one figure.
        facts: method, encoder, chain, evaluations, seconds, seed, stop reason, version.
        rows: the mix first, then the stems.
        notes: sentences on what was transferred and what was not.
        provenance: names and digests of input and reference, versions.
        command: the command line that makes this again.
        words: by strip, what was done in sentences; that of the master stands with the mix.
        findings: what can be said of input and result in plain words.
    """

    title: str
    headline: Headline
    facts: Sequence[Fact]
    rows: Sequence[ReportRow]
    notes: Sequence[str] = ()
    provenance: Sequence[Fact] = ()
    command: str = ""
    words: Mapping[str, StripWords] = field(default_factory=dict)
    findings: Findings = Findings()


@dataclass(frozen=True)
class ComparedMethod:
    """What one method cost and reached, over all stems that it was run on.

    `seconds` are those of search and rendering; `real_time` is how many of them one second of the song takes.
    """

    name: str
    headline: Headline
    evaluations: int
    seconds: float
    real_time: float
    folder: str


@dataclass(frozen=True)
class ComparedRow:
    """One stem, or the mix, under every method: excerpts, and knobs as (effect, knob, its value by method).

    A value is None where a method does not set that knob.
    """

    name: str
    players: Sequence[Clip] = ()
    knobs: Sequence[tuple[str, Knob, Sequence[float | None]]] = ()


@dataclass(frozen=True)
class ComparisonData:
    """A whole comparison; `methods` in the order of each row's values."""

    title: str
    methods: Sequence[ComparedMethod]
    rows: Sequence[ComparedRow]
    facts: Sequence[Fact] = ()
    notes: Sequence[str] = ()
