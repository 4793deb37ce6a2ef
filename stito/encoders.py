"""Where encoders come from: an installed name, a file of weights, or an object."""

from __future__ import annotations

from pathlib import Path

from stito import registry
from stito.encoder import Encoder
from stito.weights import read_header

__all__ = ["DEFAULT_ENCODER", "SUFFIX", "load_encoder"]

DEFAULT_ENCODER = "features"
"""The metric of style where none is named."""

SUFFIX = ".safetensors"


def load_encoder(source: str | Path | Encoder) -> Encoder:
    """An encoder by name (`fxencoder`), from a `.safetensors` file that `stito train` wrote, or as it is.

    A file says in its header which installed encoder it holds the weights of.

    Raises:
        UnknownNameError: no encoder of that name is installed, or the file is of one that is not.
        MissingFileError, WeightsError: the file is not there, damaged, or not of stito.
    """
    if not isinstance(source, str | Path):
        return source
    if Path(source).suffix == SUFFIX:
        path = Path(source)
        loaded: Encoder = registry.load("encoder", str(read_header(path)["architecture"]))(path)
    else:
        loaded = registry.load("encoder", str(source))()
    return loaded
