"""The neural method: a converter hears input and reference, and renders; nothing is searched, and nothing is set."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stito.audio import resample
from stito.converter import Conversion, Converter
from stito.encoder import Encoder, distance
from stito.errors import SettingsError
from stito.matching import Heard, Match
from stito.objective import embed_excerpts

__all__ = ["NEURAL", "Cloner"]

NEURAL = "neural"


@dataclass(frozen=True)
class Cloner:
    """One transfer's converter, of that name or file, and the encoder that says how near it came."""

    converter: Converter
    source: str
    encoder: Encoder

    def match(self, heard: Heard) -> Match:
        """A conversion to the mean style of the reference's excerpts."""
        if len(heard.candidates) > 1:
            raise SettingsError(
                "A converter renders stem by stem, and the reference is one mix.",
                hint="Give the reference as stems, or choose a separator with --separator.",
            )
        started = time.perf_counter()
        conversion = Conversion(self.converter, self.source, self._style(heard.references), self._style(heard.inputs))
        ((stem, excerpts),) = heard.candidates.items()
        goal = embed_excerpts(self.encoder, heard.references)
        converted = [conversion.render(excerpt, self.encoder.sample_rate) for excerpt in excerpts]
        before, after = (
            float(distance(self.encoder, embed_excerpts(self.encoder, sound), goal)[0])
            for sound in (excerpts, converted)
        )
        return Match(
            name=heard.name,
            strips={},
            loss_before=before,
            loss_after=after,
            objective_before=None,
            objective_start=after,
            start=NEURAL,
            evaluations=0,
            seconds=time.perf_counter() - started,
            stop="Converted by a network, no search.",
            same_performance=heard.aligned,
            conversions={stem: conversion},
        )

    def _style(self, excerpts: Sequence[Tensor]) -> Tensor:
        """The mean style (dim,) of excerpts (2, t) at the encoder's rate."""
        rate = self.converter.sample_rate
        with torch.no_grad():
            styles = [
                self.converter.hear(resample(excerpt, self.encoder.sample_rate, rate)[None]) for excerpt in excerpts
            ]
        return torch.cat(styles).mean(0)
