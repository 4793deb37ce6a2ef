"""What every task is given: music, effects, and where to compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stito.data.mixes import MixSource, NoMixes
from stito.training.batches import ContentSource
from stito.training.recipe import Recipe

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from stito.data.manipulation import Manipulator
    from stito.training.tasks.mix_batches import MixBatch

__all__ = ["Supplies"]


@dataclass(frozen=True)
class Supplies:
    """What a task trains with.

    Attributes:
        contents: what training draws from.
        held_out: what validation draws from.
        manipulator: makes manipulators with these probabilities.
        fabric: gathers over processes, and knows the device.
        mixes: whole mixes that training draws from, for tasks that need them.
        held_out_mixes: whole mixes that validation draws from.
        sample_rate: of contents, manipulator and networks, in Hz.
        data: what the weights' header holds of the data, beside the recipe's description.
        kept: batches of mixes that were drawn and analysed, by place. Trainings that differ in nothing but how their
            networks go on from there may share them.
    """

    contents: ContentSource
    held_out: ContentSource
    manipulator: Callable[[Mapping[str, float]], Manipulator]
    fabric: Fabric
    mixes: MixSource = field(default_factory=NoMixes)
    held_out_mixes: MixSource = field(default_factory=NoMixes)
    sample_rate: int = 44_100
    data: Mapping[str, Any] = field(default_factory=dict)
    kept: dict[int, MixBatch] = field(default_factory=dict)

    def origin(self, recipe: Recipe) -> dict[str, Any]:
        """What the header of any weights holds of their training."""
        return {
            "recipe": recipe.model_dump(mode="json"),
            "data": {"description": recipe.data.description, **self.data},
            "licences": recipe.data.licences,
            "sample_rate": self.sample_rate,
        }
