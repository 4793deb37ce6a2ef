"""Separation: a mix to stems. Separators are plug-ins; this is what one is, and how a transfer uses it."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from stito import registry
from stito.audio import resample
from stito.errors import PluginError, SettingsError
from stito.mix import Mix
from stito.models.encoder import digest_of
from stito.separation.cache import SeparationCache

__all__ = ["Separator", "load_separator", "loaded_separator", "separate_audio", "separate_mix"]


@runtime_checkable
class Separator(Protocol):
    """Anything with these attributes and this method: a third party inherits nothing.

    Two things are optional. A separator with a `digest`, of its weights, has its separations kept on disk. One whose
    `separate` also takes `on_progress` calls it with the share that is done.
    """

    name: str
    sample_rate: int

    def separate(self, x: Tensor) -> dict[str, Tensor]:
        """The stems, each (2, t), of a mix (2, t) at `sample_rate`."""
        ...


def load_separator(separator: str | Separator) -> Separator | None:
    """A separator by its installed name; `none` is None, an object is passed through.

    What stands behind a colon names its weights: `demucs:htdemucs_ft`, `spleeter2:FOLDER`.
    """
    if not isinstance(separator, str):
        return separator
    name, weights = registry.parse_name(separator)
    if name == "none":
        return None
    make: Callable[..., Separator] = registry.load("separator", name)
    if not weights:
        return make()
    try:
        return make(weights)
    except TypeError as error:
        raise SettingsError(f"The separator '{name}' takes nothing behind a colon: {separator}.") from error


@lru_cache(maxsize=2)
def loaded_separator(name: str) -> Separator | None:
    """`load_separator` of a name, once in each process: for workers that separate many."""
    return load_separator(name)


def separate_mix(
    mix: Mix,
    separator: Separator,
    *,
    cache: SeparationCache | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> Mix:
    """The stems of a mix as a `Mix` at its own rate and length; those that are kept on disk are not made again.

    Raises:
        PluginError: the separator returned no stems, or audio of another length.
    """
    cache = cache or SeparationCache()
    x = resample(mix.stereo_sum(), mix.sample_rate, separator.sample_rate)
    key = _key(mix, separator)
    stems = cache.load(key, separator.sample_rate) if key else None
    if stems is None or any(stem.shape != x.shape for stem in stems.values()):
        stems = separate_audio(x, separator, on_progress)
        if key:
            cache.save(key, stems, separator.sample_rate)
    length = next(iter(mix.stems.values())).shape[-1]
    back = {name: resample(stem, separator.sample_rate, mix.sample_rate) for name, stem in stems.items()}
    fitted = {
        name: torch.nn.functional.pad(stem, (0, max(0, length - stem.shape[-1])))[..., :length].contiguous()
        for name, stem in back.items()
    }
    if mix.format.channels == 1:
        fitted = {name: stem.mean(0, keepdim=True) for name, stem in fitted.items()}
    note = f"{mix.name} was separated into {', '.join(fitted)} by {separator.name}."
    formats = dict.fromkeys(fitted, mix.format)
    return Mix(fitted, mix.sample_rate, mix.format, mix.name, (*mix.notes, note), "stems", formats)


def separate_audio(
    x: Tensor, separator: Separator, on_progress: Callable[[float], None] | None = None
) -> dict[str, Tensor]:
    """The stems of audio (2, t) at the separator's rate; `PluginError` for none, or for other shapes."""
    options: dict[str, Any] = {}
    if on_progress and "on_progress" in inspect.signature(separator.separate).parameters:
        options["on_progress"] = on_progress
    with torch.no_grad():
        stems = separator.separate(x, **options)
    if not stems or any(stem.shape != x.shape for stem in stems.values()):
        shapes = {name: tuple(stem.shape) for name, stem in stems.items()}
        raise PluginError(f"The separator '{separator.name}' made {shapes} of {tuple(x.shape)}.")
    return stems


def _key(mix: Mix, separator: Separator) -> str:
    """What a separation follows from; nothing for a separator without a digest of its weights."""
    digest = digest_of(separator)
    if not digest:
        return ""
    content = "|".join(f"{name} {fingerprint}" for name, fingerprint in sorted(mix.digests().items()))
    return hashlib.sha256(f"{separator.name} {digest} {content}".encode()).hexdigest()[:40]
