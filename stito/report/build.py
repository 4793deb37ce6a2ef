"""From a finished transfer to what its report shows: excerpts, spectra, measures, curves, knobs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from stito.audio import resample
from stito.chain import Chain, ChainSettings, Slot
from stito.console import loudness
from stito.dsp.loudness import crest_db, measure, true_peak_db
from stito.dsp.statistics import log_grid, long_term_spectrum, width_db
from stito.excerpts import active_starts
from stito.metrics.levels import spectrum_distance
from stito.mix import Mix
from stito.params import Settings
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
from stito.transfer import Match, TransferResult

__all__ = ["build_report", "measure_row"]

CLIP_SECONDS = 15.0
MAX_CLIP_RATE = 48_000
PROBE_RATE = 44_100
INAUDIBLE = 1e-3


def build_report(mix: Mix, reference: Mix, result: TransferResult) -> ReportData:
    """Everything that the page shows of a transfer."""
    matched, provenance = result.matched, result.preset.provenance
    rate = mix.sample_rate
    rows = []
    sounds: dict[str, dict[Voice, tuple[Tensor, int]]] = {
        "mix": _sounds(mix.stereo_sum(), result.rendered.mix, reference.stereo_sum(), rate, reference.sample_rate)
    }
    if mix.kind == "stems":
        for name in mix.stems:
            of_reference = reference.stereo(name) if name in reference.stems else None
            sounds[name] = _sounds(
                mix.stereo(name), result.rendered.stems[name], of_reference, rate, reference.sample_rate
            )
    start = active_starts(mix.stereo_sum(), rate, seconds=CLIP_SECONDS, count=1)[0]
    for name, voices in sounds.items():
        rows.append(_row(name, voices, start / rate, result))
    before = sum(match.loss_before for match in matched.matches.values())
    after = sum(match.loss_after for match in matched.matches.values())
    count = len(matched.matches)
    facts = (
        []
        if provenance is None
        else [
            Fact("Method", provenance.method),
            Fact("Encoder", provenance.encoder),
            Fact("Chain", next(iter(next(iter(matched.matches.values())).strips.values()))[0].name),
            Fact("Evaluations", str(provenance.evaluations)),
            Fact("Search time", f"{provenance.seconds:.1f} s"),
            Fact("Seed", str(provenance.seed)),
            Fact("Amount", f"{provenance.amount:g}"),
            Fact("Stopped", "; ".join(sorted({match.stop for match in matched.matches.values()}))),
            Fact("stito", provenance.stito),
        ]
    )
    return ReportData(
        title=f"{mix.name} → {reference.name}",
        headline=Headline(before / count, after / count),
        facts=facts,
        rows=rows,
        notes=result.notes,
        provenance=_provenance(result),
        command=_command(mix, reference, result),
    )


def _sounds(
    source: Tensor, result: Tensor, reference: Tensor | None, rate: int, reference_rate: int
) -> dict[Voice, tuple[Tensor, int]]:
    voices: dict[Voice, tuple[Tensor, int]] = {"input": (source, rate), "result": (_stereo(result), rate)}
    if reference is not None:
        voices["reference"] = (reference, reference_rate)
    return voices


def _stereo(x: Tensor) -> Tensor:
    if x.shape[0] == 1:
        return x.expand(2, -1)
    return x[:2]


def _row(name: str, voices: Mapping[Voice, tuple[Tensor, int]], start_s: float, result: TransferResult) -> ReportRow:
    match = _match_of(name, result)
    strips = _strips_of(name, result)
    return ReportRow(
        name=name,
        players=[_clip(voice, x, rate, start_s) for voice, (x, rate) in voices.items()],
        spectra=[_curve(voice, x, rate) for voice, (x, rate) in voices.items() if float(x.abs().max()) > 0],
        metrics=measure_row(voices),
        convergence=[(step.evaluations, step.loss) for step in match.history] if match else [],
        loss_before=match.objective_before if match else None,
        loss_after=match.history[-1].loss if match and match.history else None,
        loss_match=match.objective_guess if match else None,
        settings=[effect for chain, settings in strips for effect in _effects(chain, settings)],
    )


def _match_of(name: str, result: TransferResult) -> Match | None:
    matches = result.matched.matches
    return matches.get(name) or (matches.get("sum") if name == "mix" else None)


def _strips_of(name: str, result: TransferResult) -> list[tuple[Chain, ChainSettings]]:
    strip = result.preset.stems.get(name)
    return [strip.build()] if strip else []


def _effects(chain: Chain, settings: ChainSettings) -> list[EffectSettings]:
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


def measure_row(voices: Mapping[Voice, tuple[Tensor, int]]) -> list[Metric]:
    """Loudness, dynamics, width and spectrum of the three voices, over their whole lengths."""

    def of(function: Callable[[Tensor, int], Tensor | float]) -> dict[str, float | None]:
        values: dict[str, float | None] = {"input": None, "result": None, "reference": None}
        for voice, (x, rate) in voices.items():
            value = float(function(x, rate))
            values[voice] = value if math.isfinite(value) else None
        return values

    metrics = [
        Metric("Integrated loudness", "LUFS", **of(loudness)),
        Metric("Loudness range (IQR)", "LU", **of(lambda x, rate: measure(x[None], rate).range()[0])),
        Metric("Crest factor", "dB", **of(lambda x, rate: crest_db(x[None])[0])),
        Metric("True peak", "dBTP", **of(lambda x, rate: true_peak_db(x[None], rate)[0])),
        Metric("Width (side over mid)", "dB", **of(lambda x, rate: max(-50.0, width_db(x)))),
    ]
    if "reference" in voices:
        reference, rate = voices["reference"]
        aimed = _analysed(reference, rate)

        def apart(x: Tensor, rate_of: int) -> Tensor:
            return spectrum_distance(_analysed(x, rate_of)[None], aimed[None], MAX_CLIP_RATE)[0]

        distances = of(apart) | {"reference": 0.0}
        metrics.append(Metric("Spectrum, distance to reference", "dB", **distances))
    return metrics


def _analysed(x: Tensor, rate: int) -> Tensor:
    """At most a minute of the active part, at one rate for all."""
    starts = active_starts(x, rate, seconds=60.0, count=1)
    return resample(x[:, starts[0] : starts[0] + 60 * rate], rate, MAX_CLIP_RATE)


def _clip(voice: Voice, x: Tensor, rate: int, start_s: float) -> Clip:
    """Fifteen seconds from where the input plays; of the reference, from where it plays itself."""
    start = round(start_s * rate)
    if voice == "reference" and start + round(CLIP_SECONDS * rate) > x.shape[-1]:
        start = active_starts(x, rate, seconds=CLIP_SECONDS, count=1)[0]
    excerpt = x[:, start : start + round(CLIP_SECONDS * rate)]
    if rate > MAX_CLIP_RATE:
        excerpt, rate = resample(excerpt, rate, MAX_CLIP_RATE), MAX_CLIP_RATE
    return Clip(voice, excerpt.contiguous().numpy(), rate, loudness(excerpt, rate))


def _curve(voice: Voice, x: Tensor, rate: int) -> Curve:
    grid = log_grid(30.0, min(16_000.0, 0.45 * rate), 12)
    starts = active_starts(x, rate, seconds=60.0, count=1)
    levels = long_term_spectrum(x[:, starts[0] : starts[0] + 60 * rate], rate, grid)
    return Curve(voice, grid.numpy(), levels.to(torch.float64).numpy())


def _provenance(result: TransferResult) -> list[Fact]:
    provenance = result.preset.provenance
    if provenance is None:
        return []
    facts = [Fact(f"Input {name}", digest) for name, digest in provenance.input.items()]
    facts += [Fact(f"Reference {name}", digest) for name, digest in provenance.reference.items()]
    return facts + [Fact(package, number) for package, number in provenance.versions.items()]


def _command(mix: Mix, reference: Mix, result: TransferResult) -> str:
    provenance = result.preset.provenance
    if provenance is None:
        return ""
    return (
        f"stito transfer {mix.name} {reference.name} -o out --method {provenance.method} "
        f"--encoder {provenance.encoder} --seed {provenance.seed} --amount {provenance.amount:g}"
    )
