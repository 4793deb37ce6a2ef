"""Transfer: from two mixes to settings, and from settings to audio.

Four matchings: stems to the stems of the same name; a mix to a mix with one chain; stems to a mix jointly, so that
their *sum* matches; and a mix to stems, which is a mix to their sum. A separator turns every mix into stems first.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from torch import Tensor

from stito.audio import is_silent
from stito.chain import Chain
from stito.chains import load_chain
from stito.console import (
    CEILING_DBTP,
    SILENT_LUFS,
    Rendered,
    balance_faders,
    bounded_balance,
    gain,
    loudness,
    mix_down,
    render_strip,
)
from stito.encoder import Encoder
from stito.encoders import load_encoder
from stito.errors import AudioError, ChainError, SettingsError
from stito.matching import Match, Matcher, Pair, Problem
from stito.mix import Mix, add_up, read_mix
from stito.preset import Preset, Provenance, StripPreset
from stito.search.base import Budget, Step, StopReason
from stito.separate import Separator, load_separator, separate_mix
from stito.version import __version__

__all__ = [
    "Match",
    "Matched",
    "Progress",
    "TransferResult",
    "match_style",
    "render_match",
    "separated",
    "transfer",
]

DEFAULT_BUDGET = Budget(evaluations=1000)
DEFAULT_CHAINS = {"mix": "mastering"}
PRIOR_WEIGHT = 1.0
"""How strongly settings are drawn to usual ones, in units of the untouched input's distance to the reference."""
EXCERPT_SECONDS = 6.0
EXCERPT_COUNT = 2


@dataclass(frozen=True)
class Progress:
    """Where a transfer stands: what is being searched or rendered, and how the search does."""

    phase: Literal["search", "render"]
    name: str
    index: int
    count: int
    budget: Budget | None = None
    step: Step | None = None


@dataclass(frozen=True)
class Matched:
    """Settings for every stem, before rendering: enough to write a preset."""

    matches: Mapping[str, Match]
    preset: Preset
    target_lufs: Mapping[str, float]
    notes: tuple[str, ...] = ()
    interrupted: bool = False


@dataclass(frozen=True)
class TransferResult:
    """The settings as a preset, the audio that they make, and how they were found."""

    preset: Preset
    rendered: Rendered
    matched: Matched

    @property
    def notes(self) -> tuple[str, ...]:
        """What was and what was not matched, in sentences."""
        return self.matched.notes


@dataclass(frozen=True)
class Plan:
    """What is searched: for each name the input stems and the reference audio that their sum is to match."""

    searches: dict[str, tuple[dict[str, Tensor], Tensor]]
    loudness_targets: dict[str, Tensor]
    notes: list[str] = field(default_factory=list)


def transfer(
    mix: Mix | str | Path,
    reference: Mix | str | Path,
    *,
    method: str = "cma",
    chain: str | Path | Chain | None = None,
    encoder: str | Encoder = "features",
    budget: Budget = DEFAULT_BUDGET,
    seed: int = 0,
    amount: float = 1.0,
    stem: str | None = None,
    separator: str | Separator = "none",
    prior_weight: float = PRIOR_WEIGHT,
    excerpt_seconds: float = EXCERPT_SECONDS,
    excerpt_count: int = EXCERPT_COUNT,
    device: str = "cpu",
    on_step: Callable[[Progress], None] | None = None,
) -> TransferResult:
    """Make `mix` sound like `reference`.

    Args:
        mix: what to change: a `Mix`, an audio file, or a folder of stems.
        reference: what it should sound like; its content may differ.
        method: `cma`, `gradient`, `random`, `nevergrad[:NAME]`, or `match` (closed form, no search).
        chain: a `Chain`, its name, text or TOML file; `mastering` for a whole mix and `mixing` for stems otherwise.
        encoder: the metric of style: an installed name, a file of weights, or any `Encoder`.
        budget: of each stem's search in evaluations; its seconds are shared by all stems.
        seed: same seed, same settings.
        amount: 0 leaves the input as it is, 1 goes all the way.
        stem: what a single file is (`vocals`, `drums`, ...), or the one stem of a folder to read.
        separator: how a mix becomes stems, an installed name or any `Separator`; with `none`, mixes are matched whole.
        prior_weight: how strongly settings are drawn to what the chain's prior calls usual, in units of the input's
            distance to the reference; where both play the same performance there is no need for it.
        excerpt_seconds: the length of each excerpt that the search hears.
        excerpt_count: how many excerpts it hears of input and reference.
        device: where candidates are rendered and embedded.
        on_step: called after every generation of a search and before every rendering.

    Raises:
        StitoError: for anything that a person can mend, with a hint. Ctrl-C during a search is not an error: the
        best so far is applied.
    """
    the_separator = load_separator(separator)
    mix, reference = separated(_load(mix, stem), _load(reference, stem), the_separator)
    matched = match_style(
        mix,
        reference,
        method=method,
        chain=chain,
        encoder=encoder,
        budget=budget,
        seed=seed,
        amount=amount,
        prior_weight=prior_weight,
        excerpt_seconds=excerpt_seconds,
        excerpt_count=excerpt_count,
        device=device,
        on_step=on_step,
    )
    return render_match(mix, matched, on_step=on_step)


