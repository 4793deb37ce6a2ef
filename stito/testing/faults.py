"""The contract of faults."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import torch

from stito.testing.probe import ContractError, probe

if TYPE_CHECKING:
    from stito.data.degradation.fault import Fault

__all__ = ["check_fault"]

SEVERITIES = (0.0, 0.25, 0.5, 0.75, 1.0)
SEEDS = 4
INAUDIBLE = 1e-3
LEVEL = 1e-3


def check_fault(fault: Fault, sample_rate: int = 44_100) -> None:
    """Hold a fault to its contract: quiet if it keeps every rule, `ContractError` at the first that it breaks.

    The rules: the same seed draws the same, and knobs go the ways that are declared; severity 0 leaves the audio as it
    is; the more severe, the further from it; the output is finite, of the same shape and type, and the input is not
    modified; what is said to keep the level does.
    """

    def require(kept: bool, rule: str) -> None:
        if not kept:
            raise ContractError(f"The fault '{fault.name}' breaks its contract: {rule}.")

    x = 0.2 * probe(sample_rate, 3.0)[0]
    before = x.clone()
    require(fault.applies(x, sample_rate), "it does not apply to wide music")
    for seed in range(SEEDS):
        worst, again = (fault.worst(x, sample_rate, np.random.default_rng(seed)) for _ in range(2))
        require(worst == again, "the same seed draws other settings")
        moved = fault.moved(fault.settings(worst, 1.0))
        require(set(moved) <= set(fault.moves), f"it moves {' and '.join(moved)}, which are not all among its moves")
        made = [fault.render(x, sample_rate, fault.settings(worst, severity)) for severity in SEVERITIES]
        require(torch.equal(x, before), "the input is modified")
        require(all(y.shape == x.shape and y.dtype == x.dtype for y in made), "shape or type change")
        require(all(bool(torch.isfinite(y).all()) for y in made), "the output is not finite")
        apart = [float((y - x).square().mean().sqrt() / x.square().mean().sqrt()) for y in made]
        require(apart[0] < INAUDIBLE, f"severity 0 changes the audio by {apart[0]:.2g}")
        require(all(low < high for low, high in pairwise(apart)), f"a higher severity changes less: {apart}")
        if fault.keeps_level:
            ratio = float(made[-1].square().mean().sqrt() / x.square().mean().sqrt())
            require(abs(ratio - 1) < LEVEL, f"the level changes by a factor of {ratio:.3f}")
