"""Transfer: from two mixes to settings, and from settings to audio.

A separator, if there is one, turns every mix into stems; `planning` says who is matched to whom, `matching` searches
each pair, `finishing` renders what was found.
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from stito.console.preset import ConversionPreset, Preset, Provenance, StripPreset
from stito.console.strips import loudness
from stito.effects.chain import Chain
from stito.effects.chain_files import load_chain
from stito.engine.conversion import Cloner
from stito.engine.defaults import DEFAULT_CONVERTER, DEFAULT_ENCODER, MEASURED_ENCODER, TRAINED_ENCODER
from stito.engine.pairs import Heard, Pair
from stito.engine.render import render_match
from stito.engine.result import Matched, Progress, TransferResult
from stito.engine.routing import plan_transfer
from stito.engine.solve import AUTO, DIRECT, ENSEMBLE, INITS, NEURAL, PREDICT, Match, Matcher, Problem
from stito.errors import ChainError, SettingsError, UnknownNameError
from stito.mix import Mix, read_mix
from stito.models.converters import load_converter
from stito.models.encoder import Encoder, digest_of
from stito.models.encoders import load_encoder
from stito.models.predictor import load_predictor, no_predictor
from stito.search.base import Budget, Step, StopReason
from stito.separation import Separator, load_separator, separate_mix
from stito.version import __version__

__all__ = ["PRIOR_WEIGHT", "match_style", "read_pair", "separated", "transfer"]

DEFAULT_CHAINS = {"mix": "mastering"}
PRIOR_WEIGHT = 1.0
"""How strongly settings are drawn to usual ones, in units of the untouched input's distance to the reference."""
LEARNT = (PREDICT, ENSEMBLE)
"""Methods that ask a predictor, and do not search."""
APART = "Give the reference as stems, or choose a separator with --separator."
EXCERPT_SECONDS = 6.0
EXCERPT_COUNT = 2


