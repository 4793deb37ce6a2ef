"""A method of one's own: no search, half of what the closed form asks for."""

from __future__ import annotations

import torch

from stito.engine.context import Context
from stito.engine.pairs import PairExcerpts
from stito.engine.solution import Solution

__all__ = ["Halfway"]


class Halfway:
    """Half of the closed form: for those who find statistics too bold."""

    name = "example_halfway"
    direct, joint = True, True

    def check(self, context: Context) -> None:
        """Every chain has a closed form."""

    def solve(self, pair: PairExcerpts, context: Context) -> Solution:
        """The same settings for every stem of the pair."""
        x, reference = (torch.cat(list(part), dim=-1).cpu() for part in (pair.inputs, pair.references))
        whole = context.chain.initial_settings(x, reference, pair.sample_rate)
        half = context.chain.blend(whole, 0.5)
        return context.solution(pair, dict.fromkeys(pair.candidates, half), stop="Half of the closed form, no search.")
