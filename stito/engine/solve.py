"""From two mixes to settings: what is matched to what, their excerpts, and a method on each pair.

`prepare` takes all that is needed of the reference, which may be forgotten then; `solve` finds the settings.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

from stito import registry
from stito.compute.cores import check_device
from stito.compute.phases import phase
from stito.console.preset import ConversionPreset, Preset, Provenance, StripPreset
from stito.console.strips import Rendered, gain
from stito.effects.aspects import BALANCE, LEVEL, Amount
from stito.effects.chain import Chain
from stito.effects.chain_files import load_chain
from stito.engine.context import Context
from stito.engine.methods.base import Method, load_method
from stito.engine.networks import Networks
from stito.engine.options import AUTO, ENSEMBLE, NONE, PREDICT, TransferOptions
from stito.engine.pairs import ExcerptCutter, PairExcerpts
from stito.engine.result import OnStep, Progress, Solved
from stito.engine.routing import route
from stito.engine.simplify import simplified
from stito.engine.solution import Solution
from stito.engine.surroundings import notes_on_mixes, pairs_in_mixes, with_what_became
from stito.errors import SettingsError
from stito.mix import Mix
from stito.models.encoder import digest_of, has_learnt
from stito.models.loading import load_encoder
from stito.search.base import Budget, Step, StopReason
from stito.streams import Purpose, derived_seed
from stito.version import __version__

__all__ = ["Task", "context_for", "prepare", "solve"]

CANCELLED_DB = 20.0
"""Left minus right this far above left plus right is no stereo that anybody wants."""

RENDERERS = ("torch", "numpy", "pedalboard", "cma", "nevergrad")
"""Packages whose version stands in a preset: what renders and searches."""


@dataclass(frozen=True, eq=False)
class Task:
    """A transfer that is ready to be solved: all that is needed of input and reference."""

    method: Method
    context: Context
    pairs: Sequence[PairExcerpts]
    whole_mix: bool
    widened: bool
    target_lufs: Mapping[str, float]
    input_digests: Mapping[str, str]
    references: Sequence[tuple[str, float]]
    reference_digests: Mapping[str, str]
    notes: Sequence[str]

    def distance(self, pair: PairExcerpts, rendered: Rendered) -> float:
        """How far a pair is from its reference with what its stems have become: several together, as they are written.

        Their sum may have gone through a master. A loudness or a ceiling that the user asked for says nothing of the
        reference: it is measured without.
        """
        (stem, *others) = pair.candidates
        undone = 0.0 if rendered.delivery.is_usual else -rendered.output_gain_db
        result = rendered.mix if others else rendered.stems[stem]
        return self.context.distance(pair, pair.of_result(result, gain(undone)))


def prepare(mix: Mix, reference: Mix, options: TransferOptions) -> Task:
    """What is matched to what, and the excerpts of it; options that cannot be used fail here, before long work."""
    routes = route(mix, reference)
    method = load_method(options.method)
    if method.direct:  # what does not search starts nowhere
        options = replace(options, init=AUTO)
    joint = any(len(way.inputs) > 1 for way in routes.pairs.values())
    with phase("load"):
        context = replace(context_for(mix, options), master=_master(options, joint=joint))
    if options.predictor is not None or options.init in (PREDICT, ENSEMBLE):
        context.networks.require_predictor()  # a file is checked in any case
    method.check(context)
    rate = context.encoder.sample_rate
    cutter = ExcerptCutter(rate, options.excerpt_seconds, options.excerpt_count, options.device)
    pairs = []
    for name, to_cut in pairs_in_mixes(routes, mix, context.encoder, options.amounts).items():
        with phase("excerpts", name):
            pair = cutter.cut(to_cut)
        pairs.append(pair)
    if options.encoder == AUTO:
        context = _with_trained_encoder(context, pairs)
    if mix.is_mono:
        pairs, context = _in_mono(pairs, context)
    in_mixes = notes_on_mixes(routes, context.encoder) if options.objective is None else []
    with phase("measure"):
        targets = {"mix" if name == "sum" else name: way.loudness() for name, way in routes.pairs.items()}
    return Task(
        method=method,
        context=context,
        pairs=pairs,
        whole_mix=mix.kind == "mix",
        widened=mix.widened,
        target_lufs=targets,
        input_digests=mix.digests(),
        references=[(one.name, round(weight, 6)) for one, weight in reference.blended],
        reference_digests=_digests(reference),
        notes=[*routes.notes, *in_mixes, *_cancelled(mix), *_without_knobs(mix, options)],
    )


def _digests(reference: Mix) -> dict[str, str]:
    """Those of the reference's stems; of further ones behind their number, from 2."""
    others = enumerate((one for one, _ in reference.also), 2)
    return reference.digests() | {f"{i}/{stem}": digest for i, one in others for stem, digest in one.digests().items()}


