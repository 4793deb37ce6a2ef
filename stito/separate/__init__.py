"""Separation: a mix to stems. Separators are plug-ins; this is what one is, and how a transfer uses it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from stito import registry
from stito.audio import resample
from stito.errors import PluginError
from stito.mix import Mix

__all__ = ["Separator", "load_separator", "separate_mix"]


@runtime_checkable
class Separator(Protocol):
    """Anything with these attributes and this method: a third party inherits nothing."""

    name: str
    sample_rate: int

    def separate(self, x: Tensor) -> dict[str, Tensor]:
        """The stems, each (2, t), of a mix (2, t) at `sample_rate`."""
        ...


def load_separator(separator: str | Separator) -> Separator | None:
    """A separator by its installed name; `none` is None, an object is passed through."""
    if not isinstance(separator, str):
        return separator
    if separator == "none":
        return None
    loaded: Separator = registry.load("separator", separator)()
    return loaded


def separate_mix(mix: Mix, separator: Separator) -> Mix:
    """The stems of a mix as a `Mix` at its own rate and length.

    Raises:
        PluginError: the separator returned no stems, or audio of another length.
    """
    x = resample(mix.stereo_sum(), mix.sample_rate, separator.sample_rate)
    with torch.no_grad():
        stems = separator.separate(x)
    if not stems or any(stem.shape != x.shape for stem in stems.values()):
        shapes = {name: tuple(stem.shape) for name, stem in stems.items()}
        raise PluginError(f"The separator '{separator.name}' made {shapes} of {tuple(x.shape)}.")
    length = next(iter(mix.stems.values())).shape[-1]
    back = {name: resample(stem, separator.sample_rate, mix.sample_rate) for name, stem in stems.items()}
    fitted = {
        name: torch.nn.functional.pad(stem, (0, max(0, length - stem.shape[-1])))[..., :length].contiguous()
        for name, stem in back.items()
    }
    note = f"{mix.name} was separated into {', '.join(fitted)} by {separator.name}."
    formats = dict.fromkeys(fitted, mix.format)
    return Mix(fitted, mix.sample_rate, mix.format, mix.name, (*mix.notes, note), "stems", formats)
