"""From a finished transfer to what its report shows: excerpts, spectra, measures, curves, knobs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from stito.audio import is_silent, resample, to_stereo
from stito.console.preset import StripPreset
from stito.console.strips import loudness
from stito.dsp.loudness import crest_db, measure, true_peak_db
from stito.dsp.statistics import log_grid, long_term_spectrum, width_db
from stito.effects.chain import Chain, Slot
from stito.effects.param import Settings
from stito.engine.excerpts import active_starts
from stito.engine.result import Outcome
from stito.engine.solution import Solution
from stito.mix import Mix
from stito.report.data import (
    Clip,
    Curve,
    EffectSettings,
    Fact,
    Headline,
    Knob,
    Metric,
    ReportData,
    ReportRow,
    Voice,
)

__all__ = ["Sound", "Sounds", "Sources", "build_report", "effects_of", "sounds_of"]

CLIP_SECONDS = 15.0
MAX_CLIP_RATE = 48_000
LONGEST_S = 60
"""Spectra are taken over the most active minute."""
PROBE_RATE = 44_100
INAUDIBLE = 1e-3


@dataclass(frozen=True)
class Sound:
    """What a report needs of one sound: small, so that the audio itself can be forgotten."""

    clip: Clip
    curve: Curve | None
    measures: Mapping[str, float | None]


Sounds = Mapping[str, Sound]
"""The sounds of one voice by row: `mix`, then the stems."""


class Sources:
    """Input and reference as a report shows them, measured when they are first asked for.

    Attributes:
        title: what the report is called.
        start_s: where in the song, in seconds, its excerpts begin.
        duration_s: of the input.
    """

    def __init__(self, mix: Mix, reference: Mix) -> None:
        self.title, self.duration_s = f"{mix.name} → {reference.name}", mix.duration_s
        self._mixes: tuple[Mix, Mix] | None = (mix, reference)

    @cached_property
    def start_s(self) -> float:
        """Where the input plays."""
        assert self._mixes is not None
        x, rate = self._mixes[0].stereo_sum(), self._mixes[0].sample_rate
        return active_starts(x, rate, seconds=CLIP_SECONDS, count=1)[0] / rate

    @cached_property
    def sounds(self) -> tuple[Sounds, Sounds]:
        """Those of the input and of the reference."""
        assert self._mixes is not None
        voices: tuple[Voice, Voice] = ("input", "reference")
        before, after = (
            sounds_of(voice, mix.stems, mix.sum(), mix.sample_rate, self.start_s)
            for voice, mix in zip(voices, self._mixes, strict=True)
        )
        return before, after

    def measured(self) -> Sources:
        """The same, measured now, without holding on to the audio."""
        _ = self.sounds
        self._mixes = None
        return self


def sounds_of(voice: Voice, stems: Mapping[str, Tensor], total: Tensor, sample_rate: int, start_s: float) -> Sounds:
    """The sounds of stems and their sum (channels, t)."""
    sounds = {"mix": total, **(stems if len(stems) > 1 or "mix" not in stems else {})}
    return {name: _sound(voice, to_stereo(x), sample_rate, start_s) for name, x in sounds.items()}


def build_report(command: str, sources: Sources, outcome: Outcome) -> ReportData:
    """Everything that the page shows of a transfer; `command` makes it again."""
    source, reference = sources.sounds
    rendered, solutions = outcome.rendered, outcome.solutions
    made = sounds_of("result", rendered.stems, rendered.mix, rendered.sample_rate, sources.start_s)
    before = sum(solution.loss_before for solution in solutions.values())
    after = sum(solution.loss_after for solution in solutions.values())
    return ReportData(
        title=sources.title,
        headline=Headline(before / len(solutions), after / len(solutions)),
        facts=_facts(outcome),
        rows=[_row(name, source[name], made[name], reference.get(name), outcome) for name in source],
        notes=outcome.notes,
        provenance=_provenance(outcome),
        command=command,
    )


def _facts(outcome: Outcome) -> list[Fact]:
    provenance, solutions = outcome.preset.provenance, outcome.solutions
    if provenance is None:
        return []
    return [
        Fact("Method", provenance.method),
        Fact("Encoder", provenance.encoder),
        *_means(next(iter(solutions.values()))),
        Fact("Evaluations", str(provenance.evaluations)),
        Fact("Search time", f"{provenance.seconds:.1f} s"),
        Fact("Seed", str(provenance.seed)),
        Fact("Amount", f"{provenance.amount:g}"),
        Fact("Stopped", "; ".join(sorted({solution.stop for solution in solutions.values()}))),
        Fact("stito", provenance.stito),
    ]


def _means(solution: Solution) -> list[Fact]:
    """What rendered: a chain, or a converter."""
    chains = [Fact("Chain", chain.name) for chain, _ in solution.strips.values()]
    return (chains or [Fact("Converter", conversion.source) for conversion in solution.conversions.values()])[:1]


def _row(name: str, source: Sound, made: Sound, reference: Sound | None, outcome: Outcome) -> ReportRow:
    solutions = outcome.solutions
    solution = solutions.get(name) or (solutions.get("sum") if name == "mix" else None)
    strip = outcome.preset.stems.get(name)
    sounds = [sound for sound in (source, made, reference) if sound is not None]
    return ReportRow(
        name=name,
        players=[sound.clip for sound in sounds],
        spectra=[sound.curve for sound in sounds if sound.curve is not None],
        metrics=_metrics(source, made, reference),
        convergence=[(step.evaluations, step.loss) for step in solution.history] if solution else [],
        distances=(solution.loss_before, solution.loss_after) if solution else None,
        loss_before=solution.objective_before if solution else None,
        loss_after=solution.history[-1].loss if solution and solution.history else None,
        loss_start=solution.objective_start if solution else None,
        settings=effects_of(strip) if strip else [],
    )


def effects_of(strip: StripPreset) -> list[EffectSettings]:
    """The effects of a strip as they were set."""
    chain, settings = strip.build()
    return [
        EffectSettings(
            effect=slot.effect.name,
            label=slot.label,
            neutral=_does_nothing(slot, settings[slot.label]),
            knobs=[
                Knob(
                    param.name,
                    settings[slot.label][param.name],
                    param.low,
                    param.high,
                    param.neutral,
                    param.unit,
                    param.scale,
                    param.doc,
                )
                for param in slot.effect.params
            ],
        )
        for slot in chain.slots
    ]


def _does_nothing(slot: Slot, settings: Settings) -> bool:
    """Whether a burst of loud noise comes out of an effect as it went in."""
    noise = 0.5 * torch.randn(2, PROBE_RATE // 4, generator=torch.Generator().manual_seed(0)).clamp(-2, 2)
    out = Chain("probe", (slot,)).render_one(noise, {slot.label: settings}, PROBE_RATE)
    return float((out - noise).abs().max()) < INAUDIBLE


MEASURES: Mapping[str, tuple[str, Callable[[Tensor, int], Tensor | float]]] = {
    "Integrated loudness": ("LUFS", loudness),
    "Loudness range (IQR)": ("LU", lambda x, rate: measure(x[None], rate).range()[0]),
    "Crest factor": ("dB", lambda x, rate: crest_db(x[None])[0]),
    "True peak": ("dBTP", lambda x, rate: true_peak_db(x[None], rate)[0]),
    "Width (side over mid)": ("dB", lambda x, rate: max(-50.0, width_db(_minute(x, rate)))),
}
"""Name, unit and function of (2, t) and its rate: over the whole length, the width over the most active minute."""


def _minute(x: Tensor, rate: int) -> Tensor:
    (start,) = active_starts(x, rate, seconds=LONGEST_S, count=1)
    return x[:, start : start + LONGEST_S * rate]


def _sound(voice: Voice, x: Tensor, rate: int, start_s: float) -> Sound:
    measures = {name: float(function(x, rate)) for name, (_, function) in MEASURES.items()}
    finite = {name: value if math.isfinite(value) else None for name, value in measures.items()}
    silent = is_silent(x)
    return Sound(_clip(voice, x, rate, start_s), None if silent else _curve(voice, x, rate), finite)


def _metrics(source: Sound, made: Sound, reference: Sound | None) -> list[Metric]:
    metrics = [
        Metric(name, unit, source.measures[name], made.measures[name], reference.measures[name] if reference else None)
        for name, (unit, _) in MEASURES.items()
    ]
    if reference is not None and reference.curve is not None:
        was, now = (_apart(sound.curve, reference.curve) for sound in (source, made))
        metrics.append(Metric("Spectrum, distance to reference", "dB", was, now, 0.0))
    return metrics


def _apart(curve: Curve | None, reference: Curve) -> float | None:
    """The standard deviation over frequency of the difference of two spectra, in dB: their level does not count.

    Both count down to 60 dB below their loudest place.
    """
    if curve is None:
        return None
    shared = min(len(curve.db), len(reference.db))
    a, b = (np.maximum(db[:shared], db.max() - 60) for db in (curve.db, reference.db))
    return float(np.std(a - b))


def _clip(voice: Voice, x: Tensor, rate: int, start_s: float) -> Clip:
    """Fifteen seconds from where the input plays; of a shorter reference, from where it plays itself."""
    start = round(start_s * rate)
    if voice == "reference" and start + round(CLIP_SECONDS * rate) > x.shape[-1]:
        start = active_starts(x, rate, seconds=CLIP_SECONDS, count=1)[0]
    excerpt = x[:, start : start + round(CLIP_SECONDS * rate)].clone()
    if rate > MAX_CLIP_RATE:
        excerpt, rate = resample(excerpt, rate, MAX_CLIP_RATE), MAX_CLIP_RATE
    return Clip(voice, excerpt.contiguous().numpy(), rate, loudness(excerpt, rate), start_s)


def _curve(voice: Voice, x: Tensor, rate: int) -> Curve:
    grid = log_grid(30.0, min(16_000.0, 0.45 * rate), 12)
    levels = long_term_spectrum(_minute(x, rate), rate, grid)
    return Curve(voice, grid.numpy(), levels.to(torch.float64).numpy())


def _provenance(outcome: Outcome) -> list[Fact]:
    provenance = outcome.preset.provenance
    if provenance is None:
        return []
    facts = [Fact(f"Input {name}", digest) for name, digest in provenance.input.items()]
    facts += [Fact(f"Reference {name}", digest) for name, digest in provenance.reference.items()]
    return facts + [Fact(package, number) for package, number in provenance.versions.items()]
