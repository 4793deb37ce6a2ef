"""Networks in several sizes and kinds, as a recipe's `[network]` names and describes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from stito.errors import WeightsError

__all__ = ["Fronts", "build"]

Fronts = Mapping[str, Callable[..., nn.Module]]
"""By the name of a front what makes the network; the first is used where none is named."""


def build(fronts: Fronts, config: Mapping[str, Any], *args: object) -> nn.Module:
    """The untrained network that `front` names, made of the other options; `WeightsError` for what there is not."""
    options = dict(config)
    front = options.pop("front", next(iter(fronts)))
    if front not in fronts:
        raise WeightsError(f"There is no front '{front}'.", hint=f"Use {' or '.join(fronts)}.")
    try:
        return fronts[front](*args, **options)
    except TypeError as error:
        raise WeightsError(
            f"A {front} network does not take these options: {error}", hint="See `[network]` of the recipes."
        ) from error
