"""The excerpts in which a mix is listened to by its stems: where most of it plays, without the stems that rest."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from stito.audio import is_silent
from stito.engine.excerpts import active_starts
from stito.errors import AudioError
from stito.mix import Mix

__all__ = ["sounding_stems"]


def sounding_stems(
    mix: Mix, names: Sequence[str], sample_rate: int, *, seconds: float, count: int
) -> list[dict[str, Tensor]]:
    """Of each of the most active excerpts the stems of these names that sound in it: (1, 2, t) at a rate.

    Raises:
        AudioError: none of the stems has one of these names, or sounds.
    """
    mix = mix.at(sample_rate)
    known = {name: mix.stereo(name) for name in mix.stems if name in names}
    starts = active_starts(mix.stereo_sum(), sample_rate, seconds=seconds, count=count) if known else []
    parts = [slice(start, start + round(seconds * sample_rate)) for start in starts]
    excerpts = [{name: x[None, :, part] for name, x in known.items() if not is_silent(x[:, part])} for part in parts]
    if not any(excerpts):
        raise AudioError(
            f"{mix.name} has none of the stems {', '.join(names)}, or they are silent.",
            hint="Give a folder of stems, named like these, or take the mix apart with `stito separate`.",
        )
    return [stems for stems in excerpts if stems]
