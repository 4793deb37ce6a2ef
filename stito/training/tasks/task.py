"""What a training loop trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch import Tensor, nn

__all__ = ["Network", "Stateless", "Task"]

Network = Callable[[Tensor], Tensor]
"""The task's inputs, batch first, to its outputs: audio to embeddings, for one."""


class Task(Protocol):
    """What is trained, on what, and how well it does."""

    def network(self) -> nn.Module:
        """A fresh network; what torch's own generator draws meanwhile follows from the seed."""
        ...

    def prepare(self, step: int) -> Any:
        """The batch of a step; called in threads, ahead of time."""
        ...

    def loss(self, network: Network, batch: Any) -> tuple[Tensor, Mapping[str, Tensor]]:
        """What is minimised, and other scalars for the log."""
        ...

    def validate(self, network: Network, count: int) -> tuple[float, Mapping[str, float]]:
        """A score, the higher the better, and what it is made of; `count` is 1 at the first validation.

        No batch is being prepared meanwhile: what the task learns from it may change those that follow.
        """
        ...

    def state(self) -> dict[str, Any]:
        """What the task has learnt from validations: plain values."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`."""
        ...

    def header(self) -> dict[str, Any]:
        """The header of the weights."""
        ...


class Stateless:
    """What of a task learns nothing from validations."""

    def state(self) -> dict[str, Any]:
        """Nothing is learnt from validations."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Nothing to go on from."""
