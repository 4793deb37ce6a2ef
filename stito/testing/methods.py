"""The contract of methods."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from stito.testing.probe import ContractError, probe

if TYPE_CHECKING:
    from stito.effects.chain import Chain
    from stito.engine.methods.base import Method
    from stito.engine.pairs import PairExcerpts
    from stito.engine.solution import Solution

__all__ = ["check_method"]

METHOD_EVALUATIONS = 12


def check_method(method: Method, chain: str | Chain | None = None) -> None:
    """Hold a method to its contract, on two short sounds and a chain (by default the one for stems).

    The rules: it has `name`, `direct`, `joint`, `check` and `solve`; a solution has settings of the chain, or a
    conversion, for every stem of the pair, and finite distances; the same seed gives the same solution; excerpts are
    not modified; a direct method evaluates no candidates, a search no more than its budget, and none when it is
    interrupted. Raises `ContractError`.
    """
    from stito import registry
    from stito.effects.chain_files import load_chain
    from stito.engine.context import Context
    from stito.engine.methods.base import Method
    from stito.engine.networks import Networks
    from stito.engine.options import TransferOptions
    from stito.models.loading import load_encoder
    from stito.search.base import Budget

    def require(kept: bool, rule: str) -> None:
        if not kept:
            raise ContractError(f"The method '{getattr(method, 'name', method)}' breaks its contract: {rule}.")

    require(isinstance(method, Method), "it lacks one of name, direct, joint, check and solve")
    the_chain = load_chain(chain or registry.default("chain of stems"))
    encoder = load_encoder(registry.default("measured encoder"))
    options = TransferOptions(method=method, seed=1, budget=Budget(evaluations=METHOD_EVALUATIONS))
    context = Context(options, the_chain, encoder, Networks(the_chain), seed=1, budget=options.budget)
    pair = _short_pair(encoder.sample_rate)
    before = [excerpt.clone() for excerpt in (*pair.inputs, *pair.references)]
    method.check(context)
    first, again = method.solve(pair, context), method.solve(pair, context)
    interrupted = method.solve(pair, replace(context, interrupted=True))
    unchanged = all(torch.equal(a, b) for a, b in zip(before, (*pair.inputs, *pair.references), strict=True))
    require(unchanged, "excerpts are modified")
    for solution in (first, again, interrupted):
        stems = {*solution.strips, *solution.conversions}
        require(stems == set(pair.candidates), f"it solves {sorted(stems)} of {sorted(pair.candidates)}")
        finite = math.isfinite(solution.loss_before) and math.isfinite(solution.loss_after)
        require(finite, f"distances are {solution.loss_before} and {solution.loss_after}")
        for of, settings in solution.strips.values():
            require(of.settings(of.encode(settings)).keys() == settings.keys(), "settings are not those of the chain")
    require(_same_solution(first, again), "the same seed gives another solution")
    most = 0 if method.direct else METHOD_EVALUATIONS
    require(first.evaluations <= most, f"{first.evaluations} candidates are evaluated, {most} were granted")
    require(interrupted.evaluations == 0, "interrupted, it goes on to evaluate candidates")


def _short_pair(sample_rate: int) -> PairExcerpts:
    """Two seconds of noise, and other noise that is louder, duller and to the left."""
    from stito.engine.pairs import PairExcerpts
    from stito.models.blend import Blend

    x = probe(sample_rate, 2.0)[0]
    other = probe(sample_rate, 2.0)[0].flip(-1).cumsum(-1)
    reference = torch.tensor([[1.0], [0.5]]) * 0.5 * other / other.abs().max()
    return PairExcerpts("drums", {"drums": [x]}, [x], Blend.of([reference]), False, sample_rate)


def _same_solution(one: Solution, other: Solution) -> bool:
    """Whether both have the same settings and conversions."""
    strips = {stem: settings for stem, (_, settings) in one.strips.items()} == {
        stem: settings for stem, (_, settings) in other.strips.items()
    }
    return strips and all(
        torch.equal(conversion.reference, other.conversions[stem].reference)
        for stem, conversion in one.conversions.items()
    )
