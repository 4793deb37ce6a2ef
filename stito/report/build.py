"""From a finished transfer to what its report shows: excerpts, spectra, measures, curves, knobs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

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
from stito.engine.result import TransferResult
from stito.engine.solve import Match
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

__all__ = ["Heard", "Sound", "build_report", "clip_start", "effects_of", "hear", "hear_mix"]

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


Heard = Mapping[str, Sound]
"""The sounds of one voice by row: `mix`, then the stems."""


def clip_start(mix: Mix) -> float:
    """Where in the song, in seconds, its excerpts begin."""
    starts = active_starts(mix.stereo_sum(), mix.sample_rate, seconds=CLIP_SECONDS, count=1)
    return starts[0] / mix.sample_rate


def hear(voice: Voice, stems: Mapping[str, Tensor], total: Tensor, sample_rate: int, start_s: float) -> Heard:
    """The sounds of stems and their sum (channels, t)."""
    sounds = {"mix": total, **(stems if len(stems) > 1 or "mix" not in stems else {})}
    return {name: _sound(voice, to_stereo(x), sample_rate, start_s) for name, x in sounds.items()}


def hear_mix(voice: Voice, mix: Mix, start_s: float) -> Heard:
    """The sounds of a mix and its stems."""
    return hear(voice, mix.stems, mix.sum(), mix.sample_rate, start_s)


def build_report(title: str, command: str, source: Heard, reference: Heard, result: TransferResult) -> ReportData:
    """Everything that the page shows of a transfer; `source` and `reference` as they were heard before it."""
    matched = result.matched
    start_s = source["mix"].clip.start_s
    made = hear("result", result.rendered.stems, result.rendered.mix, result.rendered.sample_rate, start_s)
    before = sum(match.loss_before for match in matched.matches.values())
    after = sum(match.loss_after for match in matched.matches.values())
    count = len(matched.matches)
    return ReportData(
        title=title,
        headline=Headline(before / count, after / count),
        facts=_facts(result),
        rows=[_row(name, source[name], made[name], reference.get(name), result) for name in source],
        notes=result.notes,
        provenance=_provenance(result),
        command=command,
    )


def _facts(result: TransferResult) -> list[Fact]:
    provenance, matches = result.preset.provenance, result.matched.matches
    if provenance is None:
        return []
    return [
        Fact("Method", provenance.method),
        Fact("Encoder", provenance.encoder),
        *_means(next(iter(matches.values()))),
        Fact("Evaluations", str(provenance.evaluations)),
        Fact("Search time", f"{provenance.seconds:.1f} s"),
        Fact("Seed", str(provenance.seed)),
        Fact("Amount", f"{provenance.amount:g}"),
        Fact("Stopped", "; ".join(sorted({match.stop for match in matches.values()}))),
        Fact("stito", provenance.stito),
    ]


def _means(match: Match) -> list[Fact]:
    """What rendered: a chain, or a converter."""
    chains = [Fact("Chain", chain.name) for chain, _ in match.strips.values()]
    return (chains or [Fact("Converter", conversion.source) for conversion in match.conversions.values()])[:1]


def _row(name: str, source: Sound, made: Sound, reference: Sound | None, result: TransferResult) -> ReportRow:
    matches = result.matched.matches
    match = matches.get(name) or (matches.get("sum") if name == "mix" else None)
    strip = result.preset.stems.get(name)
    sounds = [sound for sound in (source, made, reference) if sound is not None]
    return ReportRow(
        name=name,
        players=[sound.clip for sound in sounds],
        spectra=[sound.curve for sound in sounds if sound.curve is not None],
        metrics=_metrics(source, made, reference),
        convergence=[(step.evaluations, step.loss) for step in match.history] if match else [],
        distances=(match.loss_before, match.loss_after) if match else None,
        loss_before=match.objective_before if match else None,
        loss_after=match.history[-1].loss if match and match.history else None,
        loss_start=match.objective_start if match else None,
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


def _provenance(result: TransferResult) -> list[Fact]:
    provenance = result.preset.provenance
    if provenance is None:
        return []
    facts = [Fact(f"Input {name}", digest) for name, digest in provenance.input.items()]
    facts += [Fact(f"Reference {name}", digest) for name, digest in provenance.reference.items()]
    return facts + [Fact(package, number) for package, number in provenance.versions.items()]