def _in_mono(pairs: Sequence[PairExcerpts], context: Context) -> tuple[list[PairExcerpts], Context]:
    """Starts aim at what mono can come to; distances are to the reference as it is."""
    for pair in pairs:
        context.measure(pair)  # kept from here on
    return [pair.in_mono() for pair in pairs], replace(context, mono=True)


def _cancelled(mix: Mix) -> list[str]:
    """A note on each stem whose channels cancel each other."""
    return [
        f"{name}: left and right nearly cancel in mono; one of them may be upside down."
        for name in mix.stems
        if mix.levels(name).side_over_mid_db > CANCELLED_DB
    ]


def _without_knobs(mix: Mix, options: TransferOptions) -> list[str]:
    """A note on each aspect that is named, and that the chain has no knob of."""
    named = set(options.amounts.aspects) - {LEVEL, BALANCE}
    lacking = sorted(named - _chain(mix, options).aspects) if named else []
    return [f"{aspect}: the chain has no knob of it to leave alone." for aspect in lacking]


def _chain(mix: Mix, options: TransferOptions) -> Chain:
    """The chain of the options, or the default for such an input."""
    role: registry.Role = "chain of a mix" if mix.kind == "mix" else "chain of stems"
    return load_chain(options.chain or registry.default(role))


def context_for(mix: Mix, options: TransferOptions) -> Context:
    """What methods work with on such an input: the chain and the encoder of the options, or the defaults."""
    check_device(options.device)
    chain = _chain(mix, options).keeping(options.kept)
    encoder = load_encoder(registry.default("measured encoder") if options.encoder == AUTO else options.encoder)
    return Context(options, chain, encoder, Networks(chain, options.predictor), seed=options.seed)


def _master(options: TransferOptions, *, joint: bool) -> Chain | None:
    """The chain of the sum: there is one only where several stems are matched to one mix."""
    if options.master == NONE or (options.master == AUTO and not joint):
        return None
    if not joint:
        raise SettingsError(
            "A master is for several stems against one mix.",
            hint="Leave --master out, or give a folder of stems and a reference that is one file.",
        )
    chain = load_chain(registry.default("chain of a mix") if options.master == AUTO else options.master)
    return chain.keeping(options.kept)


def solve(task: Task, *, on_step: OnStep | None = None) -> Solved:
    """Settings for every pair. Ctrl-C is not an error: the best so far is taken, and a second one gives up."""
    options = task.context.options
    solutions = _solve_all(task, on_step)
    interrupted = any(solution.stop == StopReason.INTERRUPTED.value for solution in solutions.values())
    solutions = {name: found.keeping_input() if found.is_further else found for name, found in solutions.items()}
    notes = [*task.notes, *_notes(task, solutions)]
    if interrupted:
        notes.append("The search was interrupted: the best settings so far were applied.")
    preset = Preset(
        stems=_strips(solutions, options.amounts),
        master=_master_strip(solutions, options.amounts),
        widens=task.widened,
        loudness_lufs=options.loudness,
        ceiling_dbtp=options.ceiling,
        target_lufs=dict(task.target_lufs),
        provenance=Provenance(
            stito=__version__,
            versions=_versions(),
            method=options.method if isinstance(options.method, str) else options.method.name,
            encoder=_measure_name(task.context),
            encoder_digest=digest_of(task.context.encoder) or None,
            seed=options.seed,
            amount=options.amounts.whole,
            amounts=dict(Amount.of(options.amount).aspects),
            keep=list(options.kept),
            evaluations=sum(solution.evaluations for solution in solutions.values()),
            seconds=round(sum(solution.seconds for solution in solutions.values()), 3),
            input=dict(task.input_digests),
            references=list(task.references),
            reference=dict(task.reference_digests),
            losses={name: (found.loss_before, found.loss_after) for name, found in solutions.items()},
        ),
    )
    return Solved(solutions, preset, tuple(notes), interrupted)


def _with_trained_encoder(context: Context, pairs: Sequence[PairExcerpts]) -> Context:
    """The trained encoder where it is familiar with all of it: its effects, one stem at a time, other music."""
    if any(pair.joint or pair.same_performance for pair in pairs):
        return context
    trained = load_encoder(registry.default("trained encoder"))
    known = has_learnt(trained, [slot.effect.name for slot in context.chain.slots])
    return replace(context, encoder=trained) if known and trained.sample_rate == pairs[0].sample_rate else context


