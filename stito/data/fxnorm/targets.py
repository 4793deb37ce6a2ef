"""What FX normalisation brings stems towards: a few numbers and one spectrum for each kind of stem."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from stito.audio import write_atomic
from stito.errors import MissingFileError, SettingsError, UnknownNameError
from stito.files.documents import parse_json, read_document

__all__ = ["StemTargets", "Targets", "spectrum_grid"]

LOW_HZ, HIGH_HZ, POINTS = 30.0, 18_000.0, 256
"""Where spectra are kept: 28 points an octave, over what any music has energy in."""


@lru_cache(maxsize=1)
def spectrum_grid() -> Tensor:
    """The frequencies of a target spectrum in Hz, equally spaced to the ear: float64 (256,)."""
    return torch.logspace(torch.tensor(LOW_HZ).log10(), torch.tensor(HIGH_HZ).log10(), POINTS, dtype=torch.float64)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class StemTargets(_Model):
    """The usual sound of one kind of stem; the quantities are those of `stito.data.fxnorm.statistics`."""

    spectrum_db: tuple[float, ...] = Field(
        min_length=POINTS, max_length=POINTS, description="dB at 256 frequencies from 30 Hz to 18 kHz, of loudness 0."
    )
    onset_peak_db: float = Field(description="Mean over songs of the level of strong onsets, the peak being -10 dBFS.")
    onset_peak_std_db: float = Field(gt=0, description="Its standard deviation over songs.")
    mid_ratio: float = Field(gt=0, le=1, description="Energy of the mid over that of mid and side.")
    loudness_lufs: float = Field(description="Integrated loudness.")


class Targets(_Model):
    """Targets for every kind of stem, and where they come from."""

    format: Literal["stito.targets"] = "stito.targets"
    version: Literal[1] = 1
    source: str = Field(description="What the figures were measured on, and whose they are.")
    stems: Mapping[str, StemTargets] = Field(min_length=1)

    @classmethod
    def shipped(cls) -> Targets:
        """The published statistics of MUSDB18."""
        return _shipped()

    @classmethod
    def load(cls, path: Path) -> Targets:
        """Targets from a file that `save` wrote; `SettingsError` says what is wrong in it."""
        if not path.is_file():
            raise MissingFileError(f"{path} is not a file.", hint="Make one with stito normalize --fit.")
        text = read_document(path, error=SettingsError)
        return parse_json(text, cls, source=str(path), error=SettingsError)

    def save(self, path: Path, *, overwrite: bool = False) -> None:
        """Write a JSON file, whole or not at all."""
        write_atomic(path, self.model_dump_json(indent=1) + "\n", overwrite=overwrite)

    def of(self, stem: str) -> StemTargets:
        """The targets of one kind of stem; `UnknownNameError` if there are none."""
        if stem not in self.stems:
            raise UnknownNameError.of("stem", stem, self.stems)
        return self.stems[stem]


@lru_cache(maxsize=1)
def _shipped() -> Targets:
    text = (files("stito.data.fxnorm") / "musdb18.targets.json").read_text(encoding="utf-8")
    return parse_json(text, Targets, source="musdb18.targets.json", error=SettingsError)
