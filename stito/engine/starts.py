"""Where a search may start, how far each place is from the reference, and which one to trust.

`neutral` is the input as it is, `match` the closed form, `predict` the predicted settings, `neural` those that render
what a converter makes, `ensemble` the mean of these two.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from stito.compute.phases import phase
from stito.effects.chain import Chain
from stito.engine.bus import Bus
from stito.engine.context import Context
from stito.engine.conversion import conversion_of, converted
from stito.engine.options import AUTO, ENSEMBLE, MATCH, NEURAL, NEUTRAL, PREDICT
from stito.engine.pairs import PairExcerpts
from stito.engine.solution import Solution
from stito.models.encoder import Familiar, embed_blend, same_style_distance
from stito.models.predictor import Guidance, Predictor
from stito.search.base import Found, Step
from stito.search.fit import fit
from stito.search.objective import EmbeddingDistance, Objective, Prior
from stito.search.stages import Stage

__all__ = ["Problem", "pose", "solution_from"]

FITTED, FITTED_S = 20, 3.0
"""Evaluations spent on settings that render what a converter made, and the seconds that they are fitted to: in 40
transfers with a known truth 12 evaluations lost .005 of the distance, and 20 on 6 s gained nothing over 3 s."""

START_STD = 3**-0.5
"""The standard deviation of the prior around a closed form, as a share of that of the chain's prior."""


@dataclass(eq=False)
class Problem:
    """A pair made ready: the objective, the places to start from, and how far each is from the reference.

    Attributes:
        objective: without a prior.
        prior: that of the chain; None for the same performance, where style and content need not be told apart.
        starts: theta (stems * dim,), or of a bus, by name.
        same_style_distance: that of an encoder that has learnt effects: the mean distance between other music under the
            same ones; 0 for any other.
        guidance: of the predictor whose settings may be trusted here; None where there is none.
        bus: how theta is laid out where the sum of stems goes through a master; None where there is none.
        stages: in which a bus is searched.
    """

    objective: Objective
    prior: Prior | None
    starts: Mapping[str, Tensor]
    same_style_distance: float = 0.0
    guidance: Guidance | None = None
    bus: Bus | None = None
    stages: Sequence[Stage] = ()
    _distances: dict[str, float] = field(default_factory=dict, repr=False)

    def distances(self, names: Sequence[str]) -> list[float]:
        """How far these starts are from the reference; each is measured once, when it is first asked for."""
        new = [name for name in names if name not in self._distances]
        if new:
            with torch.no_grad():
                found = self.objective.distance(torch.stack([self.starts[name] for name in new])).tolist()
            self._distances.update(zip(new, found, strict=True))
        return [self._distances[name] for name in names]

    def distance(self, name: str) -> float:
        """How far one start is."""
        return self.distances([name])[0]

    def choose(self, init: str) -> str:
        """The start of that name; with `auto`, or where there is none of that name, the one to trust.

        Between different songs that is what networks have learnt, or else the input as it is, if it is no further than
        the encoder's `same_style_distance`; for the same performance it is the closest.
        """
        if init in self.starts:
            return init
        if self.prior is not None:
            if ENSEMBLE in self.starts:
                return ENSEMBLE
            if self.distance(NEUTRAL) <= self.same_style_distance:
                return NEUTRAL
        self.distances(list(self.starts))
        return min(self.starts, key=self.distance)

    def prior_around(self, start: str) -> Prior | None:
        """What a search from there is regularised towards: the start itself, and from neutral what is usual."""
        if self.prior is None or start == NEUTRAL:
            return self.prior
        return self.prior.around(self.starts[start], self.guidance.prior_std if self.guidance else START_STD)

    def stages_under(self, prior: Prior | None) -> list[Stage]:
        """The stages with a prior in what they minimise."""

        def under(stage: Stage) -> Stage:
            return replace(stage, objective=lambda theta: stage.objective(theta).with_prior(prior))

        return [under(stage) for stage in self.stages]


def pose(pair: PairExcerpts, context: Context, *, wanted: str = AUTO) -> Problem:
    """Everything about a pair that does not change during a search, computed once.

    Places that need a network are there where they are `wanted` by name, and with `auto` where they reduce the
    distance.
    """
    with phase("starts", pair.name):
        return _posed(pair, context, wanted)


def _posed(pair: PairExcerpts, context: Context, wanted: str) -> Problem:
    bus = Bus.of(pair, context)
    if bus is not None:
        return _posed_on(bus, pair, context)
    stems = len(pair.candidates)
    objective = context.objective(pair)
    # several stems start from one closed form for their sum, the same for each: what is linear does the same to both
    places = {NEUTRAL: context.chain.encode({}), MATCH: _closed_form(pair, context.chain)}
    predictor = None
    if not pair.joint:
        predictor = context.networks.predictor if wanted in (AUTO, PREDICT, ENSEMBLE) else None
        places |= _learnt(pair, context, predictor, places[MATCH], wanted)
    problem = Problem(
        objective=objective,
        prior=None,
        starts={place: theta.repeat(stems) for place, theta in places.items()},
        same_style_distance=_same_style(context),
        guidance=predictor.guidance if predictor else None,
    )
    if pair.same_performance:
        return problem
    trusted = [place for place in (wanted, ENSEMBLE) if place in places]
    problem.distances([NEUTRAL, *trusted[:1]])  # side by side
    prior = Prior.of(context.chain, context.options.prior_weight * problem.distance(NEUTRAL))
    problem.prior = Prior.join([prior] * stems).to(context.options.device)
    return problem


