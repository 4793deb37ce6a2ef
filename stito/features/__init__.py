"""The structured mixing features: dynamics, spectrum, stereo image and masking, in units an engineer reads.

`describe` lists them for one sound, `masking` for the stems of a mix. Each room also offers its formulas as functions
of one shared analysis (`stito.dsp.stft.StereoBands`), for encoders that compute them a thousand times.
"""

from __future__ import annotations

from torch import Tensor

from stito.dsp.loudness import integrated_loudness, measure
from stito.dsp.stft import stereo_bands
from stito.errors import AudioError
from stito.features.dynamics import dynamics
from stito.features.masking import masking
from stito.features.spectrum import spectrum
from stito.features.stereo import stereo

__all__ = ["describe", "dynamics", "masking", "spectrum", "stereo"]


def describe(x: Tensor, sample_rate: int, *, mix: Tensor | None = None) -> dict[str, Tensor]:
    """Every mixing feature of audio (b, 2, t), by name: (b,) or per band (b, k), a row for each row of `x`.

    The union of `dynamics`, `spectrum` and `stereo`; their docstrings define each, and units are in the names. With
    `mix` (b | 1, 2, t), the mix that `x` is a stem of, `band_of_mix_db` is the stem's level in each band relative to
    it, and `loudness_of_mix_lu` its integrated loudness relative to it. `AudioError` for other shapes, or a mix of
    another length.
    """
    if mix is not None and mix.shape[-1] != x.shape[-1]:
        raise AudioError(
            f"The stem has {x.shape[-1]} samples and its mix {mix.shape[-1]}.",
            hint="Give the same stretch of both.",
        )
    bands = stereo_bands(x, sample_rate)
    whole = None if mix is None else stereo_bands(mix, sample_rate)
    found = {**dynamics(x, measure(x, sample_rate)), **spectrum(bands, whole), **stereo(bands)}
    if mix is not None:
        found["loudness_of_mix_lu"] = found["loudness_lufs"] - integrated_loudness(mix, sample_rate)
    return found
