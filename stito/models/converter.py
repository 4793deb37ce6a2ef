"""What a converter is: a network that renders audio in the style of a reference, without settings.

Long audio is converted in blocks, each with as much around it as its samples depend on, so that the size of a block
never changes the result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from stito.audio import resample

__all__ = ["BLOCK", "Conversion", "Converter", "convert"]

BLOCK = 1 << 20
"""Samples that are converted at once, in a long song: memory does not grow with it."""


@runtime_checkable
class Converter(Protocol):
    """Anything with these attributes and methods: a third party inherits nothing.

    A converter with weights has their SHA-256 as `digest`.

    Attributes:
        name: the registered name.
        sample_rate: of the audio that it renders, in Hz.
        reach: the most samples on either side on which an output sample depends.
        step: in samples; blocks of long audio begin at its multiples.
    """

    name: str
    sample_rate: int
    reach: int
    step: int

    def embed(self, x: Tensor) -> Tensor:
        """The style (b, dim) of audio (b, 2, t): the conditioning of `render`. Blends of styles are styles."""
        ...

    def render(self, x: Tensor, reference: Tensor, own: Tensor) -> Tensor:
        """Audio (b, 2, t) in the style `reference` (b, dim), where `own` (b, dim) is the audio's own style."""
        ...


@torch.no_grad()
def convert(converter: Converter, x: Tensor, reference: Tensor, own: Tensor, *, block: int = BLOCK) -> Tensor:
    """Audio (2, t) of any length at the converter's rate, in blocks, conditioned on styles (dim,)."""
    reference, own = reference.to(x.device), own.to(x.device)
    length = x.shape[-1]
    size = max(1, block // converter.step) * converter.step
    reach = -(-converter.reach // converter.step) * converter.step
    out = torch.empty_like(x)
    for start in range(0, length, size):
        stop = min(start + size, length)
        first, last = max(0, start - reach), min(length, stop + reach)
        rendered = converter.render(x[None, :, first:last], reference[None], own[None])[0]
        out[:, start:stop] = rendered[:, start - first : stop - first]
    return out


@dataclass(frozen=True)
class Conversion:
    """What a converter is conditioned on: the style of a reference (dim,), and that of the input (dim,).

    `source` is where the converter comes from: an installed name, or a file of weights.
    """

    converter: Converter
    source: str
    reference: Tensor
    own: Tensor

    def blend(self, amount: float) -> Conversion:
        """A part of the way: the reference's style, moved towards the input's own; all the way with 1."""
        return replace(self, reference=torch.lerp(self.own, self.reference, amount))

    def render(self, x: Tensor, sample_rate: int) -> Tensor:
        """Audio (2, t) at any rate."""
        rate = self.converter.sample_rate
        made = convert(self.converter, resample(x, sample_rate, rate), self.reference, self.own)
        return _of_length(resample(made, rate, sample_rate), x.shape[-1])


def _of_length(x: Tensor, samples: int) -> Tensor:
    """Audio (2, t) with so many samples: resampling there and back may leave one more or less."""
    return nn.functional.pad(x, (0, samples - x.shape[-1]))
