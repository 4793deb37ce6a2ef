"""What a method works with: the options, the chain, the encoder, the networks, its share of the budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from stito.console.strips import MOST_MOVED_DB
from stito.effects.aspects import BALANCE, LEVEL
from stito.effects.chain import Chain, ChainSettings, Prepared
from stito.engine.networks import Networks
from stito.engine.options import AUTO, TransferOptions
from stito.engine.pairs import PairExcerpts
from stito.engine.solution import Solution
from stito.models.encoder import Encoder
from stito.models.in_mix import embed_reference_in_mix, others_at
from stito.search.base import Budget, Step
from stito.search.objective import (
    AudioDistance,
    Candidates,
    EmbeddingDistance,
    LevelCandidates,
    MeanDistance,
    Measure,
    MonoCandidates,
    Objective,
    StemCandidates,
    SumCandidates,
)

__all__ = ["Context"]


@dataclass(frozen=True, eq=False)
class Context:
    """What a method works with on one pair.

    Attributes:
        options: those of the transfer.
        chain: whose settings are looked for, the same for each stem.
        encoder: the metric of style.
        networks: the predictor and converters, loaded when they are asked for.
        seed: of this pair.
        budget: this pair's share; None where the user named none.
        on_step: to be called after every generation of a search.
        interrupted: the user wants an end: do what can be done at once.
        mono: whether the result is written in mono, and is judged as that.
        master: the chain of the sum of several stems; None where there is none.
    """

    options: TransferOptions
    chain: Chain
    encoder: Encoder
    networks: Networks
    seed: int = 0
    budget: Budget | None = None
    on_step: Callable[[Step], None] | None = None
    interrupted: bool = False
    mono: bool = False
    master: Chain | None = None
    _measures: dict[str, Measure] = field(default_factory=dict, repr=False)

    def master_of(self, pair: PairExcerpts) -> Chain | None:
        """The master's chain where this pair has one: several stems, and of the same performance only if asked for."""
        asked = self.options.master != AUTO or not pair.same_performance
        return self.master if pair.joint and asked else None

    def measure(self, pair: PairExcerpts) -> Measure:
        """How far audio is from the reference: the encoder's distance, or the objective that the user gave."""
        if pair.name not in self._measures:
            self._measures[pair.name] = self._measure(pair)
        return self._measures[pair.name]

    def _measure(self, pair: PairExcerpts) -> Measure:
        if self.options.objective is not None:
            objective, rate = self.options.objective, pair.sample_rate
            measures = [
                (AudioDistance(objective, torch.cat(list(song), dim=-1), rate), weight)
                for song, weight in pair.target.songs
            ]
            return measures[0][0] if len(measures) == 1 else MeanDistance(measures)
        target = embed_reference_in_mix(self.encoder, pair.target, pair.name, pair.target_others)
        return EmbeddingDistance(self.encoder, target, pair.name, _places(pair))

    def seen_among_others(self, pair: PairExcerpts) -> None:
        """From here on a stem is compared among the others as the pair has them now."""
        if isinstance(measure := self.measure(pair), EmbeddingDistance):
            self._measures[pair.name] = replace(measure, others=_places(pair))

    def distance(self, pair: PairExcerpts, excerpts: Sequence[Tensor]) -> float:
        """How far the candidates' excerpts (2, t) of a pair, or what became of them, are from its reference."""
        with torch.no_grad():
            return float(self.measure(pair)([excerpt[None] for excerpt in excerpts])[0])

    def objective(self, pair: PairExcerpts) -> Objective:
        """What is minimised, without a prior: theta (b, stems * dim) to the distance of the rendered excerpts."""
        return self.judged(pair, self.sums(pair) if pair.joint else self.stem(pair))

    def stem(self, pair: PairExcerpts) -> StemCandidates:
        """One stem through the chain."""
        return StemCandidates(self._prepared(pair)[0])

    def sums(self, pair: PairExcerpts) -> SumCandidates:
        """Several stems through the chain, in a balance that is bounded as it will be when they are written."""
        return SumCandidates(self._prepared(pair), self.most_moved_db)

    def judged(self, pair: PairExcerpts, candidates: Candidates) -> Objective:
        """What is minimised: how far such candidates are from the reference, heard as they will be written."""
        if self.mono:
            candidates = MonoCandidates(candidates)
        if LEVEL in self.options.kept:
            candidates = LevelCandidates(candidates, pair.summed, pair.sample_rate)
        return Objective(candidates, self.measure(pair), torch.device(self.options.device))

    @property
    def most_moved_db(self) -> float:
        """How far a stem may move in the balance."""
        return 0.0 if {LEVEL, BALANCE} & {*self.options.kept} else MOST_MOVED_DB

    def _prepared(self, pair: PairExcerpts) -> list[list[Prepared]]:
        """Each stem's excerpts in a circle, but for one from the song's beginning: nothing was played before it."""
        return [
            [
                self.chain.prepare(x, pair.sample_rate, wrapped=place > 0)
                for x, place in zip(part, pair.places, strict=True)
            ]
            for part in pair.candidates.values()
        ]

    def strips(self, pair: PairExcerpts, theta: Tensor) -> dict[str, tuple[Chain, ChainSettings]]:
        """By stem, the chain and its settings at theta (stems * dim,)."""
        parts = torch.split(theta, [self.chain.dim] * len(pair.candidates))
        return {
            stem: (self.chain, self.chain.settings(part)) for stem, part in zip(pair.candidates, parts, strict=True)
        }

    def solution(
        self, pair: PairExcerpts, settings: Mapping[str, ChainSettings], *, stop: str, seconds: float = 0.0
    ) -> Solution:
        """The solution of a direct method: physical settings of the chain by stem, measured against the input."""
        thetas = [self.chain.encode(settings.get(stem, {})) for stem in pair.candidates]
        neutral = self.chain.encode({}).repeat(len(thetas))
        with torch.no_grad():
            before, after = self.objective(pair).distance(torch.stack([neutral, torch.cat(thetas)])).tolist()
        return Solution(
            name=pair.name,
            loss_before=before,
            loss_after=after,
            seconds=seconds,
            stop=stop,
            strips=self.strips(pair, torch.cat(thetas)),
            same_performance=pair.same_performance,
        )


def _places(pair: PairExcerpts) -> list[dict[str, Tensor]]:
    """The other stems (1, 2, t) at the place of each of the candidates' excerpts; nothing where there are none."""
    others = {name: other.at_level() for name, other in pair.others.items()}
    return [others_at(others, number) for number in range(len(pair.places))] if others else []
