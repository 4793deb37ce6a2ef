"""Gradient search, for chains and encoders that can be differentiated: a few starts, fewer and fewer of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from stito.errors import SearchError, SettingsError
from stito.search.adam import Adam
from stito.search.base import FIRST_STEP, Budget, Search
from stito.streams import Purpose, torch_generator

__all__ = ["Gradient"]

STEEPEST = 1.0
"""Gradients are clipped to this norm, so that one cliff does not fill Adam's memory."""
HALVE_EVERY = 0.2
"""After each such part of the budget the worse half of the rows is dropped."""


class Gradient(Search):
    """`Adam` on theta itself, projected onto [0, 1].

    Rows are independent: the first begins at `start`, the others at random. When the budget is known in evaluations the
    rate follows a cosine to zero and the rows are halved until one is left (successive halving: Jamieson and Talwalkar
    2016); otherwise both stay as they are. A row without a usable gradient (not finite, flat, or pushed against
    its corner) begins anew at random.

    Searching theta and not its logit keeps the gradient alive at 0 and 1, where many optima lie: on quadratics with
    such optima it ended ten orders of magnitude lower.

    Args:
        dim, seed, start: as for every `Search`.
        population: rows at the beginning, 4 if not given. A step costs as many evaluations as there are rows.
        rate: Adam's step, as a part of each knob's range.

    Raises:
        SearchError: from `tell`, if the loss cannot be differentiated.
    """

    name = "gradient"
    needs_gradient = True

    def __init__(
        self,
        dim: int,
        *,
        seed: int,
        start: Tensor | None = None,
        population: int | None = None,
        rate: float = 0.05,
    ) -> None:
        super().__init__(dim, seed=seed, start=start, population=population)
        if not 0 < rate <= 1:
            raise SettingsError(f"rate = {rate} is no step.", hint="Give a part of the range, such as 0.05.")
        self._rows = population or 4
        self._rate = rate
        self._random = torch_generator(seed, Purpose.SEARCH_ROWS)
        self._theta = torch.cat([self.start[None], self._anywhere(self._rows - 1)])
        self._adam = Adam(self._theta)
        self._evaluated = 0
        self._planned: int | None = None

    def expect(self, std: Tensor) -> None:
        """Begin the other rows close to the start, and take steps that are small beside `std`."""
        random = torch_generator(self.seed, Purpose.SEARCH_ROWS_NEAR)
        others = self.start + std * torch.randn(self._rows - 1, self.dim, generator=random)
        self._theta = torch.cat([self.start[None], others.clamp(0, 1)])
        self._rate = min(self._rate, FIRST_STEP * float(std.mean()))

    def plan(self, budget: Budget) -> None:
        """Lay rate and halving out over the evaluations."""
        self._planned = budget.evaluations

    def ask(self) -> Tensor:
        """The rows as they stand, with their graph: (rows, dim)."""
        self._theta = self._theta.detach().requires_grad_(True)
        return self._theta

    def tell(self, theta: Tensor, loss: Tensor) -> None:
        """Step every row along its own gradient, then drop the worse half if it is time."""
        del theta  # the leaf is our own
        gradient = self._gradient(loss)
        self._evaluated += len(loss)
        with torch.no_grad():
            self._step(gradient)
            self._halve(loss.detach())

    @property
    def _progress(self) -> float:
        return 0.0 if self._planned is None else min(self._evaluated / self._planned, 1.0)

    def _gradient(self, loss: Tensor) -> Tensor:
        if not loss.requires_grad:
            raise SearchError(
                "The loss cannot be differentiated, so there is no gradient to follow.",
                hint="Use a differentiable chain and encoder, or another search such as cma.",
            )
        # Rows do not meet in the loss, so the gradient of the sum holds the gradient of each.
        (gradient,) = torch.autograd.grad(loss.sum(), self._theta, allow_unused=True)
        return torch.zeros_like(self._theta) if gradient is None else gradient

    def _step(self, gradient: Tensor) -> None:
        theta = self._theta.detach()
        outwards = ((theta <= 0) & (gradient > 0)) | ((theta >= 1) & (gradient < 0))
        gradient = gradient.masked_fill(outwards, 0)
        norm = gradient.norm(dim=1, keepdim=True)
        stuck = ~torch.isfinite(norm) | (norm == 0)
        gradient = (gradient * (STEEPEST / norm.clamp(min=STEEPEST))).masked_fill(stuck, 0)

        rate = self._rate * (1 + math.cos(math.pi * self._progress)) / 2
        # a knob held at its end keeps no momentum, or it would stick there
        self._theta = (theta - self._adam.step(gradient, rate, outwards)).clamp(0, 1)
        self._restart(stuck)

    def _restart(self, rows: Tensor) -> None:
        # for all rows, so that the random sequence does not depend on which are stuck
        fresh = self._anywhere(len(rows))
        self._theta = torch.where(rows, fresh, self._theta)
        self._adam.forget(rows)

    def _halve(self, loss: Tensor) -> None:
        left = max(1, self._rows >> int(self._progress / HALVE_EVERY))
        if left < len(loss):
            kept = loss.argsort(stable=True)[:left]
            self._theta = self._theta[kept]
            self._adam.keep(kept)

    def _anywhere(self, rows: int) -> Tensor:
        return torch.rand(rows, self.dim, generator=self._random)