def separated(mix: Mix, reference: Mix, separator: Separator | None) -> tuple[Mix, Mix]:
    """Input and reference with every mix among them separated into stems; as they are without a separator."""
    if separator is None:
        return mix, reference
    return (
        separate_mix(mix, separator) if mix.kind == "mix" else mix,
        separate_mix(reference, separator) if reference.kind == "mix" else reference,
    )


def match_style(
    mix: Mix,
    reference: Mix,
    *,
    method: str = "cma",
    chain: str | Path | Chain | None = None,
    encoder: str | Encoder = "features",
    budget: Budget = DEFAULT_BUDGET,
    seed: int = 0,
    amount: float = 1.0,
    prior_weight: float = PRIOR_WEIGHT,
    excerpt_seconds: float = EXCERPT_SECONDS,
    excerpt_count: int = EXCERPT_COUNT,
    device: str = "cpu",
    on_step: Callable[[Progress], None] | None = None,
    consume: bool = False,
) -> Matched:
    """The first half of `transfer`: find the settings, render nothing at length.

    With `consume` the reference's audio is released once it has been listened to.
    """
    if not 0 <= amount <= 1:
        raise SettingsError(f"amount = {amount:g} is outside 0 to 1.", hint="0 is the input, 1 the whole transfer.")
    if excerpt_seconds < 0.5 or excerpt_count < 1:
        raise SettingsError("An analysis needs at least one excerpt of half a second.")
    plan = _plan(mix, reference)
    the_chain = load_chain(chain or DEFAULT_CHAINS.get(mix.kind, "mixing"))
    if method == "gradient" and not the_chain.differentiable:
        names = [slot.label for slot in the_chain.slots if not slot.effect.differentiable]
        raise ChainError(
            f"The gradient search needs differentiable effects; {', '.join(names)} cannot be differentiated.",
            hint="Use --method cma, or a chain of stito's own effects such as mixing.",
        )
    matcher = Matcher(
        method=method,
        chain=the_chain,
        encoder=load_encoder(encoder),
        prior_weight=prior_weight,
        seconds=excerpt_seconds,
        count=excerpt_count,
        device=device,
    )
    matcher.check(seed)

    problems = [
        matcher.listen(Pair(name, inputs, target, mix.sample_rate, reference.sample_rate))
        for name, (inputs, target) in plan.searches.items()
    ]
    targets = {name: loudness(x, reference.sample_rate) for name, x in plan.loudness_targets.items()}
    digests = reference.digests()
    notes = plan.notes
    del plan
    if consume:
        for name in list(reference.stems):
            reference.release(name)
    matches = _search_all(problems, matcher, budget, seed, on_step)
    interrupted = any(match.stop == StopReason.INTERRUPTED.value for match in matches.values())
    notes += [
        f"{name}: the reference is the same performance, so both were heard at the same places."
        for name, match in matches.items()
        if match.same_performance
    ]
    if interrupted:
        notes.append("The search was interrupted: the best settings so far were applied.")
    preset = Preset(
        stems={
            stem: StripPreset.of(chain_of, chain_of.blend(settings, amount))
            for match in matches.values()
            for stem, (chain_of, settings) in match.strips.items()
        },
        provenance=Provenance(
            stito=__version__,
            versions=_versions(),
            method=method,
            encoder=matcher.encoder.name,
            encoder_digest=getattr(matcher.encoder, "digest", None),
            seed=seed,
            amount=amount,
            evaluations=sum(match.evaluations for match in matches.values()),
            seconds=round(sum(match.seconds for match in matches.values()), 3),
            input=mix.digests(),
            reference=digests,
            losses={name: (match.loss_before, match.loss_after) for name, match in matches.items()},
        ),
    )
    return Matched(matches, preset, targets, tuple(notes), interrupted)


def _search_all(
    problems: Sequence[Problem],
    matcher: Matcher,
    budget: Budget,
    seed: int,
    on_step: Callable[[Progress], None] | None,
) -> dict[str, Match]:
    """Every search in turn. After Ctrl-C the rest keep their start; a second one gives up."""
    matches: dict[str, Match] = {}
    interrupted = False
    started = time.perf_counter()
    for index, problem in enumerate(problems):
        left = _share(budget, started, len(problems) - index)

        def tell(step: Step, name: str = problem.name, index: int = index, left: Budget = left) -> None:
            if on_step:
                on_step(Progress("search", name, index, len(problems), left, step))

        try:
            match = matcher.search(problem, seed + index, left, tell, skip=interrupted)
        except KeyboardInterrupt:
            if interrupted:
                raise
            match = matcher.search(problem, seed + index, left, tell, skip=True)
        interrupted = interrupted or match.stop == StopReason.INTERRUPTED.value
        matches[problem.name] = match
    return matches


