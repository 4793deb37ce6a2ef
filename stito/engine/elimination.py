"""Which of several changes can be made at least cost, while those that are not made up for them: a linear model.

Backward elimination by least squares, as the optimal brain surgeon removes weights (Hassibi & Stork, NIPS 1992).
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["elimination_path"]

RIDGE = 0.02
"""How strongly what is left stays where it is, as a share of the mean effect of a change."""


def elimination_path(changes: Tensor, residual: Tensor) -> list[Tensor]:
    """For no change, one change, two, ... all of them: how far each goes, the one that costs least being added.

    Args:
        changes: (k, d), what each change alone, made in full, does to d features.
        residual: (d,), how far these are from their target before any change.

    Returns:
        k + 1 vectors (k,): 1 where a change is made in full, else between -1 and 1, what makes up best for the others.
    """
    products, towards = (changes @ changes.T).double(), (changes @ residual).double()
    count = len(changes)
    ridge = RIDGE * products.diagonal().mean() * torch.eye(count, dtype=torch.float64)
    made: list[int] = []
    path = [_made_up(products, towards, ridge, made)]
    for _ in range(count):
        added = [index for index in range(count) if index not in made]
        options = [_made_up(products, towards, ridge, [*made, index]) for index in added]
        costs = [float(2 * towards @ shares + shares @ products @ shares) for shares in options]
        cheapest = costs.index(min(costs))
        made.append(added[cheapest])
        path.append(options[cheapest])
    return path


def _made_up(products: Tensor, towards: Tensor, ridge: Tensor, made: list[int]) -> Tensor:
    """The shares of all changes where some are made in full."""
    shares = torch.zeros(len(products), dtype=torch.float64)
    shares[made] = 1.0
    rest = [index for index in range(len(products)) if index not in made]
    if rest:
        matrix = (products + ridge)[rest][:, rest]
        shares[rest] = torch.linalg.solve(matrix + 1e-12 * torch.eye(len(rest)), -(towards + products @ shares)[rest])
    return shares.clamp(-1, 1)
