"""The contract of searches."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from stito.testing.probe import ContractError

if TYPE_CHECKING:
    from stito.search import Search

__all__ = ["check_search"]

SEARCH_STEPS = 40
"""How many times a search is asked."""


def check_search(make_search: Callable[[int, int], Search]) -> None:
    """Hold a search, made by `make_search(dim, seed)`, to its contract, on a bowl in three dimensions.

    The rules: candidates are (n, dim) inside [0, 1]; the same seed gives the same candidates; what it asked for and
    the losses it got are not modified; its best candidate improves on its first ones. Raises `ContractError`.
    """
    name, asked, best = _driven(make_search, seed=0)
    _, again, _ = _driven(make_search, seed=0)
    same = len(asked) == len(again) and all(torch.equal(a, b) for a, b in zip(asked, again, strict=True))
    _require_search(same, name, "the same seed gives other candidates")
    _require_search(
        best[-1] < best[0], name, f"after {SEARCH_STEPS} steps the best loss is {best[-1]:.3g}, from {best[0]:.3g}"
    )


def _require_search(kept: bool, name: str, rule: str) -> None:
    if not kept:
        raise ContractError(f"The search '{name}' breaks its contract: {rule}.")


def _driven(make_search: Callable[[int, int], Search], seed: int) -> tuple[str, list[Tensor], list[float]]:
    """A search's name, everything it asked, and its best loss after each step."""
    dim = 3
    bottom = torch.tensor([0.31, 0.72, 0.58])
    search = make_search(dim, seed)
    name = type(search).__name__
    asked: list[Tensor] = []
    best: list[float] = []
    for _ in range(SEARCH_STEPS):
        theta = search.ask()
        shape = tuple(theta.shape)
        _require_search(theta.dim() == 2 and shape[1] == dim, name, f"it asks for {shape}, not for (n, {dim})")
        values = theta.detach().clone()
        inside = bool(((values >= 0) & (values <= 1)).all())
        _require_search(inside, name, f"candidates reach from {values.min():.3g} to {values.max():.3g}")
        loss = (theta - bottom.to(theta.dtype)).square().sum(dim=1)
        passed = loss if search.needs_gradient else loss.detach()
        losses = passed.detach().clone()
        search.tell(theta, passed)
        untouched = torch.equal(theta.detach(), values) and torch.equal(passed.detach(), losses)
        _require_search(untouched, name, "`tell` modifies its arguments")
        asked.append(values)
        best.append(min([*best[-1:], losses.min().item()]))
    return name, asked, best
