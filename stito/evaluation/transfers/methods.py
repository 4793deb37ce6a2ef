"""One method on one case: the settings that it finds, and how far its result is from the truth."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from stito import registry
from stito.audio import resample, write_audio
from stito.console.preset import StripPreset
from stito.console.strips import gain, loudness, render_strip
from stito.effects.chain import Chain, ChainSettings
from stito.engine.methods.base import load_method
from stito.engine.options import AUTO, MATCH, NEURAL, NEUTRAL, PREDICT, TransferOptions
from stito.engine.solve import prepare, solve
from stito.errors import WeightsError
from stito.evaluation.encoders.cases import SAMPLE_RATE
from stito.evaluation.listening.trials import REFERENCE
from stito.evaluation.transfers.cases import Case
from stito.evaluation.transfers.plan import ORACLE_EVALUATIONS, PLAIN, TransferPlan
from stito.evaluation.transfers.rows import Row
from stito.files.names import file_name
from stito.metrics import compare
from stito.metrics.spectral import MultiScaleSpectral
from stito.models.encoder import Encoder, digest_of, distance
from stito.models.loading import load_converter, load_encoder
from stito.search.base import Step
from stito.search.fit import fit
from stito.streams import Purpose, derived_seed
from stito.training.tasks.target_settings import target_settings

__all__ = ["Asked", "ask", "ask_again", "audio_file", "measure", "oracle", "warm_up"]


@dataclass(frozen=True)
class Asked:
    """A method as it was asked for, with everything loaded: how settings are found, where a search starts, and
    the encoder that it searches with.

    `digest` is of the weights that decide: those of the encoder, and of the converter where it is used.
    """

    name: str
    how: str = ""
    init: str = "auto"
    encoder: Encoder | None = None
    digest: str = ""


@dataclass(frozen=True)
class _Made:
    """What a method found for each stem: strips, settings where there are any, and how it came to them."""

    strips: Mapping[str, StripPreset]
    settings: Mapping[str, ChainSettings]
    evaluations: int = 0
    history: Sequence[Step] = ()
    distances: Sequence[float] = ()
    first_candidate_s: float = 0.0
    """Seconds before the first candidate was tried."""


def ask(method: str) -> Asked:
    """A method by its name."""
    if method in PLAIN:
        return Asked(method)
    name, argument = registry.parse_name(method)
    measured = registry.default("measured encoder")
    if name == NEURAL:
        digest = digest_of(load_converter(argument or registry.default("converter")))
        return Asked(method, method, encoder=load_encoder(measured), digest=digest)
    load_method(name)  # an error now, not behind the first methods of the first case
    source, init = registry.parse_name(argument or measured)
    encoder = load_encoder(source)
    alone = (MATCH, NEUTRAL, PREDICT)  # these do not use the converter
    start = "" if name in alone or init in alone else digest_of(load_converter(registry.default("converter")))
    return Asked(method, name, init or AUTO, encoder, digest_of(encoder) + start)


@lru_cache(maxsize=16)
def ask_again(method: str, digest: str) -> Asked:
    """A method, loaded once in each process; `WeightsError` where it has other weights than were asked for."""
    asked = ask(method)
    if asked.digest != digest:
        raise WeightsError(f"The weights of {method} differ between machines.", hint="Install the same stito on all.")
    return asked


def measure(
    case: Case, asked: Asked, chain: Chain, evaluation_encoder: Encoder, plan: TransferPlan, audio: Path | None = None
) -> Row:
    """Run a method on a case and measure its result.

    Args:
        case: what is transferred.
        asked: the method, loaded.
        chain: what searches set.
        evaluation_encoder: measures how close the result is to reference and truth.
        plan: what is run.
        audio: a folder that gets the result and the truth as files.

    Raises:
        KeyboardInterrupt: the search was interrupted: half a search is no result.
    """
    started = time.perf_counter()
    made = _make(case, asked, chain, plan)
    result = _render(case, asked, made.strips)
    seconds = time.perf_counter() - started
    if audio:
        for name, sound in ((REFERENCE, case.truth), (asked.name, result)):
            file = audio_file(audio, case.number, case.subject, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            write_audio(file, sound, SAMPLE_RATE, subtype="FLOAT", overwrite=True)
    truth = MultiScaleSpectral(case.truth[None])
    apart = truth(result[None])
    measures = {"left_right": float(apart.left_right[0]), "mid_side": float(apart.mid_side[0])}
    measures |= compare(result, case.truth, SAMPLE_RATE, but=measures)
    measures |= _embedding_distances(case, result, evaluation_encoder) | _knobs_off(case, made, chain, plan)
    if made.settings:
        measures["moves"] = sum(strip.moves for strip in made.strips.values()) / len(made.strips)
    if case.sdr_db is not None:
        measures["sdr_db"] = case.sdr_db
    history: list[tuple[int, float]] = []
    for step, apart_now in zip(made.history, made.distances, strict=True):
        if not history or apart_now != history[-1][1]:
            history.append((step.evaluations, apart_now))
    return Row(
        case.number,
        case.subject,
        asked.name,
        measures,
        seconds,
        made.evaluations,
        asked.digest,
        case.reverb,
        _anytime_curve(case, asked, chain, made, seconds, truth, plan),
        history,
    )


def warm_up(case: Case, asked: Asked, chain: Chain, plan: TransferPlan) -> None:
    """Load and build what a method needs the first time, so that clocks start with its work."""
    _render(case, asked, _make(case, asked, chain, replace(plan, evaluations=1, at=())).strips)


def audio_file(folder: Path, number: int, subject: str, method: str) -> Path:
    """Where the result of a method on a case is kept."""
    return folder / f"case-{number:02d}-{subject}" / f"{file_name(method)}.wav"


def oracle(source: Tensor, truth: Tensor, chain: Chain, evaluations: int, seed: int) -> ChainSettings:
    """The settings of a chain that a search finds when it may look at the truth; audio (2, t) at 44.1 kHz.

    The gradient's, from the closed form and on a sample of frames, where the chain has one; else that of CMA-ES.
    """
    start = chain.encode(chain.initial_settings(source, truth, SAMPLE_RATE))
    return chain.settings(fit([chain.prepare(source, SAMPLE_RATE)], [truth], start, evaluations, seed))


def _make(case: Case, asked: Asked, chain: Chain, plan: TransferPlan) -> _Made:
    if asked.encoder is None:
        looks = asked.name == "oracle"
        evaluations = (plan.evaluations or ORACLE_EVALUATIONS) if looks else 0
        settings = {
            name: oracle(part.source, part.truth, chain, evaluations, _seed(plan, case, name))
            if looks
            else chain.neutral()
            for name, part in case.parts.items()
        }
        strips = {name: StripPreset.of(chain, found) for name, found in settings.items()}
        return _Made(strips, settings, evaluations * len(settings))
    started = time.perf_counter()
    options = TransferOptions(
        method=asked.how,
        init=asked.init,
        predictor=plan.predictor or None,
        chain=chain,
        encoder=asked.encoder,
        budget=plan.budget,
        seed=_seed(plan, case),
        prior_weight=plan.prior,
        simplify=plan.simplify,
    )
    solved = solve(prepare(case.inputs(), case.references(), options))
    if solved.interrupted:
        raise KeyboardInterrupt
    seconds = time.perf_counter() - started
    solutions = list(solved.solutions.values())
    settings = {stem: settings for found in solutions for stem, (_, settings) in found.strips.items()}
    history, distances = (solutions[0].history, solutions[0].distances) if len(solutions) == 1 else ((), ())
    return _Made(
        {stem: solved.preset.stems[stem] for stem in case.parts},
        settings,
        sum(found.evaluations for found in solutions),
        history,
        distances,
        seconds - (history[-1].seconds if history else 0.0),
    )


def _seed(plan: TransferPlan, case: Case, *stem: str) -> int:
    """What a search on a case starts from: the same for all methods."""
    return derived_seed(plan.seed, Purpose.CASE_SEARCH, case.number, *stem)


def _render(case: Case, asked: Asked, strips: Mapping[str, StripPreset]) -> Tensor:
    """The sum of the stems under what was found, each as loud as the reference asks."""
    sounds = []
    for name, part in case.parts.items():
        sound = render_strip(part.source, strips[name], SAMPLE_RATE)
        if asked.name not in ("input", "oracle"):
            sound = sound * gain(part.asked_lufs - loudness(sound, SAMPLE_RATE))
        sounds.append(sound)
    return torch.stack(sounds).sum(0)


@torch.no_grad()
def _embedding_distances(case: Case, result: Tensor, evaluation_encoder: Encoder) -> dict[str, float]:
    """Distances between the embeddings of result, reference and truth."""
    sounds = torch.stack([result, case.reference, case.truth])
    made, reference, truth = torch.split(
        evaluation_encoder.embed(resample(sounds, SAMPLE_RATE, evaluation_encoder.sample_rate)), 1
    )
    apart = {"to_reference": (made, reference), "to_truth": (made, truth), "truth_to_reference": (truth, reference)}
    return {name: float(distance(evaluation_encoder, *pair)[0]) for name, pair in apart.items()}


def _knobs_off(case: Case, made: _Made, chain: Chain, plan: TransferPlan) -> dict[str, float]:
    """The mean distance of knobs from their target settings, in theta; nothing where no knob has a target."""
    wrong, count = 0.0, 0.0
    for name, part in case.parts.items():
        if part.effects is None or name not in made.settings or plan.mixed:
            return {}
        targets, has_target = target_settings(chain, part.effects)
        off = (chain.encode(made.settings[name]) - targets[0]).abs() * has_target[0]
        wrong, count = wrong + float(off.sum()), count + float(has_target.sum())
    return {"knobs_off": wrong / count} if count else {}


def _anytime_curve(
    case: Case,
    asked: Asked,
    chain: Chain,
    made: _Made,
    seconds: float,
    truth: MultiScaleSpectral,
    plan: TransferPlan,
) -> list[tuple[float, float, float]]:
    """The distance to the truth if the method were stopped at each moment: of the input, then of the best so far."""
    curve = []
    for moment in plan.at:
        sound = case.source
        if made.history:
            steps = [step for step in made.history if made.first_candidate_s + step.seconds <= moment]
            if steps:
                ((name, _),) = case.parts.items()
                sound = _render(case, asked, {name: StripPreset.of(chain, chain.settings(steps[-1].theta))})
        elif seconds <= moment:
            sound = _render(case, asked, made.strips)
        apart = truth(sound[None])
        curve.append((moment, float(apart.left_right[0]), float(apart.mid_side[0])))
    return curve
