"""Random search: the yardstick that every other search must beat."""

from __future__ import annotations

import torch
from torch import Tensor

from stito.search.base import Search

__all__ = ["RandomSearch"]


class RandomSearch(Search):
    """Candidates that fill the cube evenly and learn nothing: a scrambled Sobol sequence (Owen 1998).

    The start comes first. `population` is 16 if not given.
    """

    name = "random"

    def __init__(self, dim: int, *, seed: int, start: Tensor | None = None, population: int | None = None) -> None:
        super().__init__(dim, seed=seed, start=start, population=population)
        self._population = population or 16
        self._sequence = torch.quasirandom.SobolEngine(dim, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
        self._begun = False

    def ask(self) -> Tensor:
        """The next points of the sequence."""
        if self._begun:
            return self._sequence.draw(self._population, dtype=torch.float32)
        self._begun = True
        if self._population == 1:
            return self.start[None].clone()
        return torch.cat([self.start[None], self._sequence.draw(self._population - 1, dtype=torch.float32)])

    def tell(self, theta: Tensor, loss: Tensor) -> None:
        """Nothing is learnt."""
