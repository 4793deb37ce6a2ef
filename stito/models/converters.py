"""Where converters come from: an installed name, a file of weights, or an object."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from stito.models.converter import Converter
from stito.models.loading import is_weights, load_plugin

__all__ = ["load_converter"]


def load_converter(source: str | Path | Converter) -> Converter:
    """A converter by name (`mixfxcloner`), from a `.safetensors` file that `stito train` wrote, or as it is.

    Errors are those of `stito.models.loading.load_plugin`.
    """
    if not isinstance(source, str | Path):
        return source
    loaded: Converter = load_plugin("converter", source) if is_weights(source) else _installed(str(source))
    return loaded


@lru_cache(maxsize=4)
def _installed(name: str) -> Converter:
    loaded: Converter = load_plugin("converter", name)
    return loaded