def transfer(
    mix: Mix | str | Path,
    reference: Mix | str | Path,
    *,
    method: str = "cma",
    chain: str | Path | Chain | None = None,
    encoder: str | Encoder = DEFAULT_ENCODER,
    budget: Budget | None = None,
    seed: int = 0,
    amount: float = 1.0,
    stem: str | None = None,
    separator: str | Separator = "none",
    init: str = "auto",
    predictor: str | Path | None = None,
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
        method: `cma`, `gradient`, `random`, `nevergrad[:NAME]`; or without a search `match` (closed form), `predict`
            (settings from a network), `ensemble` (the mean of these and of settings fitted to what another network
            renders) and `neural[:FILE]` (audio from a network, no settings).
        chain: a `Chain`, its name, text or TOML file; `mastering` for a whole mix and `mixing` for stems otherwise.
        encoder: the metric of style: an installed name, a file of weights, or any `Encoder`; `auto` is the trained one
            between different songs, stem by stem, by effects that it has learnt, else measured features.
        budget: of each stem's search in evaluations; its seconds are shared by all stems. Without one each search is
            given what is of use: 1,000 evaluations; between different songs 200 where networks have a say in the start
            (a stem, by effects that they have learnt, with `init` auto, ensemble or predict), and none where that is as
            near as other music under the same effects (`Encoder.near`).
        seed: same seed, same settings.
        amount: 0 leaves the input as it is, 1 goes all the way.
        stem: what a single file is (`vocals`, `drums`, ...), or the one stem of a folder to read.
        separator: how a mix becomes stems, an installed name (`demucs`, `spleeter2`; weights of your own behind a
            colon) or any `Separator`; with `none`, mixes are matched whole.
        init: where a search starts: `ensemble`, `predict`, `neural` (settings fitted to what a network renders),
            `match`, `neutral`, or `auto`, the one to trust.
        predictor: a file of weights that `recipes/predictor` made, to predict with instead of the installed ones.
        prior_weight: how strongly settings are drawn to the guess that a search starts from, in units of the input's
            distance to the reference; where both play the same performance there is no need for it.
        excerpt_seconds: the length of each excerpt that is heard.
        excerpt_count: how many excerpts of the input every candidate is heard on.
        device: where candidates are rendered and embedded.
        on_step: called after every generation of a search and before every rendering.

    Raises:
        StitoError: for anything that a person can mend, with a hint. Ctrl-C during a search is not an error: the
        best so far is applied.
    """
    mix, reference = read_pair(mix, reference, stem=stem, separator=separator, on_step=on_step)
    matched = match_style(
        mix,
        reference,
        method=method,
        chain=chain,
        encoder=encoder,
        budget=budget,
        seed=seed,
        amount=amount,
        init=init,
        predictor=predictor,
        prior_weight=prior_weight,
        excerpt_seconds=excerpt_seconds,
        excerpt_count=excerpt_count,
        device=device,
        on_step=on_step,
    )
    return render_match(mix, matched, on_step=on_step)


def read_pair(
    source: Mix | str | Path,
    reference: Mix | str | Path,
    *,
    stem: str | None = None,
    separator: str | Separator = "none",
    on_step: Callable[[Progress], None] | None = None,
) -> tuple[Mix, Mix]:
    """Input and reference, read from files or folders, and separated if a separator is named."""
    the_separator = load_separator(separator)  # before anything long is read
    return separated(_load(source, stem), _load(reference, stem), the_separator, on_step)


def separated(
    mix: Mix, reference: Mix, separator: Separator | None, on_step: Callable[[Progress], None] | None = None
) -> tuple[Mix, Mix]:
    """Input and reference with every mix among them separated into stems; as they are without a separator."""
    if separator is None:
        return mix, reference
    mixes = [one for one in (mix, reference) if one.kind == "mix"]
    apart = []
    for index, one in enumerate(mixes):

        def tell(share: float, name: str = one.name, index: int = index) -> None:
            if on_step:
                on_step(Progress("separate", name, index, len(mixes), share=share))

        tell(0.0)
        apart.append(separate_mix(one, separator, on_progress=tell))
    left = iter(apart)
    return (next(left) if mix.kind == "mix" else mix), (next(left) if reference.kind == "mix" else reference)


def match_style(
    mix: Mix,
    reference: Mix,
    *,
    method: str = "cma",
    chain: str | Path | Chain | None = None,
    encoder: str | Encoder = DEFAULT_ENCODER,
    budget: Budget | None = None,
    seed: int = 0,
    amount: float = 1.0,
    init: str = "auto",
    predictor: str | Path | None = None,
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
    if init not in INITS:
        raise UnknownNameError.of("init", init, INITS)
    asked, init = init, init if _searches(method) else AUTO  # what does not search starts nowhere
    plan = plan_transfer(mix, reference)
    the_chain = _chain(mix, chain)
    if method == "gradient" and not the_chain.differentiable:
        names = [slot.label for slot in the_chain.slots if not slot.effect.differentiable]
        raise ChainError(
            f"The gradient search needs differentiable effects; {', '.join(names)} cannot be differentiated.",
            hint="Use --method cma, or a chain of stito's own effects such as mixing.",
        )
    asks = _needs(method, init, AUTO, PREDICT, ENSEMBLE)
    known = load_predictor(the_chain, predictor) if asks or predictor else None  # a file is checked in any case
    matcher = Matcher(
        method=method,
        chain=the_chain,
        encoder=load_encoder(MEASURED_ENCODER if encoder == DEFAULT_ENCODER else encoder),
        predictor=known if asks else None,
        cloner=_cloner(method, init, asks and known is not None),
        init=init,
        prior_weight=prior_weight,
        seconds=excerpt_seconds,
        count=excerpt_count,
        device=device,
    )
    matcher.check(seed)

    heard = [
        matcher.listener.listen(Pair(name, inputs, target, mix.sample_rate, reference.sample_rate))
        for name, (inputs, target) in plan.searches.items()
    ]
    if encoder == DEFAULT_ENCODER and _familiar(the_chain, heard):
        matcher = replace(matcher, encoder=load_encoder(TRAINED_ENCODER))
    targets = {name: loudness(x, reference.sample_rate) for name, x in plan.loudness_targets.items()}
    digests = reference.digests()
    notes = plan.notes
    del plan
    if consume:
        for name in list(reference.stems):
            reference.release(name)
    if matcher.converts:
        matches = {pair.name: matcher.convert(pair) for pair in heard}
        notes.append("A network rendered the stems: there are no settings to read or export.")
        if mix.kind == "mix":
            notes.append("The network was trained on single stems; a whole mix is more than it has learnt.")
    else:
        matches = _search_all(_posed(heard, matcher), matcher, budget, seed, on_step)
    interrupted = any(match.stop == StopReason.INTERRUPTED.value for match in matches.values())
    notes += [
        f"{name}: the reference is the same performance, so both were heard at the same places."
        for name, match in matches.items()
        if match.same_performance
    ]
    notes += [
        f"{name}: nothing is predicted for several stems at once; the closed form was taken."
        for name, match in matches.items()
        if method in LEARNT and match.start != method
    ]
    notes += [
        f"{name}: several stems at once have no such start as {asked}; the search set out from {match.start}."
        for name, match in matches.items()
        if init not in (AUTO, match.start)
    ]
    if interrupted:
        notes.append("The search was interrupted: the best settings so far were applied.")
    preset = Preset(
        stems={
            stem: StripPreset.of(chain_of, chain_of.blend(settings, amount))
            for match in matches.values()
            for stem, (chain_of, settings) in match.strips.items()
        }
        | {
            stem: StripPreset(
                chain=[], conversion=ConversionPreset.of(conversion.blend(amount)) if amount > 0 else None
            )
            for match in matches.values()
            for stem, conversion in match.conversions.items()
        },
        target_lufs=targets,
        provenance=Provenance(
            stito=__version__,
            versions=_versions(),
            method=method,
            encoder=matcher.encoder.name,
            encoder_digest=digest_of(matcher.encoder) or None,
            seed=seed,
            amount=amount,
            evaluations=sum(match.evaluations for match in matches.values()),
            seconds=round(sum(match.seconds for match in matches.values()), 3),
            input=mix.digests(),
            reference=digests,
            losses={name: (match.loss_before, match.loss_after) for name, match in matches.items()},
        ),
    )
    return Matched(matches, preset, tuple(notes), interrupted)


def refusal(
    method: str,
    mix: Mix,
    reference: Mix,
    chain: str | Path | Chain | None = None,
    predictor: str | Path | None = None,
) -> SettingsError | None:
    """Why a method without a search has nothing to say of such a pair; None if it has, and for searches."""
    several = mix.kind == "stems" and reference.kind == "mix" and len(mix.stems) > 1
    if method.partition(":")[0] == NEURAL and several:
        return SettingsError("A converter renders stem by stem, and the reference is one mix.", hint=APART)
    if method in LEARNT:
        if several:
            return SettingsError("Settings are predicted stem by stem, and the reference is one mix.", hint=APART)
        the_chain = _chain(mix, chain)
        if load_predictor(the_chain, predictor) is None:
            return no_predictor(the_chain)
    return None


def _chain(mix: Mix, chain: str | Path | Chain | None) -> Chain:
    return load_chain(chain or DEFAULT_CHAINS.get(mix.kind, "mixing"))


def _cloner(method: str, init: str, predicted: bool) -> Cloner | None:
    """The converter of `neural` or `neural:FILE`, or of what has a part in where searches start."""
    name, _, source = method.partition(":")
    if name != NEURAL and not _needs(method, init, NEURAL, *((AUTO, ENSEMBLE) if predicted else ())):
        return None
    source = source if name == NEURAL and source else DEFAULT_CONVERTER
    return Cloner(load_converter(source), source)


def _posed(heard: list[Heard], matcher: Matcher) -> list[Problem]:
    """What is to be searched; what was heard is released."""
    problems = [matcher.pose(pair) for pair in heard]
    heard.clear()
    return problems


def _familiar(chain: Chain, heard: Sequence[Heard]) -> bool:
    """Whether the trained encoder is to be trusted: with effects that networks have learnt, for other music."""
    foreign = all(len(pair.candidates) == 1 and not pair.aligned for pair in heard)
    return foreign and load_predictor(chain) is not None


def _needs(method: str, init: str, *places: str) -> bool:
    """Whether one of these could be the result, or where a search starts."""
    return (init if _searches(method) else method) in places


def _searches(method: str) -> bool:
    return method not in DIRECT and method.partition(":")[0] != NEURAL


def _search_all(
    problems: Sequence[Problem],
    matcher: Matcher,
    budget: Budget | None,
    seed: int,
    on_step: Callable[[Progress], None] | None,
) -> dict[str, Match]:
    """Every search in turn. After Ctrl-C the rest keep their start; a second one gives up."""
    matches: dict[str, Match] = {}
    interrupted = False
    started = time.perf_counter()
    for index, problem in enumerate(problems):
        left = _share(budget, started, len(problems) - index) if budget else matcher.allowance(problem)

        def tell(step: Step, name: str = problem.name, index: int = index, left: Budget | None = left) -> None:
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


def _load(source: Mix | str | Path, stem: str | None) -> Mix:
    return source if isinstance(source, Mix) else read_mix(source, stem=stem)


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
