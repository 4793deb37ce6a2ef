"""What a converter is told, and what it makes of excerpts: the neural method, and where a search may start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stito.audio import resample
from stito.engine.pairs import Heard
from stito.errors import SettingsError
from stito.models.converter import Conversion, Converter

__all__ = ["Cloner"]


@dataclass(frozen=True)
class Cloner:
    """One transfer's converter, of that name or file."""

    converter: Converter
    source: str

    def conversion(self, heard: Heard) -> Conversion:
        """To the mean style of the reference's excerpts, from that of the input's."""
        if len(heard.candidates) > 1:
            raise SettingsError(
                "A converter renders stem by stem, and the reference is one mix.",
                hint="Give the reference as stems, or choose a separator with --separator.",
            )
        styles = (self._style(excerpts, heard.sample_rate) for excerpts in (heard.references, heard.inputs))
        return Conversion(self.converter, self.source, *styles)

    def _style(self, excerpts: Sequence[Tensor], sample_rate: int) -> Tensor:
        """The mean style (dim,) of excerpts (2, t)."""
        rate = self.converter.sample_rate
        with torch.no_grad():
            styles = [self.converter.hear(resample(excerpt, sample_rate, rate)[None]) for excerpt in excerpts]
        return torch.cat(styles).mean(0)
