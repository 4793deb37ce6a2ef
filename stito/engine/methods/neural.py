"""The neural method: a converter renders the audio, and there are no settings."""

from __future__ import annotations

import time

from stito.engine.context import Context
from stito.engine.conversion import conversion_of, converted
from stito.engine.methods.base import by_stem
from stito.engine.options import NEURAL
from stito.engine.pairs import PairExcerpts
from stito.engine.solution import Solution

__all__ = ["Neural"]


class Neural:
    """A network renders the stem in one pass (MixFXcloner, or weights of your own: `neural:FILE`); no settings.

    Args:
        source: the converter, an installed name or a file of weights; the installed default if not given.
    """

    direct, joint = True, False

    def __init__(self, source: str | None = None) -> None:
        self.name, self._source = NEURAL, source

    def check(self, context: Context) -> None:
        """Whether there is such a converter, and nothing is asked of knobs that it has not."""
        context.options.amounts.check_without_knobs()
        context.networks.converter(self._source)

    def solve(self, pair: PairExcerpts, context: Context) -> Solution:
        """Let the converter render."""
        if pair.joint:
            raise by_stem(self)
        started = time.perf_counter()
        converter, source = context.networks.converter(self._source)
        conversion = conversion_of(pair, converter, source)
        before, after = (context.distance(pair, sound) for sound in (pair.summed, converted(conversion, pair)))
        (stem,) = pair.candidates
        return Solution(
            name=pair.name,
            loss_before=before,
            loss_after=after,
            seconds=time.perf_counter() - started,
            stop="Converted by a network, no search.",
            conversions={stem: conversion},
            objective_start=after,
            start=NEURAL,
            same_performance=pair.same_performance,
        )
