"""Where converters come from: an installed name, a file of weights, or an object."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from stito import registry
from stito.converter import Converter
from stito.weights import read_header

__all__ = ["DEFAULT_CONVERTER", "load_converter"]

DEFAULT_CONVERTER = "mixfxcloner"
SUFFIX = ".safetensors"


def load_converter(source: str | Path | Converter) -> Converter:
    """A converter by name (`mixfxcloner`), from a `.safetensors` file that `stito train` wrote, or as it is.

    A file says in its header which installed converter it holds the weights of.

    Raises:
        UnknownNameError: no converter of that name is installed, or the file is of one that is not.
        MissingFileError, WeightsError: the file is not there, damaged, or not of stito.
    """
    if not isinstance(source, str | Path):
        return source
    if Path(source).suffix == SUFFIX:
        path = Path(source)
        loaded: Converter = registry.load("converter", str(read_header(path)["architecture"]))(path)
        return loaded
    return _installed(str(source))


@lru_cache(maxsize=4)
def _installed(name: str) -> Converter:
    loaded: Converter = registry.load("converter", name)()
    return loaded
