"""The excerpts of input and reference from which everything else follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stito.audio import resample, to_stereo
from stito.engine.excerpts import active_starts, cut, frame_levels_db, same_performance
from stito.mix import add_up
from stito.models.blend import Blend

__all__ = ["ExcerptCutter", "Pair", "PairExcerpts"]

STUDIED = 5
"""Excerpts of both songs that a start is made from, and of the reference that a search is compared with."""


@dataclass(frozen=True, eq=False)
class Pair:
    """What is to be matched: input stems (2, t) whose sum shall sound like `reference` (2, t'), each at its rate.

    `also` are further references, their rates and weights; `weight` is that of the first.
    """

    name: str
    inputs: Mapping[str, Tensor]
    reference: Tensor
    sample_rate: int
    reference_rate: int
    weight: float = 1.0
    also: Sequence[tuple[Tensor, int, float]] = ()


@dataclass(frozen=True, eq=False)
class PairExcerpts:
    """The excerpts of a pair, at one rate: once they are cut, the reference may be forgotten.

    Attributes:
        name: of the stem, `mix`, or `sum` for several stems that are matched jointly.
        candidates: by stem, the excerpts (2, t) that every candidate is rendered on.
        inputs: excerpts of the stems' sum that starts are made from.
        references: excerpts of the reference; of several, of one after the other.
        same_performance: whether both play the same notes at the same time; all excerpts are of the same places then.
        sample_rate: of all excerpts, in Hz.
        places: where the candidates' excerpts begin in the input, in samples at its `input_rate`.
        input_rate: in Hz.
        seconds: how long an excerpt is.
        songs: of several references, how many of these excerpts each has, and its weight; none for one.
    """

    name: str
    candidates: Mapping[str, Sequence[Tensor]]
    inputs: Sequence[Tensor]
    references: Sequence[Tensor]
    same_performance: bool
    sample_rate: int
    places: Sequence[int] = (0,)
    input_rate: int = 0
    seconds: float = 0.0
    songs: Sequence[tuple[int, float]] = ()

    @property
    def target(self) -> Blend:
        """The excerpts of the references by song, with their weights."""
        if not self.songs:
            return Blend.of(self.references)
        excerpts = iter(self.references)
        return Blend([([next(excerpts) for _ in range(count)], weight) for count, weight in self.songs])

    @property
    def joint(self) -> bool:
        """Whether several stems are matched to one reference at once."""
        return len(self.candidates) > 1

    @property
    def summed(self) -> list[Tensor]:
        """The candidates' excerpts, of several stems their sum."""
        return [torch.stack(together).sum(0) for together in zip(*self.candidates.values(), strict=True)]

    def in_mono(self) -> PairExcerpts:
        """The same with equal channels: what a result in mono can come to."""
        inputs, references = (
            [x.mean(0, keepdim=True).expand(2, -1).contiguous() for x in part]
            for part in (self.inputs, self.references)
        )
        return replace(self, inputs=inputs, references=references)

    def of_result(self, result: Tensor, gain: float = 1.0) -> list[Tensor]:
        """The candidates' excerpts (2, n) of what the stem or the sum has become (channels, t), at the input's rate.

        They are amplified by `gain`, a factor.
        """
        excerpts = []
        for place in self.places:
            span = slice(place, place + round(self.seconds * self.input_rate))
            excerpt = to_stereo(result[:, span]).contiguous()
            excerpts.append(resample(excerpt if gain == 1 else gain * excerpt, self.input_rate, self.sample_rate))
        return excerpts

    def __repr__(self) -> str:
        stems = ", ".join(self.candidates)
        return f"PairExcerpts({self.name}: {stems}; {len(self.references)} of the reference, {self.sample_rate} Hz)"


@dataclass(frozen=True)
class ExcerptCutter:
    """Cuts excerpts of `seconds`, `count` of them for every candidate, and brings them to a rate and a device."""

    sample_rate: int
    seconds: float
    count: int
    device: str

    def cut(self, pair: Pair) -> PairExcerpts:
        """The excerpts of a pair."""
        rate, other_rate = pair.sample_rate, pair.reference_rate
        total = add_up(pair.inputs.values())
        # with several references there is not one performance to be the same as
        same = not pair.also and same_performance(total, pair.reference, rate, other_rate)
        # places in both, where they are compared place by place
        common = round(pair.reference.shape[-1] * rate / other_rate) if same else total.shape[-1]
        heard = total[:, :common]
        levels = frame_levels_db(heard, rate)
        starts = self._starts(heard, rate, self.count, levels)
        candidates = {stem: self._cut(x, rate, starts) for stem, x in pair.inputs.items()}
        if same:
            inputs = [torch.stack(together).sum(0) for together in zip(*candidates.values(), strict=True)]
            places = [round(start * other_rate / rate) for start in starts]
            references = self._cut(pair.reference, other_rate, places)
        else:
            inputs = self._many(total, rate, levels)
            references = self._many(pair.reference, other_rate, frame_levels_db(pair.reference, other_rate))
        songs = [(len(references), pair.weight)] if pair.also else []
        for audio, its_rate, weight in pair.also:
            excerpts = self._many(audio, its_rate, frame_levels_db(audio, its_rate))
            songs.append((len(excerpts), weight))
            references += excerpts
        return PairExcerpts(
            pair.name, candidates, inputs, references, same, self.sample_rate, starts, rate, self.seconds, songs
        )

    def _many(self, x: Tensor, sample_rate: int, levels: Tensor) -> list[Tensor]:
        """More excerpts than a search could render for every candidate: one song's notes are to matter little."""
        return self._cut(x, sample_rate, self._starts(x, sample_rate, max(self.count, STUDIED), levels))

    def _starts(self, x: Tensor, sample_rate: int, count: int, levels: Tensor) -> list[int]:
        return active_starts(x, sample_rate, seconds=self.seconds, count=count, levels=levels)

    def _cut(self, x: Tensor, sample_rate: int, starts: Sequence[int]) -> list[Tensor]:
        """The excerpts at the cutter's rate, on its device."""
        excerpts = cut(x, sample_rate, starts, seconds=self.seconds)
        return [resample(excerpt, sample_rate, self.sample_rate).to(self.device) for excerpt in excerpts]
