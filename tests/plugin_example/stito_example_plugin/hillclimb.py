"""A search in twenty lines: look around the best so far, further after a success, nearer after a failure."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stito.search import Search

__all__ = ["HillClimb"]


class HillClimb(Search):
    """A (1 + n) evolution strategy with the one-fifth rule (Rechenberg 1973); n is 8 if not given."""

    name = "example_hillclimb"

    def __init__(self, dim: int, *, seed: int, start: Tensor | None = None, population: int | None = None) -> None:
        super().__init__(dim, seed=seed, start=start, population=population)
        self._population = population or 8
        self._generator = torch.Generator().manual_seed(seed)
        self._best, self._loss = self.start, math.inf
        self._stride = 0.2

    def ask(self) -> Tensor:
        """The best so far with noise; the first time, the start itself comes first."""
        noise = torch.randn(self._population, self.dim, generator=self._generator)
        if math.isinf(self._loss):
            noise[0] = 0.0
        return (self._best + self._stride * noise).clamp(0.0, 1.0)

    def tell(self, theta: Tensor, loss: Tensor) -> None:
        """Move if something was better, and adapt the stride."""
        least = int(loss.argmin())
        if float(loss[least]) < self._loss:
            self._best, self._loss = theta[least].clone(), float(loss[least])
            self._stride = min(self._stride * 1.3, 0.5)
        else:
            self._stride = max(self._stride * 0.7, 1e-4)
