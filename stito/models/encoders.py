"""Where encoders come from: an installed name, a file of weights, or an object."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stito.errors import WeightsError
from stito.models.encoder import Encoder, digest_of
from stito.models.loading import load_plugin

__all__ = ["load_encoder", "load_told", "told_encoders"]


def load_encoder(source: str | Path | Encoder) -> Encoder:
    """An encoder by name (`fxencoder`), from a `.safetensors` file that `stito train` wrote, or as it is.

    Errors are those of `stito.models.loading.load_plugin`.
    """
    if not isinstance(source, str | Path):
        return source
    loaded: Encoder = load_plugin("encoder", source)
    return loaded


def told_encoders(encoders: Sequence[Encoder]) -> list[list[str]]:
    """The name of each encoder and the digest of its weights, in order: what weights that hear with them remember."""
    return [[encoder.name, digest_of(encoder)] for encoder in encoders]


def load_told(told: Sequence[Sequence[str]], weights: Path) -> list[Encoder]:
    """The encoders that a file of weights remembers; `WeightsError` if one of them has changed since."""
    encoders = [load_encoder(name) for name, _ in told]
    for encoder, (_, digest) in zip(encoders, told, strict=True):
        if digest_of(encoder) != digest:
            raise WeightsError(
                f"{weights} was trained with other weights of '{encoder.name}'.", hint="Train it again: see recipes/."
            )
    return encoders
