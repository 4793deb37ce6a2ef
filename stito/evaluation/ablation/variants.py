"""The variants of a recipe for a stem-aware encoder: families left out, other mechanisms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stito.errors import RecipeError, UnknownNameError
from stito.training.recipe import Recipe

__all__ = ["FULL", "Variant", "variants_of"]

FULL = "full"
"""The recipe as it is."""
NONE = "no features"
MECHANISMS = ("film", "prepend", "cross-attention")


@dataclass(frozen=True)
class Variant:
    """A name, and the values of `[network.config]` that differ from the recipe's."""

    name: str
    config: dict[str, Any]

    def of(self, recipe: Recipe, seed: int) -> Recipe:
        """The recipe of this variant and seed."""
        network = recipe.network.model_copy(update={"config": {**recipe.network.config, **self.config}})
        return recipe.model_copy(update={"network": network, "seed": seed, "name": f"{recipe.name}-ablation"})


def variants_of(recipe: Recipe, wanted: Sequence[str] = ()) -> list[Variant]:
    """The variants of a recipe in order, or those of them that are wanted by name; the full one is always among them.

    Raises:
        RecipeError: the recipe trains something else, or its `[network.config]` names no families.
        UnknownNameError: there is no such variant.
    """
    families = recipe.network.config.get("families", ())
    if recipe.task != "stem encoder" or not families:
        raise RecipeError(
            f"'{recipe.name}' has no families to leave out.",
            hint="Give a recipe of the task `stem encoder` whose [network.config] names its `families`.",
        )
    used = recipe.network.config.get("mechanism", MECHANISMS[0])
    found = [
        Variant(FULL, {}),
        *(Variant(f"without {one}", {"families": [name for name in families if name != one]}) for one in families),
        Variant(NONE, {"families": []}),
        *(Variant(mechanism, {"mechanism": mechanism}) for mechanism in MECHANISMS if mechanism != used),
    ]
    for name in wanted:
        if name not in {variant.name for variant in found}:
            raise UnknownNameError.of("variant", name, [variant.name for variant in found])
    return [variant for variant in found if not wanted or variant.name in (FULL, *wanted)]
