"""Every structured mixing feature of a mix and its stems, as plain numbers."""

from __future__ import annotations

import torch

from stito.engine.excerpts import active_starts
from stito.features import describe, masking
from stito.mix import Mix

__all__ = ["analyse"]

LONGEST_S = 60.0
"""Features are measured over the most active minute."""


def analyse(mix: Mix) -> dict[str, dict[str, float | list[float]]]:
    """Measure the mixing features of a mix and of each of its stems: loudness, dynamics, spectrum, stereo, masking.

    Args:
        mix: what to measure; of long audio the most active minute.

    Returns:
        Features by stem, then by name; units in the names, values per band as lists. The sum of several stems is
        called `mix`.
    """
    rate = mix.sample_rate
    total = mix.stereo_sum()
    start = active_starts(total, rate, seconds=LONGEST_S, count=1)[0]
    stop = start + round(LONGEST_S * rate)
    stretches = {name: mix.stereo(name)[:, start:stop] for name in mix.stems}
    whole = total[:, start:stop]
    with torch.no_grad():
        found = {name: describe(x[None], rate, mix=whole[None]) for name, x in stretches.items()}
        if len(stretches) > 1:
            masks = masking(torch.stack(list(stretches.values())), rate)
            for index, name in enumerate(stretches):
                found[name] |= {feature: value[index : index + 1] for feature, value in masks.items()}
            found = {"mix": describe(whole[None], rate), **found}
    return {name: {key: _plain(value[0]) for key, value in values.items()} for name, values in found.items()}


def _plain(value: torch.Tensor) -> float | list[float]:
    return float(value) if value.dim() == 0 else [float(band) for band in value.flatten()]
