"""One search: what is heard of input and reference, what is minimised, where it starts, and what was found."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stito.compute.cores import check_device
from stito.console.strips import gain, loudness
from stito.effects.chain import Chain, ChainSettings, Prepared
from stito.engine.conversion import Cloner
from stito.engine.pairs import Heard, Listener
from stito.errors import UnknownNameError
from stito.models.converter import Conversion
from stito.models.encoder import Encoder, distance, near
from stito.models.predictor import Predictor, no_predictor
from stito.search import create
from stito.search.base import Budget, Found, Step, StopReason
from stito.search.driver import minimise
from stito.search.fit import fit
from stito.search.objective import Prior, StyleObjective, SumObjective, embed_excerpts

__all__ = ["DIRECT", "INITS", "NEURAL", "Match", "Matcher", "Problem"]

INITS = ("auto", "ensemble", "predict", "neural", "match", "neutral")
"""Where a search may start; `auto` takes the one to trust: see `Problem.start`."""

AUTO, ENSEMBLE, PREDICT, NEURAL, MATCH, NEUTRAL = INITS

FITTED = 20
"""Evaluations spent on settings that render what a converter made of one excerpt; more excerpts come no nearer."""

EVALUATIONS = 1000
"""Candidates of a search that is told no budget."""

GUIDED = 200
"""And of one between different songs where networks have a say in the start: more of them come nearer to the reference,
and no nearer to what its effects would make of the input (docs/measured.md)."""

NEAR = "The start is as near as other music under the same effects; nothing was searched."

DIRECT = {
    MATCH: "Closed form, no search.",
    PREDICT: "Predicted, no search.",
    ENSEMBLE: "The mean of two networks' settings, no search.",
}
"""Methods that take a start as their result."""


@dataclass(frozen=True)
class Match:
    """One search: the strips that it set, and how it went; or what a converter renders instead (`conversions`).

    `loss_before` and `loss_after` are distances to the reference; `objective_before` (the untouched input) and
    `objective_start` (where the search set out: `start`) include the prior, as the losses in `history` do; `distances`
    are those of the best at each step of it, without. Where the prior draws to a guess, the untouched input's objective
    would say how far it is from that, and is None.
    """

    name: str
    strips: Mapping[str, tuple[Chain, ChainSettings]]
    loss_before: float
    loss_after: float
    objective_before: float | None
    objective_start: float
    start: str
    evaluations: int
    seconds: float
    stop: str
    history: tuple[Step, ...] = ()
    distances: tuple[float, ...] = ()
    same_performance: bool = False
    conversions: Mapping[str, Conversion] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """A pair made ready for a search: the objective, the places to start from, and how far each is.

    `prior` is that of the chain; there is none for the same performance, where nothing is needed to tell style from
    content. `near` is how near other music is under the same effects (`Encoder.near`).
    """

    name: str
    stems: tuple[str, ...]
    objective: StyleObjective | SumObjective
    prior: Prior | None
    starts: Mapping[str, Tensor]
    distances: Mapping[str, float]
    near: float = 0.0

    @property
    def same_performance(self) -> bool:
        """Whether input and reference play the same notes at the same time."""
        return self.prior is None

    def start(self, init: str) -> str:
        """The place of that name; with `auto`, or where there is none of that name, the one to trust.

        Between different songs that is what networks have learnt, whatever the encoder of the search hears of the
        music, or else the input as it is, if that is near already; for the same performance it is what is nearest.
        """
        if init in self.starts:
            return init
        if ENSEMBLE in self.starts and not self.same_performance:
            return ENSEMBLE
        if self.distances[NEUTRAL] <= self.near and not self.same_performance:
            return NEUTRAL
        return min(self.distances, key=lambda name: self.distances[name])

    def prior_around(self, start: str) -> Prior | None:
        """A guess is what a search is drawn to, of one stem or of the sum of several."""
        return self.prior.around(self.starts[start]) if self.prior and start != NEUTRAL else self.prior


@dataclass(frozen=True)
class Matcher:
    """One transfer's way of matching, the same for all its pairs.

    `seconds` and `count` say how much of input and reference is heard; `prior_weight` is in units of the untouched
    input's distance to the reference; `init` is one of `INITS`. A `cloner` there is where one may be needed.
    """

    method: str
    chain: Chain
    encoder: Encoder
    predictor: Predictor | None
    cloner: Cloner | None
    init: str
    prior_weight: float
    seconds: float
    count: int
    device: str

    def check(self, seed: int) -> None:
        """Fail on an unknown method or device before anything long begins."""
        check_device(self.device)
        if self.init not in INITS:
            raise UnknownNameError.of("init", self.init, INITS)
        if self.predictor is None and self._asks(PREDICT, ENSEMBLE):
            raise no_predictor(self.chain)
        if self.method not in DIRECT and not self.converts:
            create(self.method, self.chain.dim, seed=seed).close()

    @property
    def converts(self) -> bool:
        """Whether a converter renders the result, and nothing is searched."""
        return self.method.partition(":")[0] == NEURAL

    def convert(self, heard: Heard) -> Match:
        """Let the converter render."""
        assert self.cloner is not None
        started = time.perf_counter()
        conversion = self.cloner.conversion(heard)
        ((stem, excerpts),) = heard.candidates.items()
        goal = embed_excerpts(self.encoder, heard.references)
        converted = _converted(conversion, heard)
        before, after = (
            float(distance(self.encoder, embed_excerpts(self.encoder, sound), goal)[0])
            for sound in (excerpts, converted)
        )
        return Match(
            name=heard.name,
            strips={},
            loss_before=before,
            loss_after=after,
            objective_before=None,
            objective_start=after,
            start=NEURAL,
            evaluations=0,
            seconds=time.perf_counter() - started,
            stop="Converted by a network, no search.",
            same_performance=heard.aligned,
            conversions={stem: conversion},
        )

    def allowance(self, problem: Problem) -> Budget | None:
        """The budget of a search that is told none: what is of use, which may be nothing."""
        if self.predictor is None or problem.same_performance or len(problem.stems) > 1:
            return Budget(EVALUATIONS)
        return Budget(GUIDED) if problem.distances[problem.start(self.init)] > problem.near else None

    def search(
        self, problem: Problem, seed: int, budget: Budget | None, on_step: Callable[[Step], None], *, skip: bool = False
    ) -> Match:
        """Find settings; with `skip`, or without a budget, the start is taken."""
        started = time.perf_counter()
        found: Found | None = None
        direct = self.method if self.method in problem.starts else MATCH
        start = direct if self.method in DIRECT else problem.start(self.init)
        theta = problem.starts[start]
        prior = problem.objective.prior = problem.prior_around(start)
        guessed = prior if prior is not problem.prior else None
        with torch.no_grad():
            before, at_start = problem.objective(torch.stack([problem.starts[NEUTRAL], theta])).tolist()
        if self.method in DIRECT:
            stop = DIRECT[start]
        elif skip:
            stop = StopReason.INTERRUPTED.value
        elif budget is None:
            stop = NEAR
        else:
            search = create(self.method, len(theta), seed=seed, start=theta)
            if guessed:
                search.expect(guessed.std.cpu())
            found = minimise(problem.objective, search, budget=budget, on_step=on_step)
            theta, stop = found.theta, found.detail or found.stop.value
        with torch.no_grad():
            after = float(problem.objective.style(theta[None])[0])
        parts = torch.split(theta, self.chain.dim)
        return Match(
            name=problem.name,
            strips={
                stem: (self.chain, self.chain.settings(part)) for stem, part in zip(problem.stems, parts, strict=True)
            },
            loss_before=problem.distances[NEUTRAL],
            loss_after=after,
            objective_before=None if guessed else before,
            objective_start=at_start,
            start=start,
            evaluations=found.evaluations if found else 0,
            seconds=time.perf_counter() - started,
            stop=stop,
            history=found.history if found else (),
            distances=_distances(found.history, prior) if found else (),
            same_performance=problem.same_performance,
        )

    @property
    def listener(self) -> Listener:
        """Who cuts the excerpts."""
        return Listener(self.encoder.sample_rate, self.seconds, self.count, self.device)

    def pose(self, heard: Heard) -> Problem:
        """Everything that does not change during the search, computed once."""
        rate, inputs, references = self.encoder.sample_rate, heard.inputs, heard.references
        stems = len(heard.candidates)
        goal = embed_excerpts(self.encoder, references)
        prepared = [[self.chain.prepare(x, rate) for x in excerpts] for excerpts in heard.candidates.values()]
        objective: StyleObjective | SumObjective = (
            StyleObjective(prepared[0], self.encoder, goal)
            if stems == 1
            else SumObjective(prepared, self.encoder, goal)
        )
        # several stems start from one guess for their sum, the same for each: what is linear does the same to both
        places = {NEUTRAL: self.chain.encode({}), MATCH: self._guess(inputs, references)}
        if stems == 1:
            places |= self._learnt(heard, prepared[0], places[MATCH])
        places = {place: theta.repeat(stems) for place, theta in places.items()}
        with torch.no_grad():
            distances = objective.style(torch.stack(list(places.values()))).tolist()
        found = dict(zip(places, distances, strict=True))
        prior = Prior.of(self.chain, self.prior_weight * found[NEUTRAL])
        return Problem(
            name=heard.name,
            stems=tuple(heard.candidates),
            objective=objective,
            prior=None if heard.aligned else Prior.join([prior] * stems).to(self.device),
            starts=places,
            distances=found,
            near=near(self.encoder),
        )

    def _learnt(self, heard: Heard, sources: Sequence[Prepared], guess: Tensor) -> dict[str, Tensor]:
        """What networks say of a stem: those that are asked for, and those that could be of use."""
        said: dict[str, Tensor] = {}
        if self.predictor is not None:
            rate = self.encoder.sample_rate
            predicted = self.predictor.predict(heard.inputs, heard.references, self.chain, rate)
            if self._asks(PREDICT, ENSEMBLE) or self._nearer(predicted, sources, heard.references):
                said[PREDICT] = predicted
        useful = PREDICT in said and not heard.aligned
        if self.cloner is not None and (useful or self._asks(NEURAL, ENSEMBLE)):
            said[NEURAL] = self._fitted(self.cloner, heard, sources[0], guess)
        if len(said) == 2:
            said[ENSEMBLE] = (said[PREDICT] + said[NEURAL]) / 2
        return said

    def _asks(self, *places: str) -> bool:
        """Whether one of these is asked for by name."""
        return self.method in places or self.init in places

    def _nearer(self, predicted: Tensor, sources: Sequence[Prepared], references: Sequence[Tensor]) -> bool:
        """Whether the predictor's own encoder hears that a prediction brings the input nearer to the reference.

        Where it does not, the input is unlike those that the predictor has learnt from.
        """
        assert self.predictor is not None
        encoder = self.predictor.judge
        if encoder.sample_rate != self.encoder.sample_rate:  # the excerpts are at the search's rate
            return True
        objective = StyleObjective(sources, encoder, embed_excerpts(encoder, references))
        neutral, there = objective.style(torch.stack([self.chain.encode({}), predicted])).tolist()
        return bool(there < neutral)

    def _fitted(self, cloner: Cloner, heard: Heard, source: Prepared, start: Tensor) -> Tensor:
        """Theta with which the chain renders what the converter makes of an excerpt, as loud as the reference."""
        return fit([source], _converted(cloner.conversion(heard), heard)[:1], start, FITTED)

    def _guess(self, excerpts: Sequence[Tensor], references: Sequence[Tensor]) -> Tensor:
        """Theta of the chain's closed-form guess."""
        source, reference = (torch.cat(list(heard), dim=-1).cpu() for heard in (excerpts, references))
        return self.chain.encode(self.chain.match(source, reference, self.encoder.sample_rate))


def _distances(history: Sequence[Step], prior: Prior | None) -> tuple[float, ...]:
    """What is left of the losses without the prior: nothing has to be rendered for that."""
    losses = torch.tensor([step.loss for step in history])
    if prior is not None:
        losses -= prior(torch.stack([step.theta for step in history]).to(prior.mean.device)).cpu()
    return tuple(losses.tolist())


def _converted(conversion: Conversion, heard: Heard) -> list[Tensor]:
    """The candidate's excerpts as a converter renders them, as loud as the reference, as faders will make them."""
    (excerpts,) = heard.candidates.values()
    made = [conversion.render(excerpt, heard.sample_rate) for excerpt in excerpts]
    wanted, found = (loudness(torch.cat(list(part), dim=-1), heard.sample_rate) for part in (heard.references, made))
    return [excerpt * gain(wanted - found) for excerpt in made]
