"""A solution with few moves: each strip is simplified as far as rendering and distance to the reference allow."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stito.compute.phases import phase
from stito.console.preset import MASTER
from stito.console.strips import gain
from stito.effects.chain import Chain, ChainSettings
from stito.engine.bus import Bus
from stito.engine.context import Context
from stito.engine.options import OFF
from stito.engine.pairs import PairExcerpts
from stito.engine.pruning import Strip
from stito.engine.solution import Solution
from stito.search.objective import Objective

__all__ = ["simplified"]

TOLERANCE = 0.4
"""At full strength the rendering may change by this share of what the solution changes of the input."""
RISE = 0.1
"""At full strength the distance to the reference may rise by this share of the input's."""
ATTEMPTS = 4
"""Changes that are tried, each half of the one before, until the distance to the reference allows it."""

Found = Mapping[str, tuple[Chain, ChainSettings]]
"""By strip its chain and settings; `MASTER` is the name of the master's."""


def simplified(found: Solution, pair: PairExcerpts, context: Context) -> Solution:
    """The solution with as few moves as `TransferOptions.simplify` allows, and what each of its effects is worth.

    Conversions have no knobs, and what is further from the reference than the input is not used: they stay as they are.
    """
    strength = context.options.simplify
    if strength == OFF or found.is_further or not found.strips or not context.chain.dim:
        return found
    if any(chain is not context.chain for chain, _ in found.strips.values()):
        return found
    started = time.perf_counter()
    with phase("simplify", pair.name):
        full = dict(found.strips) if found.master is None else {**found.strips, MASTER: found.master}
        heard = dict(pair.candidates) if found.master is None else {**pair.candidates, MASTER: _sums(found, pair)}
        made = {
            name: Strip(*strip, heard[name], pair.sample_rate, mono=context.mono, device=context.options.device)
            for name, strip in full.items()
        }
        judged = _Judged.of(found, pair, context)
        strips, after = _within_reach(made, found, judged, float(strength))
        worth = _worth(strips, after, judged)
    return replace(
        found,
        strips={name: strip for name, strip in strips.items() if name != MASTER},
        master=strips.get(MASTER),
        loss_after=after,
        worth=worth,
        simplified=True,
        seconds=found.seconds + time.perf_counter() - started,
    )


def _sums(found: Solution, pair: PairExcerpts) -> list[Tensor]:
    """The excerpts (2, t) that go into the master: the stems through their full strips and faders."""
    rendered = [
        [gain(found.faders_db.get(stem, 0.0)) * chain.render_one(x, settings, pair.sample_rate) for x in excerpts]
        for (stem, excerpts), (chain, settings) in zip(pair.candidates.items(), found.strips.values(), strict=True)
    ]
    return [torch.stack(together).sum(0) for together in zip(*rendered, strict=True)]


def _within_reach(made: Mapping[str, Strip], found: Solution, judged: _Judged, strength: float) -> tuple[Found, float]:
    """The simplest strips whose distance to the reference is no further than it may rise, and that distance.

    Where it would rise too far with all of them, those are taken first with which it does not; the others change less.
    """
    most = min(found.loss_after + RISE * strength * found.loss_before, max(found.loss_before, found.loss_after))
    settings, after = {name: strip.full for name, strip in made.items()}, found.loss_after
    left = dict(made)
    for attempt in range(ATTEMPTS):
        simpler = {name: strip.simplified(TOLERANCE * strength, 0.5**attempt) for name, strip in left.items()}
        (together,) = judged.distances([settings | simpler])
        if together <= most:
            settings, after = settings | simpler, together
            break
        for name, fewer in simpler.items() if len(left) > 1 else ():
            (apart,) = judged.distances([settings | {name: fewer}])
            if apart <= most:
                settings[name], after = fewer, apart
                del left[name]
    return {name: (strip.playing(settings[name]), settings[name]) for name, strip in made.items()}, after


def _worth(strips: Found, after: float, judged: _Judged) -> dict[str, dict[str, float]]:
    """By strip and effect, how far the distance to the reference rises where that effect alone is taken back."""
    asked = [(name, slot.label) for name, (chain, _) in strips.items() for slot in chain.slots if not slot.bypass]
    settings = {name: of_strip for name, (_, of_strip) in strips.items()}
    without = [settings | {name: {**settings[name], label: strips[name][0].neutral()[label]}} for name, label in asked]
    worth: dict[str, dict[str, float]] = {name: {} for name in strips}
    for (name, label), distance in zip(asked, judged.distances(without), strict=True):
        worth[name][label] = distance - after
    return worth


@dataclass(frozen=True, eq=False)
class _Judged:
    """How far strips, and a master where there is one, are from the reference."""

    objective: Objective
    encode: Callable[[Mapping[str, ChainSettings]], Tensor]

    @classmethod
    def of(cls, found: Solution, pair: PairExcerpts, context: Context) -> _Judged:
        """As the solution was judged: the stems alone, or with their faders into the master."""
        bus = Bus.of(pair, context) if found.master is not None else None
        if bus is None:
            stems = list(pair.candidates)
            return cls(
                context.objective(pair),
                lambda choice: torch.cat([context.chain.encode(choice[stem]) for stem in stems]),
            )

        def encode(choice: Mapping[str, ChainSettings]) -> Tensor:
            return bus.encode(choice[MASTER], found.faders_db, choice)

        return cls(bus.objective(pair, context)[0], encode)

    def distances(self, choices: Sequence[Mapping[str, ChainSettings]]) -> list[float]:
        """That of each choice of settings, by strip."""
        if not choices:
            return []
        with torch.no_grad():
            found: list[float] = self.objective.distance(torch.stack([self.encode(each) for each in choices])).tolist()
        return found