def render_match(
    mix: Mix, matched: Matched, *, on_step: Callable[[Progress], None] | None = None, consume: bool = False
) -> TransferResult:
    """The second half of `transfer`: render at length, settle the balance on the sum, keep the peak in bounds.

    With `consume` each stem of `mix` is released once it is rendered, so that a long song is not held twice.
    """
    preset, rate = matched.preset, mix.sample_rate
    stems: dict[str, Tensor] = {}
    before: dict[str, float] = {}
    names = list(mix.stems)
    for index, name in enumerate(names):
        if on_step:
            on_step(Progress("render", name, index, len(names)))
        x, strip = mix.stems[name], preset.stems.get(name)
        before[name] = loudness(x, rate)
        stems[name] = render_strip(x, *strip.build(), rate) if strip else x.clone()
        del x
        if consume:
            mix.release(name)
    amount = preset.provenance.amount if preset.provenance else 1.0
    faders = _faders(stems, rate, before, matched.target_lufs, amount)
    for name, x in stems.items():
        x.mul_(gain(faders[name]))
    rendered = mix_down(stems, rate)
    settled = {
        name: preset.stems[name].model_copy(update={"fader_db": faders[name]})
        if name in preset.stems
        else StripPreset(chain=[], fader_db=faders[name])
        for name in stems
    }
    preset = preset.model_copy(update={"stems": settled, "output_gain_db": rendered.output_gain_db})
    notes = list(matched.notes)
    if rendered.output_gain_db < -0.05:
        notes.append(
            f"The sum was turned down by {-rendered.output_gain_db:.1f} dB so that its true peak stays below "
            f"{CEILING_DBTP:g} dBTP; it is that much quieter than the reference."
        )
    return TransferResult(preset, rendered, replace(matched, preset=preset, notes=tuple(notes)))


def _faders(
    stems: Mapping[str, Tensor], rate: int, before: Mapping[str, float], targets: Mapping[str, float], amount: float
) -> dict[str, float]:
    """Fader gains for the rendered stems; with an amount, a part of the way from the input's loudness."""
    after = {name: loudness(x, rate) for name, x in stems.items()}
    if "mix" in targets and "mix" not in stems:
        faders = bounded_balance(before, after)
        scaled = [x * gain(faders[name]) for name, x in stems.items()] if any(faders.values()) else stems.values()
        have, want = loudness(add_up(scaled), rate), targets["mix"]
        shift = amount * (want - have) if min(have, want) > SILENT_LUFS else 0.0
        return {name: fader + shift for name, fader in faders.items()}
    wanted = {name: before[name] + amount * (target - before[name]) for name, target in targets.items()}
    return balance_faders(after, wanted)


def _load(source: Mix | str | Path, stem: str | None) -> Mix:
    return source if isinstance(source, Mix) else read_mix(source, stem=stem)


def _plan(mix: Mix, reference: Mix) -> Plan:
    """Who is matched to whom."""
    inputs = {name: mix.stereo(name) for name in mix.stems}
    sounding = {name: x for name, x in inputs.items() if not is_silent(x)}
    notes = [*mix.notes, *(f"Reference: {note}" for note in reference.notes)]
    notes += [f"{name}: silent, left as it is." for name in inputs if name not in sounding]
    if not sounding:
        raise AudioError(f"{mix.name} is silent.", hint="There is nothing to transfer a style to.")
    if mix.kind == "mix":
        target = reference.stereo_sum()
        return Plan({"mix": (sounding, target)}, {"mix": target}, notes)
    if reference.kind == "mix":
        target = reference.stereo_sum()
        if len(sounding) > 1:
            notes.append("The reference is one mix: all stems were searched jointly, so that their sum matches it.")
        return Plan({"sum": (sounding, target)}, {"mix": target}, notes)
    return _plan_stems(sounding, mix, reference, notes)


def _plan_stems(sounding: Mapping[str, Tensor], mix: Mix, reference: Mix, notes: list[str]) -> Plan:
    """Stems to the stems of the same name."""
    searches, targets = {}, {}
    for name, x in sounding.items():
        if name in reference.stems and not is_silent(reference.stems[name]):
            target = reference.stereo(name)
            searches[name], targets[name] = ({name: x}, target), target
        else:
            notes.append(f"{name}: the reference has no such stem; it was left as it is, at its place in the balance.")
    notes += [f"{name}: only the reference has this stem." for name in reference.stems if name not in mix.stems]
    if not searches:
        raise AudioError(
            f"Input and reference share no stem: {', '.join(mix.stems)} against {', '.join(reference.stems)}.",
            hint="Name the files alike (vocals, drums, bass, other), or give the reference as one mix.",
        )
    return Plan(searches, targets, notes)


def _share(budget: Budget, started: float, searches_left: int) -> Budget:
    """This search's share of the seconds that are left; evaluations are each search's own."""
    if budget.seconds is None:
        return budget
    left = budget.seconds - (time.perf_counter() - started)
    return replace(budget, seconds=max(1e-3, left / searches_left))


def _versions() -> dict[str, str]:
    """Versions of what renders and searches."""
    found = {"python": platform.python_version()}
    for package in ("torch", "numpy", "pedalboard", "cma", "nevergrad"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
