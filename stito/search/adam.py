"""The steps of Adam (Kingma and Ba 2015, arXiv:1412.6980, algorithm 1), for rows that do not meet.

torch has it too, but its first step imports a compiler, which takes longer than many a fit.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Adam"]

MOMENTUM = 0.9
SMOOTHING = 0.999


class Adam:
    """What is remembered of the gradients of theta, (rows, dim)."""

    def __init__(self, theta: Tensor) -> None:
        self._mean, self._square = torch.zeros_like(theta), torch.zeros_like(theta)
        self._age = torch.zeros(len(theta), 1, device=theta.device)

    def step(self, gradient: Tensor, rate: float, held: Tensor | None = None) -> Tensor:
        """What is to be taken off theta, (rows, dim); where `held` nothing is kept of earlier steps."""
        self._age += 1
        self._mean = MOMENTUM * self._mean + (1 - MOMENTUM) * gradient
        if held is not None:
            self._mean = self._mean.masked_fill(held, 0)
        self._square = SMOOTHING * self._square + (1 - SMOOTHING) * gradient.square()
        mean = self._mean / (1 - MOMENTUM**self._age)
        square = self._square / (1 - SMOOTHING**self._age)
        return rate * mean / (square.sqrt() + 1e-8)

    def forget(self, rows: Tensor) -> None:
        """Begin anew where `rows` (rows, 1) is true."""
        for memory in (self._mean, self._square, self._age):
            memory.masked_fill_(rows, 0)

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows, by number."""
        self._mean, self._square, self._age = self._mean[rows], self._square[rows], self._age[rows]
