"""A solution with few moves: each strip is simplified as far as rendering and distance to the reference allow."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from stito.compute.phases import phase
from stito.effects.chain import Chain, ChainSettings
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
ATTEMPTS = 3
"""Tolerances that are tried, each half of the one before, until the distance to the reference allows it."""

Found = Mapping[str, tuple[Chain, ChainSettings]]


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
        made = {
            stem: Strip(
                *found.strips[stem], excerpts, pair.sample_rate, mono=context.mono, device=context.options.device
            )
            for stem, excerpts in pair.candidates.items()
        }
        judged = _Judged(context.chain, list(pair.candidates), context.objective(pair))
        strips, after = _within_reach(made, found, judged, float(strength))
        worth = _worth(strips, after, judged)
    seconds = found.seconds + time.perf_counter() - started
    return replace(found, strips=strips, loss_after=after, worth=worth, simplified=True, seconds=seconds)


def _within_reach(made: Mapping[str, Strip], found: Solution, judged: _Judged, strength: float) -> tuple[Found, float]:
    """The simplest strips whose distance to the reference is no further than it may rise, and that distance."""
    most = min(found.loss_after + RISE * strength * found.loss_before, max(found.loss_before, found.loss_after))
    for attempt in range(ATTEMPTS):
        strips: Found = {}
        for stem, strip in made.items():
            settings = strip.simplified(TOLERANCE * strength / 2**attempt)
            strips = {**strips, stem: (strip.playing(settings), settings)}
        (after,) = judged.distances([strips])
        if after <= most:
            return strips, after
    return {stem: (strip.playing(strip.full), strip.full) for stem, strip in made.items()}, found.loss_after


def _worth(strips: Found, after: float, judged: _Judged) -> dict[str, dict[str, float]]:
    """By stem and effect, how far the distance to the reference rises where that effect alone is taken back."""
    asked = [(stem, slot.label) for stem, (chain, _) in strips.items() for slot in chain.slots if not slot.bypass]
    neutral = judged.chain.neutral()
    without = [{**strips, stem: (strips[stem][0], {**strips[stem][1], label: neutral[label]})} for stem, label in asked]
    worth: dict[str, dict[str, float]] = {stem: {} for stem in strips}
    for (stem, label), distance in zip(asked, judged.distances(without), strict=True):
        worth[stem][label] = distance - after
    return worth


@dataclass(frozen=True, eq=False)
class _Judged:
    """How far strips of these stems, each through the same chain, are from the reference."""

    chain: Chain
    stems: Sequence[str]
    objective: Objective

    def distances(self, choices: Sequence[Found]) -> list[float]:
        """That of each choice of strips."""
        if not choices:
            return []
        rows = [torch.cat([self.chain.encode(choice[stem][1]) for stem in self.stems]) for choice in choices]
        with torch.no_grad():
            found: list[float] = self.objective.distance(torch.stack(rows)).tolist()
        return found
