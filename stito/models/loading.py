"""Where encoders and converters come from: an installed name, a file of weights, or an object."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from stito import registry
from stito.errors import WeightsError
from stito.models.converter import Converter
from stito.models.encoder import Encoder, digest_of
from stito.models.weights import read_header

__all__ = ["conditioning_of", "is_weights", "label_of", "load_conditioning", "load_converter", "load_encoder"]

SUFFIX = ".safetensors"
KEPT = 16
"""Networks that stay loaded."""


def is_weights(source: str | Path) -> bool:
    """Whether this names a file of weights, and not something installed."""
    return Path(source).suffix == SUFFIX


def label_of(source: str) -> str:
    """What an encoder is called in tables: its name, or that of its file without the suffix."""
    return Path(source).stem if is_weights(source) else source


def load_encoder(source: str | Path | Encoder) -> Encoder:
    """Load an encoder by name (`fxencoder`), or from a `.safetensors` file that `stito train` wrote.

    It is loaded once: the next call returns the same object, unless the file has changed.

    Args:
        source: a name, a path, or an encoder, which is returned as it is.

    Raises:
        UnknownNameError: none of that name is installed, or the file is of one that is not.
        MissingFileError, WeightsError: the file is not there, damaged, or not of stito.
    """
    if not isinstance(source, str | Path):
        return source
    loaded: Encoder = _load("encoder", source)
    return loaded


def load_converter(source: str | Path | Converter) -> Converter:
    """Load a converter by name (`mixfxcloner`), or from a `.safetensors` file that `stito train` wrote.

    Args:
        source: a name, a path, or a converter, which is returned as it is.

    Raises:
        UnknownNameError, MissingFileError, WeightsError: as `load_encoder`.
    """
    if not isinstance(source, str | Path):
        return source
    loaded: Converter = _load("converter", source)
    return loaded


def conditioning_of(encoders: Sequence[Encoder]) -> list[list[str]]:
    """The name of each encoder and the digest of its weights, in order: what a network is conditioned on."""
    return [[encoder.name, digest_of(encoder)] for encoder in encoders]


def load_conditioning(recorded: Sequence[Sequence[str]], weights: Path) -> list[Encoder]:
    """The encoders that a file of weights was conditioned on; `WeightsError` if one of them has changed since."""
    encoders = [load_encoder(name) for name, _ in recorded]
    for encoder, (_, digest) in zip(encoders, recorded, strict=True):
        if digest_of(encoder) != digest:
            raise WeightsError(
                f"{weights} was trained with other weights of '{encoder.name}'.", hint="Train it again: see recipes/."
            )
    return encoders


def _load(kind: Literal["encoder", "converter"], source: str | Path) -> Any:
    if not is_weights(source):
        return _installed(kind, str(source))
    path = Path(source).resolve()
    return _from_file(kind, path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=KEPT)
def _installed(kind: Literal["encoder", "converter"], name: str) -> Any:
    return registry.load(kind, name)()


@lru_cache(maxsize=KEPT)
def _from_file(kind: Literal["encoder", "converter"], path: Path, changed_ns: int) -> Any:
    del changed_ns  # a file that was written anew is another one
    return registry.load(kind, str(read_header(path)["architecture"]))(path)
