"""Several stems against one mix: what they have in common belongs to the master, the rest to faders and strips.

One theta holds the whole console: the master's knobs, a fader for each stem, then the strips. A search turns the master
and the faders first, while the strips are neutral, and then one strip after the other, by small moves around neutral:
each starts from another sum. Of a strip only the knobs that say how much there is of an effect are turned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from stito.console.preset import MASTER
from stito.effects.chain import Chain, ChainSettings
from stito.engine.context import Context
from stito.engine.pairs import PairExcerpts
from stito.search.objective import BusCandidates, Objective, Prior, faders_db
from stito.search.stages import Stage

__all__ = ["Bus"]

FADER_STD = 0.5
"""The standard deviation of a fader's prior, as a part of its range: 6 dB around where it was."""

STRIP_STD = 0.2
"""That of a strip's knobs around neutral, as a part of their range: strips make small moves."""

MASTER_SHARE = 0.5
"""The part of the budget that goes to the master and the faders; the strips share the rest."""


@dataclass(frozen=True, eq=False)
class Bus:
    """The theta of a console: the master's knobs, a fader for each stem, and the strips, in this order."""

    master: Chain
    strip: Chain
    stems: tuple[str, ...]
    most_moved_db: float

    @classmethod
    def of(cls, pair: PairExcerpts, context: Context) -> Bus | None:
        """The console of a pair; None where there is no master."""
        master = context.master_of(pair)
        return None if master is None else cls(master, context.chain, tuple(pair.candidates), context.most_moved_db)

    @property
    def first_strip(self) -> int:
        """Where the strips begin in theta."""
        return self.master.dim + len(self.stems)

    def place(self, master: Tensor) -> Tensor:
        """Theta with the master (dim,) there, faders at 0 dB and neutral strips."""
        return torch.cat([master, torch.full((len(self.stems),), 0.5), self._neutral_strips])

    def encode(self, master: ChainSettings, faders: Mapping[str, float], strips: Mapping[str, ChainSettings]) -> Tensor:
        """Theta at the master's settings, the faders in dB and the strips' settings."""
        reach = 2 * self.most_moved_db or 1.0  # where no fader moves, any
        places = torch.tensor([0.5 + faders.get(stem, 0.0) / reach for stem in self.stems])
        return torch.cat(
            [self.master.encode(master), places, *(self.strip.encode(strips[stem]) for stem in self.stems)]
        )

    def strips(self, theta: Tensor) -> dict[str, tuple[Chain, ChainSettings]]:
        """By stem, the chain and its settings at theta."""
        parts = theta[self.first_strip :].reshape(len(self.stems), self.strip.dim)
        return {stem: (self.strip, self.strip.settings(part)) for stem, part in zip(self.stems, parts, strict=True)}

    def faders(self, theta: Tensor) -> dict[str, float]:
        """By stem, the fader at theta in dB."""
        found = faders_db(theta[None, self.master.dim : self.first_strip].double(), self.most_moved_db)[0]
        return dict(zip(self.stems, found.tolist(), strict=True))

    def master_settings(self, theta: Tensor) -> ChainSettings:
        """The master's settings at theta."""
        return self.master.settings(theta[: self.master.dim])

    def objective(self, pair: PairExcerpts, context: Context) -> tuple[Objective, list[Stage]]:
        """What is minimised, without a prior, and the stages in which it is searched."""
        whole = BusCandidates(context.sums(pair), self.master)

        def holding(moving: int | None) -> Callable[[Tensor], Objective]:
            return lambda theta: context.judged(pair, whole.holding(theta.to(context.options.device), moving))

        console = self.first_strip if self.most_moved_db else self.master.dim
        stages = [Stage(MASTER, holding(None), torch.arange(console), MASTER_SHARE)]
        for number, stem in enumerate(self.stems):
            knobs = self._depths + self.first_strip + number * self.strip.dim
            stages.append(Stage(stem, holding(number), knobs, 1 / (len(self.stems) - number)))
        return context.judged(pair, whole), stages

    def prior(self, weight: float) -> Prior:
        """Around a neutral console: the master with its faders counts as much as all the strips together."""
        of_master, stems = Prior.of(self.master, weight), len(self.stems)
        moving = torch.zeros(self.strip.dim).index_fill(0, self._depths, 1.0).repeat(stems)
        return Prior(
            mean=torch.cat([of_master.mean, torch.full((stems,), 0.5), self._neutral_strips]),
            std=torch.cat([of_master.std, torch.full((stems,), FADER_STD), torch.full_like(moving, STRIP_STD)]),
            weight=weight,
            shares=torch.cat(
                [torch.full((self.first_strip,), 1 / self.first_strip), moving / moving.sum().clamp_min(1)]
            ),
        )

    @property
    def _depths(self) -> Tensor:
        """The knobs that a strip moves: how much there is of each effect. All, where none says that it is that."""
        depths = [number for number, knob in enumerate(self.strip.knobs) if knob.param.depth]
        return torch.tensor(depths or range(self.strip.dim), dtype=torch.long)

    @property
    def _neutral_strips(self) -> Tensor:
        return self.strip.encode({}).repeat(len(self.stems))
