"""Plug-ins that may have weights of their own: an installed name, or a file that says in its header what it is of."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from stito import registry
from stito.models.weights import read_header

__all__ = ["is_weights", "load_plugin"]

SUFFIX = ".safetensors"


def is_weights(source: str | Path) -> bool:
    """Whether this names a file of weights, and not something installed."""
    return Path(source).suffix == SUFFIX


def load_plugin(kind: Literal["encoder", "converter"], source: str | Path) -> Any:
    """A plug-in by its name, or with the weights of a `.safetensors` file that `stito train` wrote.

    Raises:
        UnknownNameError: none of that name is installed, or the file is of one that is not.
        MissingFileError, WeightsError: the file is not there, damaged, or not of stito.
    """
    if not is_weights(source):
        return registry.load(kind, str(source))()
    path = Path(source)
    return registry.load(kind, str(read_header(path)["architecture"]))(path)