def _same_style(context: Context) -> float:
    """How close to the reference a start may be left as it is: only a network that has learnt effects can tell."""
    encoder = context.encoder
    tells = context.options.objective is None and isinstance(encoder, Familiar) and bool(encoder.learnt_effects)
    return same_style_distance(encoder) if tells else 0.0


def _learnt(
    pair: PairExcerpts, context: Context, predictor: Predictor | None, closed_form: Tensor, wanted: str
) -> dict[str, Tensor]:
    """The predicted settings of one stem: those that are wanted by name, and those that may be trusted."""
    (excerpts,) = pair.candidates.values()
    places: dict[str, Tensor] = {}
    if predictor is not None:
        predicted = predictor.predict(pair.inputs, pair.target, context.chain, pair.sample_rate)
        if wanted in (PREDICT, ENSEMBLE) or reduces(predicted, predictor, pair, context):
            places[PREDICT] = predicted
    trusted = PREDICT in places and not pair.same_performance
    if wanted in (NEURAL, ENSEMBLE) or (wanted == AUTO and trusted):
        converter, source = context.networks.converter()
        made = converted(conversion_of(pair, converter, source), pair)
        samples = round(FITTED_S * pair.sample_rate)
        begin = max(0, excerpts[0].shape[-1] - samples) // 2
        source_excerpt, target = (x[:, begin : begin + samples].contiguous() for x in (excerpts[0], made[0]))
        prepared = context.chain.prepare(source_excerpt, pair.sample_rate, wrapped=True)
        places[NEURAL] = fit([prepared], [target], closed_form, FITTED)
    if len(places) == 2:
        places[ENSEMBLE] = (places[PREDICT] + places[NEURAL]) / 2
    return places


def reduces(predicted: Tensor, predictor: Predictor, pair: PairExcerpts, context: Context) -> bool:
    """Whether a prediction reduces the distance to the reference, as the predictor's evaluation encoder measures it.

    Where it does not, the input is unlike those that the predictor has learnt from.
    """
    encoder = predictor.evaluation_encoder
    if encoder.sample_rate != pair.sample_rate:
        return True
    measure = EmbeddingDistance(encoder, embed_blend(encoder, pair.target))
    objective = Objective(context.stem(pair), measure, torch.device(context.options.device))
    neutral, there = objective.distance(torch.stack([context.chain.encode({}), predicted])).tolist()
    return bool(there < neutral)


def _closed_form(pair: PairExcerpts, chain: Chain) -> Tensor:
    """Theta (dim,) of a chain's closed form."""
    source, target = torch.cat(list(pair.inputs), dim=-1).cpu(), pair.target.in_a_row()
    reference = target[0][0] if len(target) == 1 else target
    return chain.encode(chain.initial_settings(source, reference, pair.sample_rate))


def _posed_on(bus: Bus, pair: PairExcerpts, context: Context) -> Problem:
    """Several stems and a master: the closed form is the master's, for the sum; faders and strips are neutral."""
    objective, stages = bus.objective(pair, context)
    master = {NEUTRAL: bus.master.encode({}), MATCH: _closed_form(pair, bus.master)}
    problem = Problem(
        objective=objective,
        prior=None,
        starts={place: bus.place(theta) for place, theta in master.items()},
        same_style_distance=_same_style(context),
        bus=bus,
        stages=stages,
    )
    if pair.same_performance:
        return problem
    problem.distances(list(problem.starts))  # side by side
    prior = bus.prior(context.options.prior_weight * problem.distance(NEUTRAL))
    problem.prior = prior.to(context.options.device)
    return problem


def solution_from(
    pair: PairExcerpts,
    context: Context,
    problem: Problem,
    start: str,
    *,
    started: float,
    stop: str,
    found: Found | None = None,
) -> Solution:
    """What a search found from a start, or the start itself; `started` is when the work on the pair began."""
    prior, bus, theta = problem.prior_around(start), problem.bus, problem.starts[start]
    guided = prior is not problem.prior
    neutral, after = problem.distances([NEUTRAL, start])
    before, at_start = (
        apart + _penalty(prior, problem.starts[name]) for name, apart in ((NEUTRAL, neutral), (start, after))
    )
    if found:
        theta = found.theta
        with torch.no_grad():
            after = float(problem.objective.distance(theta[None])[0])
    return Solution(
        name=pair.name,
        loss_before=neutral,
        loss_after=after,
        seconds=time.perf_counter() - started,
        stop=stop,
        strips=bus.strips(theta) if bus else context.strips(pair, theta),
        master=(bus.master, bus.master_settings(theta)) if bus else None,
        faders_db=bus.faders(theta) if bus else {},
        objective_before=None if guided else before,
        objective_start=at_start,
        start=start,
        evaluations=found.evaluations if found else 0,
        history=found.history if found else (),
        distances=_distances(found.history, prior) if found else (),
        same_performance=pair.same_performance,
    )


def _penalty(prior: Prior | None, theta: Tensor) -> float:
    """What a prior adds to the distance at theta (dim,)."""
    return 0.0 if prior is None else float(prior(theta[None].to(prior.mean.device))[0])


def _distances(history: Sequence[Step], prior: Prior | None) -> tuple[float, ...]:
    """What is left of the losses without the prior: nothing has to be rendered for that."""
    losses = torch.tensor([step.loss for step in history])
    if prior is not None:
        losses -= prior(torch.stack([step.theta for step in history]).to(prior.mean.device)).cpu()
    return tuple(losses.tolist())
