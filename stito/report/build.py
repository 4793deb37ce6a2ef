"""From a finished transfer to the data of its report: excerpts, spectra, metrics, curves, knobs."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from stito.audio import is_silent, resample, to_stereo
from stito.compute.cores import side_by_side
from stito.compute.phases import phase
from stito.console.delivery import Delivery
from stito.console.preset import MASTER, StripPreset
from stito.console.strips import Rendered, loudness
from stito.console.words import Reductions, StripWords, explain, reductions_of
from stito.dsp.levels import Levels
from stito.dsp.statistics import log_grid, long_term_spectrum
from stito.effects.aspects import Amount
from stito.effects.chain import Chain, Slot
from stito.effects.param import Settings
from stito.engine.excerpts import active_starts, frame_levels_db
from stito.engine.result import Outcome
from stito.engine.solution import Solution
from stito.errors import StitoWarning
from stito.metrics import Metric, Property, load_metrics
from stito.mix import Mix, add_up, levels_of
from stito.report.data import (
    Clip,
    Curve,
    EffectSettings,
    Fact,
    Findings,
    Headline,
    Knob,
    Measured,
    ReportData,
    ReportRow,
    Voice,
)

__all__ = ["Sound", "Sounds", "Sources", "build_report", "effects_of", "sounds_of", "words_in"]

CLIP_SECONDS, STEM_CLIP_SECONDS = 15.0, 10.0
"""How long one hears the mix, and each stem: the page carries all of it."""
MAX_CLIP_RATE = 48_000
LONGEST_S = 30.0
"""Spectra are averages over the most active half minute."""
COMPARED_S = 20.0
"""Sounds are compared with the reference over their most active 20 s, kept in memory until the result is there."""
NEEDLE_S = 10.0
"""Gain reduction is measured over so much of them."""
PROBE_RATE = 44_100
INAUDIBLE = 1e-3


@dataclass(frozen=True)
class Sound:
    """What a report needs of one sound: small, so that the audio itself can be forgotten.

    `properties` are those of metrics that have one, by the metric's name; `compared` (1, 2, t) is what the other
    metrics compare, None if all of it is silent.
    """

    clip: Clip
    curve: Curve | None
    properties: Mapping[str, float | None]
    compared: Tensor | None
    sample_rate: int


Sounds = Mapping[str, Sound]
"""The sounds of one voice by row: `mix`, then the stems."""


class Sources:
    """Input and reference as a report shows them, measured when first needed.

    Attributes:
        title: what the report is called.
        start_s: where in the song, in seconds, its excerpts begin.
        duration_s: of the input.
    """

    def __init__(self, mix: Mix, reference: Mix) -> None:
        references = " + ".join(one.name for one, _ in reference.blended)
        self.title, self.duration_s = f"{mix.name} → {references}", mix.duration_s
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
        asked = [
            (voice, name, mix) for voice, mix in zip(voices, self._mixes, strict=True) for name in _rows(mix.stems)
        ]

        def sound(of: tuple[Voice, str, Mix]) -> Sound:
            voice, name, mix = of
            levels = mix.levels(None if name == "mix" else name)
            x = mix.sum() if name == "mix" else mix.stems[name]  # a sum is held only while it is looked at
            return _sound(voice, name, x, mix.sample_rate, self.start_s, levels)

        with phase("measure"):
            _ = self.start_s  # found before it is asked for on several cores
            found = list(
                zip(asked, side_by_side(sound, asked, numbers=max(mix.numbers for mix in self._mixes)), strict=True)
            )
        before, after = ({name: it for (of, name, _), it in found if of == voice} for voice in voices)
        return before, after

    def measured(self) -> Sources:
        """The same, measured now, without holding on to the audio."""
        _ = self.sounds
        self._mixes = None
        return self


def _rows(stems: Mapping[str, Tensor]) -> list[str]:
    """The rows of a report: the mix, and the stems, if there are any."""
    return ["mix", *(stems if len(stems) > 1 or "mix" not in stems else ())]


def sounds_of(rendered: Rendered, start_s: float) -> Sounds:
    """The sounds of a result: its stems and their sum."""
    stems, rate, names = {**rendered.stems, "mix": rendered.mix}, rendered.sample_rate, _rows(rendered.stems)

    def sound(name: str) -> Sound:
        levels = rendered.levels.get(name) or levels_of(stems[name], rate)  # a transfer has measured them on the way
        return _sound("result", name, stems[name], rate, start_s, levels)

    with phase("measure", "result"):
        return dict(zip(names, side_by_side(sound, names, numbers=rendered.mix.numel()), strict=True))


def build_report(command: str, sources: Sources, outcome: Outcome, findings: Findings | None = None) -> ReportData:
    """Everything that the page shows of a transfer; `command` makes it again."""
    source, reference = sources.sounds
    rendered, solutions = outcome.rendered, outcome.solutions
    made = sounds_of(rendered, sources.start_s)
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
        words=words_in(sources, outcome),
        findings=findings or Findings(),
    )


def words_in(sources: Sources, outcome: Outcome) -> dict[str, StripWords]:
    """Every strip in words, with what its dynamic effects do to the sound."""
    inputs, rendered = sources.sounds[0], outcome.rendered

    def measured(name: str) -> Reductions:
        if name == MASTER:
            start, rate = round(sources.start_s * rendered.sample_rate), rendered.sample_rate
            stems = [to_stereo(stem[:, start : start + round(NEEDLE_S * rate)]) for stem in rendered.stems.values()]
            x = add_up(stems)  # into a master they go without the output gain
        else:
            sound = inputs.get(name)
            if sound is None or sound.compared is None:
                return {}
            x, rate = sound.compared[0, :, : round(NEEDLE_S * sound.sample_rate)], sound.sample_rate
        return reductions_of(strips[name], x, rate)

    strips = outcome.preset.strips()
    with phase("measure", "gain reduction"):
        numbers = round(2 * NEEDLE_S * rendered.sample_rate)
        reductions = dict(zip(strips, side_by_side(measured, list(strips), numbers=numbers), strict=True))
    return explain(outcome.preset, reductions)


def _facts(outcome: Outcome) -> list[Fact]:
    provenance, solutions = outcome.preset.provenance, outcome.solutions
    if provenance is None:
        return []
    return [
        Fact("Method", provenance.method),
        *_references(provenance.references),
        Fact("Encoder", provenance.encoder),
        *_means(solutions.values()),
        Fact("Evaluations", str(provenance.evaluations)),
        Fact("Search time", f"{provenance.seconds:.1f} s"),
        Fact("Seed", str(provenance.seed)),
        Fact("Amount", str(Amount(provenance.amount, provenance.amounts))),
        *([Fact("Kept", ", ".join(provenance.keep))] if provenance.keep else []),
        *_asked(outcome.rendered.delivery),
        Fact("Stopped", " ".join(sorted({solution.stop for solution in solutions.values()}))),
        Fact("stito", provenance.stito),
    ]


def _references(named: Sequence[tuple[str, float]]) -> list[Fact]:
    """Several references and their shares; the page plays the first."""
    shares = ", ".join(f"{name} {100 * weight:.0f} %" for name, weight in named)
    return [Fact("References", shares)] if len(named) > 1 else []


def _asked(delivery: Delivery) -> list[Fact]:
    """What the user asked of the sum's loudness and peaks."""
    loudness = delivery.loudness_lufs
    facts = [] if loudness is None else [Fact("Loudness asked for", f"{loudness:g} LUFS")]
    return facts if delivery.is_usual else [*facts, Fact("Ceiling", f"{delivery.ceiling_dbtp:g} dBTP")]


