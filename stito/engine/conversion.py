"""What a converter is conditioned on, and what it makes of excerpts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stito.audio import resample
from stito.compute.cores import side_by_side
from stito.console.strips import gain, loudness
from stito.engine.pairs import PairExcerpts
from stito.models.converter import Conversion, Converter

__all__ = ["conversion_of", "converted"]


def conversion_of(pair: PairExcerpts, converter: Converter, source: str) -> Conversion:
    """To the mean style of the reference's excerpts, from that of the input's; `source` names the converter."""
    own = _style(converter, pair.inputs, pair.sample_rate)
    wanted = pair.target.mean(lambda excerpts: _style(converter, excerpts, pair.sample_rate))
    return Conversion(converter, source, wanted, own)


def converted(conversion: Conversion, pair: PairExcerpts) -> list[Tensor]:
    """The candidates' excerpts as a converter renders them, as loud as the reference, as faders will make them."""
    (excerpts,) = pair.candidates.values()
    made = list(side_by_side(lambda excerpt: conversion.render(excerpt, pair.sample_rate), excerpts))
    wanted = sum(weight * loudness(song, pair.sample_rate) for song, weight in pair.target.in_a_row())
    found = loudness(torch.cat(made, dim=-1), pair.sample_rate)
    return [excerpt * gain(wanted - found) for excerpt in made]


def _style(converter: Converter, excerpts: Sequence[Tensor], sample_rate: int) -> Tensor:
    """The mean style (dim,) of excerpts (2, t)."""

    def style(excerpt: Tensor) -> Tensor:
        return converter.embed(resample(excerpt, sample_rate, converter.sample_rate)[None])

    return torch.cat(list(side_by_side(style, excerpts))).mean(0)
