"""The mix around a stem: an encoder that embeds whole mixes is given a stem among the others of its mix.

That is so where both mixes have several stems by names that it knows. On the input's side the others stand at the level
that they will be written at, and those that have been solved as they have become: so stem after stem is brought closer
in one mix, by as many renderings as stems alone take. On the reference's side they are as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from stito.console.strips import gain
from stito.effects.aspects import Amount
from stito.engine.context import Context
from stito.engine.pairs import Other, Pair, PairExcerpts
from stito.engine.render import wanted_lufs
from stito.engine.routing import Route, Routes
from stito.engine.solution import Solution
from stito.mix import Mix
from stito.models.encoder import Encoder
from stito.models.in_mix import mix_stems
from stito.search.objective import SILENT_ENERGY, weighted_energy

__all__ = ["notes_on_mixes", "pairs_in_mixes", "with_what_became"]


def pairs_in_mixes(routes: Routes, mix: Mix, encoder: Encoder, amount: Amount) -> dict[str, Pair]:
    """The pairs of all routes; stems that the encoder embeds in mixes have the others of theirs."""
    pairs = {name: Pair(name, way.inputs, mix.sample_rate, way.targets()) for name, way in routes.pairs.items()}
    known = _in_mixes(routes, encoder)
    if not known:
        return pairs
    before = {name: mix.levels(name).balance_lufs for name in known}
    wanted = before | wanted_lufs(before, {name: way.loudness() for name, way in known.items()}, amount)
    for name in known:
        others = {
            other: (way.inputs[other], gain(wanted[other] - before[other]))
            for other, way in known.items()
            if other != name
        }
        targets = [
            target._replace(others=_others_of(one, name, known))
            for target, (one, _) in zip(pairs[name].targets, known[name].references, strict=True)
        ]
        pairs[name] = replace(pairs[name], targets=targets, others=others)
    return pairs


def with_what_became(pair: PairExcerpts, solutions: Mapping[str, Solution], context: Context) -> PairExcerpts:
    """The pair with those of the other stems that have been solved as they have become, at their level."""
    others = {
        name: _become(other, solutions[name], name, pair.sample_rate, context) if name in solutions else other
        for name, other in pair.others.items()
    }
    return replace(pair, others=others)


def notes_on_mixes(routes: Routes, encoder: Encoder) -> list[str]:
    """What a user should know of how an encoder that embeds whole mixes was used here."""
    if not mix_stems(encoder):
        return []
    known, names = _in_mixes(routes, encoder), list(routes.pairs)
    if known:
        alone = [name for name in names if name not in known]
        return [f"{', '.join(known)}: compared by {encoder.name} as parts of their mix, each among the others."] + [
            f"{name}: compared alone; {encoder.name} knows no such stem." for name in alone
        ]
    if any(way.stem is None for way in routes.pairs.values()):
        return [
            f"{encoder.name} embeds whole mixes by their stems, and those of the reference are not known: its mix was "
            "compared as one sound. A separator (--separator) gives its stems."
        ]
    return []


def _in_mixes(routes: Routes, encoder: Encoder) -> dict[str, Route]:
    """The routes of the stems that are compared in their mix: two or more that the encoder knows, or none."""
    stems = mix_stems(encoder)
    known = {name: way for name, way in routes.pairs.items() if way.stem is not None and name in stems}
    return known if len(known) > 1 else {}


def _others_of(one: Mix, stem: str, known: Mapping[str, Route]) -> dict[str, Tensor]:
    """The other stems of a reference, of those that are compared."""
    return {
        name: one.stereo(name)
        for name, way in known.items()
        if name != stem and any(mix is one for mix, _ in way.references)
    }


def _become(other: Other, solution: Solution, name: str, sample_rate: int, context: Context) -> Other:
    """Another stem through the strip that was found for it, at the level that it had; a conversion is not rendered."""
    if name not in solution.strips:
        return other
    chain, settings = solution.strips[name]
    if not context.options.amounts.is_all:
        settings = chain.blend(settings, context.options.amounts)
    with torch.no_grad():
        rendered = [chain.render_one(x, settings, sample_rate) for x in other.excerpts]
        before, after = (
            float(weighted_energy([x[None] for x in sounds], sample_rate)) for sounds in (other.excerpts, rendered)
        )
    return Other(rendered, other.gain * (before / max(after, SILENT_ENERGY)) ** 0.5)
