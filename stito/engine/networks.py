"""The networks that a transfer may ask, each loaded when it is first needed."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from stito import registry
from stito.effects.chain import Chain
from stito.models.converter import Converter
from stito.models.loading import load_converter
from stito.models.predictor import Predictor, load_predictor, no_predictor

__all__ = ["Networks"]


class Networks:
    """The predictor of a chain, if there is one, and converters by name or file."""

    def __init__(self, chain: Chain, predictor: str | Path | None = None) -> None:
        self._chain, self._weights = chain, predictor

    @cached_property
    def predictor(self) -> Predictor | None:
        """The predictor for the chain's effects: the file's, else the installed one, else None."""
        return load_predictor(self._chain, self._weights)

    def require_predictor(self) -> Predictor:
        """The predictor; `SettingsError` if there is none for the chain."""
        if self.predictor is None:
            raise no_predictor(self._chain)
        return self.predictor

    def converter(self, source: str | None = None) -> tuple[Converter, str]:
        """A converter and what it is called: the installed default where nothing is named."""
        source = source or registry.default("converter")
        return load_converter(source), source