def _means(solutions: Collection[Solution]) -> list[Fact]:
    """What rendered: a chain, or a converter; nothing where every input stayed as it was."""
    facts = []
    for solution in solutions:
        if not solution.kept:
            facts += [Fact("Chain", chain.name) for chain, _ in solution.strips.values()]
            facts += [Fact("Converter", conversion.source) for conversion in solution.conversions.values()]
    masters = [Fact("Master", solution.master[0].name) for solution in solutions if solution.master]
    return facts[:1] + masters


def _row(name: str, source: Sound, made: Sound, reference: Sound | None, outcome: Outcome) -> ReportRow:
    solutions = outcome.solutions
    solution = solutions.get(name) or (solutions.get("sum") if name == "mix" else None)
    own = outcome.preset.stems.get(name)
    strip, of = (own, name) if own else (outcome.preset.master if name == "mix" else None, MASTER)
    sounds = [sound for sound in (source, made, reference) if sound is not None]
    return ReportRow(
        name=name,
        players=[sound.clip for sound in sounds],
        spectra=[sound.curve for sound in sounds if sound.curve is not None],
        metrics=_measured(source, made, reference),
        convergence=[(step.evaluations, step.loss) for step in solution.history] if solution else [],
        distances=(solution.loss_before, solution.loss_after) if solution else None,
        loss_before=solution.objective_before if solution else None,
        loss_after=solution.history[-1].loss if solution and solution.history else None,
        loss_start=solution.objective_start if solution else None,
        settings=effects_of(strip, _worth(of, solutions)) if strip else [],
    )


def _worth(strip: str, solutions: Mapping[str, Solution]) -> Mapping[str, float]:
    """What each effect of a strip is worth, where that was measured."""
    found = (solution.worth[strip] for solution in solutions.values() if strip in solution.worth)
    return next(found, {})


def effects_of(strip: StripPreset, worth: Mapping[str, float] | None = None) -> list[EffectSettings]:
    """The effects of a strip as they were set, and what each is `worth`, if that is known."""
    chain, settings = strip.build()
    moves = chain.moves(settings)
    return [
        EffectSettings(
            effect=slot.effect.name,
            label=slot.label,
            neutral=slot.bypass or _does_nothing(slot, settings[slot.label]),
            bypass=slot.bypass,
            moves=moves[slot.label],
            worth=(worth or {}).get(slot.label),
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
                    param.depth,
                )
                for param in slot.effect.params
            ],
        )
        for slot in chain.slots
    ]