def _solve_all(task: Task, on_step: OnStep | None) -> dict[str, Solution]:
    """The method on every pair in turn.

    After Ctrl-C the rest gets its closed form; a second one gives up, and so does one before anything was found.
    """
    solutions: dict[str, Solution] = {}
    interrupted, spent, count = False, 0.0, len(task.pairs)
    for index, pair in enumerate(task.pairs):
        budget = _share(task.context.options.budget, spent, count - index)
        if pair.others:
            pair = with_what_became(pair, solutions, task.context)
            task.context.seen_among_others(pair)

        def report(step: Step, name: str = pair.name, index: int = index, budget: Budget | None = budget) -> None:
            if on_step:
                on_step(Progress("search", name, index, count, budget, step))

        context = replace(
            task.context,
            seed=derived_seed(task.context.seed, Purpose.STEM_SEARCH, pair.name),
            budget=budget,
            on_step=report,
            interrupted=interrupted,
        )
        with phase("search", pair.name):
            try:
                found = task.method.solve(pair, context)
            except KeyboardInterrupt:
                if interrupted or not solutions:
                    raise
                found = task.method.solve(pair, replace(context, interrupted=True))
        if not interrupted and found.stop != StopReason.INTERRUPTED.value:
            found = _simplified(found, pair, context)
        interrupted = interrupted or found.stop == StopReason.INTERRUPTED.value
        spent += found.history[-1].seconds if found.history else 0.0
        solutions[pair.name] = found
    return solutions


def _simplified(found: Solution, pair: PairExcerpts, context: Context) -> Solution:
    """The solution with few moves; after Ctrl-C as it is."""
    try:
        return simplified(found, pair, context)
    except KeyboardInterrupt:
        return replace(found, stop=StopReason.INTERRUPTED.value)


def _share(budget: Budget | None, spent: float, pairs_left: int) -> Budget | None:
    """This pair's share of the seconds that are left; evaluations are each pair's own."""
    if budget is None or budget.seconds is None:
        return budget
    return replace(budget, seconds=max(1e-3, (budget.seconds - spent) / pairs_left))


def _notes(task: Task, solutions: Mapping[str, Solution]) -> list[str]:
    """What a user should know of how it was solved."""
    options, method = task.context.options, task.method
    notes = []
    if any(solution.conversions for solution in solutions.values()):
        notes.append("A network rendered the stems: there are no settings to read or export.")
        if task.whole_mix:
            notes.append("The network was trained on single stems; a whole mix is more than it has learnt.")
    notes += [
        f"{name}: the reference is the same performance, so excerpts are from the same places in both."
        for name, solution in solutions.items()
        if solution.same_performance
    ]
    joint = {pair.name for pair in task.pairs if pair.joint}
    notes += [
        f"{name}: nothing is predicted for several stems at once; the closed form was taken."
        for name, solution in solutions.items()
        if method.direct and name in joint and not method.joint
    ]
    notes += [
        f"{name}: several stems at once have no such start as {options.init}; the search set out from {found.start}."
        for name, found in solutions.items()
        if not method.direct and options.init not in (AUTO, found.start)
    ]
    notes += [
        f"{name}: what the stems have in common is done by the master ({solution.master[0].name}); the stems are "
        "written as they go into it."
        for name, solution in solutions.items()
        if solution.master is not None
    ]
    return notes


def _strips(solutions: Mapping[str, Solution], amount: Amount) -> dict[str, StripPreset]:
    """The strip of every stem, that part of the way from neutral."""
    strips = {
        stem: StripPreset.of(
            chain,
            settings if solution.simplified and amount.is_all else chain.blend(settings, amount),
            amount.faders * solution.faders_db.get(stem, 0.0),
        )
        for solution in solutions.values()
        for stem, (chain, settings) in solution.strips.items()
    }
    for solution in solutions.values():
        for stem, conversion in solution.conversions.items():
            blended = ConversionPreset.of(conversion.blend(amount.whole)) if amount.whole > 0 else None
            strips[stem] = StripPreset(chain=[], conversion=blended)
    return strips


def _master_strip(solutions: Mapping[str, Solution], amount: Amount) -> StripPreset | None:
    """The master's strip, that part of the way from neutral; None where there is none."""
    for solution in solutions.values():
        if solution.master is not None:
            chain, settings = solution.master
            as_found = solution.simplified and amount.is_all
            return StripPreset.of(chain, settings if as_found else chain.blend(settings, amount))
    return None


def _measure_name(context: Context) -> str:
    """What distances were measured with: the encoder, or the user's objective."""
    objective = context.options.objective
    return context.encoder.name if objective is None else f"objective {type(objective).__name__}"


def _versions() -> dict[str, str]:
    """Versions of what renders and searches."""
    found = {"python": platform.python_version()}
    for package in RENDERERS:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
