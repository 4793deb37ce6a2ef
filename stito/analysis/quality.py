"""The score that a quality head predicts of a mix, with what it was fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stito.analysis.sounding import sounding_stems
from stito.engine.excerpts import active_starts, cut
from stito.errors import SettingsError
from stito.mix import Mix
from stito.models.encoder import Encoder, embed_excerpts
from stito.models.quality import FittedHead, mix_vectors
from stito.stems import STEMS

__all__ = ["PredictedScore", "predict_score", "vectors_of"]


@dataclass(frozen=True)
class PredictedScore:
    """A score that a head predicts, by its name, and what the head was fitted to."""

    score: str
    value: float
    data: str

    def __str__(self) -> str:
        return f"predicted {self.score}: {self.value:.2f} (a head fitted to {self.data.removesuffix('.')})"


def predict_score(mix: Mix, head: FittedHead, encoder: Encoder) -> PredictedScore:
    """What a head predicts of a mix.

    Raises:
        WeightsError: it was fitted to the embedding of another encoder.
        SettingsError: it was fitted to mixes of stems, and this is a released mix, or the other way round.
        AudioError: as `vectors_of`.
    """
    head.check(encoder)
    vector = vectors_of(encoder, mix, seconds=head.seconds, count=head.excerpts)
    if len(vector) != head.dim:
        kinds = ("released mixes", "mixes of stems")
        asked, given = kinds if mix.kind != "mix" else kinds[::-1]
        raise SettingsError(
            f"This head was fitted to {asked}, and {mix.name} is one of the {given}.",
            hint="`stito separate` takes a released mix apart.",
        )
    return PredictedScore(head.score, float(head.head(vector[None])[0]), head.data)


def vectors_of(encoder: Encoder, mix: Mix, *, seconds: float, count: int) -> Tensor:
    """What an encoder embeds of a mix, (d,): the mean over its most active excerpts, NaN for stems that are missing.

    A mix of stems by these; a released mix, whose stems are not known, as a whole. `AudioError` for stems of which none
    is one of the four kinds.
    """
    rate = encoder.sample_rate
    if mix.kind == "mix":
        whole = mix.at(rate).stereo_sum()
        starts = active_starts(whole, rate, seconds=seconds, count=count)
        return embed_excerpts(encoder, cut(whole, rate, starts, seconds=seconds))[0]
    excerpts = sounding_stems(mix, STEMS, rate, seconds=seconds, count=count)
    return torch.stack([mix_vectors(encoder, stems, STEMS)[0] for stems in excerpts]).nanmean(0)