def _does_nothing(slot: Slot, settings: Settings) -> bool:
    """Whether a burst of loud noise leaves an effect unchanged."""
    noise = 0.5 * torch.randn(2, PROBE_RATE // 4, generator=torch.Generator().manual_seed(0)).clamp(-2, 2)
    out = Chain("probe", (slot,)).render_one(noise, {slot.label: settings}, PROBE_RATE)
    return float((out - noise).abs().max()) < INAUDIBLE


@dataclass(frozen=True, eq=False)
class _Song:
    """A sound (2, t) from which excerpts are taken: where it is active is found once."""

    x: Tensor
    rate: int

    @cached_property
    def _frames(self) -> Tensor:
        return frame_levels_db(self.x, self.rate)

    def start(self, seconds: float) -> int:
        """Where the most active stretch of so many seconds begins, in samples."""
        return active_starts(self.x, self.rate, seconds=seconds, count=1, levels=self._frames)[0]

    def most_active(self, seconds: float) -> Tensor:
        """That stretch (2, n); all of what is shorter."""
        start = self.start(seconds)
        return self.x[:, start : start + round(seconds * self.rate)]


def _sound(voice: Voice, name: str, x: Tensor, rate: int, start_s: float, levels: Levels) -> Sound:
    """Of audio (channels, t): the mix has a longer excerpt than its stems."""
    song = _Song(to_stereo(x), rate)
    metrics, silent = load_metrics().values(), is_silent(x)
    properties = {metric.name: _own(metric, metric.property, song, levels) for metric in metrics if metric.property}
    return Sound(
        _clip(voice, song, start_s, CLIP_SECONDS if name == "mix" else STEM_CLIP_SECONDS),
        None if silent else _curve(voice, song),
        properties,
        None if silent else song.most_active(COMPARED_S)[None].clone(),
        rate,
    )


def _own(metric: Metric, of: Property, song: _Song, levels: Levels) -> float | None:
    """What can be measured of one sound."""
    if of.of_levels is not None:
        return of.of_levels(levels)
    stretch = song.x if of.longest_s is None else song.most_active(of.longest_s)
    return _value_of(metric, lambda: of.function(stretch[None], song.rate))


def _value_of(metric: Metric, value: Callable[[], Tensor]) -> float | None:
    """One value; nothing where it is not finite, or where a metric fails: a report is not lost to somebody's metric."""
    try:
        found = float(value())
    except Exception as error:
        warnings.warn(f"The metric '{metric.name}' failed: {error}", StitoWarning, stacklevel=2)
        return None
    return found if math.isfinite(found) else None


def _measured(source: Sound, made: Sound, reference: Sound | None) -> list[Measured]:
    """A line for each metric: the sounds' own values where it has a property, else how far they are off."""
    lines = []
    for metric in load_metrics().values():
        if metric.aligned:  # a reference is other music
            continue
        if of := metric.property:
            was, now, goal = (sound.properties[metric.name] if sound else None for sound in (source, made, reference))
            lines.append(Measured(of.title, of.unit, was, now, goal, metric.doc))
        elif reference is not None and reference.compared is not None:
            aim = None if metric.better == "neither" else reference
            was, now, goal = (_apart(metric, sound, reference) for sound in (source, made, aim))
            lines.append(Measured(metric.title or metric.name, metric.unit, was, now, goal, metric.doc))
    return lines


def _apart(metric: Metric, sound: Sound | None, reference: Sound) -> float | None:
    """The value of a metric for a sound and the reference, at the sound's rate."""
    if sound is None or sound.compared is None or reference.compared is None:
        return None
    made, rate = sound.compared, sound.sample_rate
    other = resample(reference.compared, reference.sample_rate, rate)
    return _value_of(metric, lambda: metric(made, other, rate))


def _clip(voice: Voice, song: _Song, start_s: float, seconds: float) -> Clip:
    """A few seconds from where the input plays; of a shorter reference, from where it plays itself."""
    x, rate = song.x, song.rate
    start = round(start_s * rate)
    if voice == "reference" and start + round(seconds * rate) > x.shape[-1]:
        start = song.start(seconds)
    excerpt = x[:, start : start + round(seconds * rate)].clone()
    if rate > MAX_CLIP_RATE:
        excerpt, rate = resample(excerpt, rate, MAX_CLIP_RATE), MAX_CLIP_RATE
    return Clip(voice, excerpt.contiguous().numpy(), rate, loudness(excerpt, rate), start_s)


def _curve(voice: Voice, song: _Song) -> Curve:
    grid = log_grid(30.0, min(16_000.0, 0.45 * song.rate), 12)
    levels = long_term_spectrum(song.most_active(LONGEST_S), song.rate, grid)
    return Curve(voice, grid.numpy(), levels.to(torch.float64).numpy())


def _provenance(outcome: Outcome) -> list[Fact]:
    provenance = outcome.preset.provenance
    if provenance is None:
        return []
    facts = [Fact(f"Input {name}", digest) for name, digest in provenance.input.items()]
    facts += [Fact(f"Reference {name}", digest) for name, digest in provenance.reference.items()]
    return facts + [Fact(package, number) for package, number in provenance.versions.items()]
