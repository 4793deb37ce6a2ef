"""Where encoders and converters come from: an installed name, a file of weights, several of these, or an object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from stito import registry
from stito.errors import WeightsError
from stito.models.combination import CombinedEncoder, parse_terms
from stito.models.converter import Converter
from stito.models.encoder import Encoder, digest_of
from stito.models.weights import read_header

__all__ = [
    "conditioning_of",
    "files_of",
    "is_weights",
    "label_of",
    "load_conditioning",
    "load_converter",
    "load_encoder",
    "relocated",
]

SUFFIX = ".safetensors"
KEPT = 16
"""Networks that stay loaded."""


def is_weights(source: str | Path) -> bool:
    """Whether this names a file of weights, and not something installed."""
    return Path(source).suffix == SUFFIX


def label_of(source: str) -> str:
    """What an encoder is called in tables: its name, or that of its file without the suffix.

    >>> label_of("runs/mine.safetensors*2+features")
    'mine*2+features'
    """
    return _rewritten(source, lambda name: Path(name).stem if is_weights(name) else name)


def relocated(source: str, base: Path) -> str:
    """The same encoders, their files of weights taken as relative to `base`."""
    if (base / source).is_file():
        return str(base / source)
    return _rewritten(source, lambda name: str(base / name) if is_weights(name) else name)


def files_of(source: str | Path) -> list[Path]:
    """The files of weights that an encoder is loaded from."""
    if _is_one(source):
        return [Path(source)] if is_weights(source) else []
    return [Path(term.source) for term in parse_terms(str(source)) if is_weights(term.source)]


def load_encoder(source: str | Path | Encoder) -> Encoder:
    """Load an encoder by name (`fxencoder`), or from a `.safetensors` file that `stito train` wrote.

    It is loaded once: the next call returns the same object, unless the file has changed. Several, with weights or
    without, are one encoder whose distance is their weighted mean: `fxencoder*0.7+features*0.3`.

    Args:
        source: a name, a path, several of these joined by `+`, or an encoder, which is returned as it is.

    Raises:
        UnknownNameError: none of that name is installed, or the file is of one that is not.
        MissingFileError, WeightsError: the file is not there, damaged, or not of stito.
        SettingsError: a combination with a weight that is none, with an encoder twice, or with one whose
            `same_style_distance`, the unit of its distances, has not been measured.
    """
    if not isinstance(source, str | Path):
        return source
    if _is_one(source):
        loaded: Encoder = _load("encoder", source)
        return loaded
    terms = parse_terms(str(source))
    parts: list[Encoder] = [_load("encoder", term.source) for term in terms]
    if len(parts) == 1:
        return parts[0]
    return CombinedEncoder(parts, [term.weight or 1.0 for term in terms], str(source))


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


def _is_one(source: str | Path) -> bool:
    """Whether this is one name or file, and no combination: paths may have a plus in them."""
    return isinstance(source, Path) or not set(source) & {"+", "*"} or Path(source).is_file()


def _rewritten(source: str, rewrite: Callable[[str], str]) -> str:
    """The text of an encoder, or of several, with each name rewritten."""
    if _is_one(source):
        return rewrite(source)
    return "+".join(rewrite(term.source) + term.suffix for term in parse_terms(source))


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
