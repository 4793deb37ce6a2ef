"""Settings with which a chain renders a given waveform: the truth of an evaluation, or the output of a converter."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from stito.effects.chain import Prepared
from stito.search import create
from stito.search.base import Budget
from stito.search.driver import minimise
from stito.search.objective import Objective, SpectralDistance, StemCandidates

__all__ = ["fit"]

FRAMES = {4096: 48, 2048: 64, 512: 128}
"""The frames of each FFT size on which gradients are computed: a sample, the same at every step."""


def fit(
    sources: Sequence[Prepared], targets: Sequence[Tensor], start: Tensor, evaluations: int, seed: int = 0
) -> Tensor:
    """Theta (dim,) with which a chain renders each source as close as it can to its target (2, t).

    Found by gradient on a sample of frames where the chain is differentiable, else by CMA-ES.
    """
    chain = sources[0].chain
    frames = FRAMES if chain.differentiable else None
    measure = SpectralDistance(targets, frames=frames)
    objective = Objective(StemCandidates(sources), measure, targets[0].device)
    search = (
        create("gradient", chain.dim, seed=seed, start=start, population=1)
        if chain.differentiable
        else create("cma", chain.dim, seed=seed, start=start)
    )
    return minimise(objective, search, budget=Budget(evaluations=evaluations)).theta
