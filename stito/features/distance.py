"""How far apart two mixes of the same stems are by their structured mixing features."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from stito.dsp.loudness import integrated_loudness, measure
from stito.dsp.stft import stereo_bands
from stito.features.dynamics import dynamics
from stito.features.masking import masking_of
from stito.features.spectrum import spectrum
from stito.features.stereo import stereo

__all__ = ["Families", "families_of", "feature_distances"]

Families = Mapping[str, Mapping[str, Mapping[str, Tensor]]]
"""By stem and family, the features by name."""

UNITS = {
    "correlation": 0.15,
    "correlation_band": 0.15,
    "flatness": 0.1,
    "masked": 0.1,
    "masked_band": 0.1,
    "tilt_db_per_octave": 1.0,
}
"""A clear difference, of features that are in none of `UNITS_OF`."""

UNITS_OF = {"_db": 3.0, "_lu": 2.0, "_lufs": 2.0}
"""A clear difference in decibels and loudness units."""


def families_of(stems: Mapping[str, Tensor], sample_rate: int) -> Families:
    """The structured features of the stems (2, t) of a mix, against their sum where they are against a mix."""
    x = torch.stack(list(stems.values()))
    total, bands = x.sum(0, keepdim=True), stereo_bands(x, sample_rate)
    levels = dynamics(x, measure(x, sample_rate))
    levels["loudness_of_mix_lu"] = levels["loudness_lufs"] - integrated_loudness(total, sample_rate)
    families = {
        "dynamics": levels,
        "spectral": spectrum(bands, stereo_bands(total, sample_rate)),
        "stereo": stereo(bands),
        **({"masking": masking_of(bands.total)} if len(x) > 1 else {}),
    }
    return {
        stem: {
            family: {name: values[row : row + 1] for name, values in features.items()}
            for family, features in families.items()
        }
        for row, stem in enumerate(stems)
    }


def feature_distances(ours: Families, theirs: Families) -> dict[str, dict[str, float]]:
    """How far two mixes of the same stems are apart, by stem and family; 1 is a clear difference in every feature.

    Of each feature the root mean square difference over its bands in units of a clear one (3 dB, 2 LU, .15 of a
    correlation), of a family the root mean square over its features.
    """
    return {
        stem: {family: _apart(ours[stem][family], features) for family, features in families.items()}
        for stem, families in theirs.items()
    }


def _apart(ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor]) -> float:
    squares = [
        ((ours[name] - values) / _unit(name)).square().mean()
        for name, values in theirs.items()
        if not name.endswith("_hz")
    ]
    return float(torch.stack(squares).mean().sqrt())


def _unit(name: str) -> float:
    return UNITS[name] if name in UNITS else next(unit for end, unit in UNITS_OF.items() if name.endswith(end))
