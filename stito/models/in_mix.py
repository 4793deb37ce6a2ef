"""A stem as a part of its mix: embedded among the other stems by encoders that embed whole mixes, alone by any other.

What is compared is the stem's own part of the embedding of the mix. The parts of the others would hardly change with
it, and would be most of the distance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from stito.audio import is_silent, resample
from stito.compute.cores import side_by_side
from stito.models.blend import Blend
from stito.models.encoder import Combined, Encoder, MixEncoder, PartEncoder, embed_blend

__all__ = ["Others", "embed_in_mix", "embed_reference_in_mix", "mix_stems", "others_at"]

Others = Mapping[str, Sequence[Tensor]]
"""The other stems of a mix, by name their excerpts (2, t) at the places of a stem's own."""


def mix_stems(encoder: Encoder) -> tuple[str, ...]:
    """The stems by whose names an encoder embeds whole mixes; none for one that does not.

    Of a combination those that all of its parts know that embed whole mixes.
    """
    if not isinstance(encoder, Combined):
        return encoder.stems if isinstance(encoder, MixEncoder) else ()
    known = [stems for stems in map(mix_stems, encoder.parts) if stems]
    return tuple(name for name in known[0] if all(name in stems for stems in known)) if known else ()


def others_at(others: Others, number: int) -> dict[str, Tensor]:
    """The other stems (1, 2, t) at the place of a stem's excerpt of that number."""
    return {name: excerpts[number][None] for name, excerpts in others.items()}


def embed_in_mix(encoder: Encoder, x: Tensor, stem: str, others: Mapping[str, Tensor]) -> Tensor:
    """The embedding (b, dim) of a stem (b, 2, t) of that name among others (1, 2, t) of its mix, by their names.

    Parts of a combination, and encoders, that do not embed whole mixes embed the stem alone; so do all without others.
    """
    if isinstance(encoder, Combined):
        rate = encoder.sample_rate
        return torch.cat(
            [
                embed_in_mix(
                    part,
                    resample(x, rate, part.sample_rate),
                    stem,
                    {name: resample(other, rate, part.sample_rate) for name, other in others.items()},
                )
                for part in encoder.parts
            ],
            dim=-1,
        )
    if not others or not isinstance(encoder, MixEncoder):
        return encoder.embed(x)
    if is_silent(x.detach()) and all(map(is_silent, others.values())):
        return x.new_zeros(len(x), encoder.dim)
    if isinstance(encoder, PartEncoder):
        return encoder.embed_part(stem, x, others)
    return encoder.embed_mix({stem: x, **others}).stems[:, encoder.stems.index(stem)]


def embed_reference_in_mix(encoder: Encoder, blend: Blend, stem: str, others: Sequence[Others]) -> Tensor:
    """The mean embedding (1, dim) of a stem of several songs, each among the others of its mix: one of `others` each.

    As `embed_blend`, which it is where no song has others.
    """
    if not any(others):
        return embed_blend(encoder, blend)
    by_song = iter(others)

    def of_song(_: Encoder, excerpts: Sequence[Tensor]) -> Tensor:
        around = next(by_song)
        numbered = list(enumerate(excerpts))
        found = side_by_side(lambda of: embed_in_mix(encoder, of[1][None], stem, others_at(around, of[0])), numbered)
        return torch.stack(list(found)).mean(0)

    return embed_blend(encoder, blend, of_song)
