"""The excerpts of input and reference from which everything else follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from stito.audio import resample, to_stereo
from stito.engine.excerpts import active_starts, cut, frame_levels_db, same_performance
from stito.mix import add_up
from stito.models.blend import Blend
from stito.models.in_mix import Others

__all__ = ["ExcerptCutter", "Other", "Pair", "PairExcerpts", "Target"]

STUDIED = 5
"""Excerpts of both songs that a start is made from, and of the reference that a search is compared with."""


SAME = 1e-5
"""Samples that differ by no more than this, -100 dBFS, are the same."""


class Target(NamedTuple):
    """One reference (2, t'), its rate in Hz, and its weight; the weights of all add up to 1.

    `others` are the other stems (2, t') of its mix, where it is compared among them.
    """

    audio: Tensor
    sample_rate: int
    weight: float = 1.0
    others: Mapping[str, Tensor] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Pair:
    """What is to be matched: input stems (2, t) at a rate, whose sum shall sound like the targets.

    `others` are the other stems (2, t) of the input's mix, where a stem is compared among them, and the factor that
    brings each to the level that it will be written at.
    """

    name: str
    inputs: Mapping[str, Tensor]
    sample_rate: int
    targets: Sequence[Target]
    others: Mapping[str, tuple[Tensor, float]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Other:
    """Another stem of a mix: its excerpts (2, t), and the factor that brings it to the level that it is written at."""

    excerpts: Sequence[Tensor]
    gain: float = 1.0

    def at_level(self) -> list[Tensor]:
        """The excerpts at that level."""
        return [self.gain * x for x in self.excerpts]


@dataclass(frozen=True, eq=False)
class PairExcerpts:
    """The excerpts of a pair, at one rate: once they are cut, the reference may be forgotten.

    Attributes:
        name: of the stem, `mix`, or `sum` for several stems that are matched jointly.
        candidates: by stem, the excerpts (2, t) that every candidate is rendered on.
        inputs: excerpts of the stems' sum that starts are made from.
        target: excerpts of the reference; of several, by song, with their weights.
        same_performance: whether both play the same notes at the same time; all excerpts are of the same places then.
        sample_rate: of all excerpts, in Hz.
        places: where the candidates' excerpts begin in the input, in samples at its `input_rate`.
        input_rate: in Hz.
        seconds: how long an excerpt is.
        others: by name, the other stems of the mix at the candidates' places, where a stem is compared among them.
        target_others: those of each song of the reference, at the places of its excerpts.
    """

    name: str
    candidates: Mapping[str, Sequence[Tensor]]
    inputs: Sequence[Tensor]
    target: Blend
    same_performance: bool
    sample_rate: int
    places: Sequence[int] = (0,)
    input_rate: int = 0
    seconds: float = 0.0
    others: Mapping[str, Other] = field(default_factory=dict)
    target_others: Sequence[Others] = ()

    @property
    def references(self) -> list[Tensor]:
        """The excerpts of all references, of one after the other."""
        return self.target.excerpts

    @property
    def joint(self) -> bool:
        """Whether several stems are matched to one reference at once."""
        return len(self.candidates) > 1

    @property
    def is_the_same(self) -> bool:
        """Whether the input is what the reference is, sample by sample, where candidates are rendered."""
        theirs = self.references
        return self.same_performance and all(
            ours.shape == other.shape and torch.allclose(ours, other, rtol=0.0, atol=SAME)
            for ours, other in zip(self.summed, theirs, strict=True)
        )

    @property
    def summed(self) -> list[Tensor]:
        """The candidates' excerpts, of several stems their sum."""
        return [torch.stack(together).sum(0) for together in zip(*self.candidates.values(), strict=True)]

    def in_mono(self) -> PairExcerpts:
        """The same with equal channels: what a result in mono can come to."""
        others = {
            name: replace(other, excerpts=[_mono(x) for x in other.excerpts]) for name, other in self.others.items()
        }
        return replace(self, inputs=[_mono(x) for x in self.inputs], target=self.target.map(_mono), others=others)

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
        rate, total = pair.sample_rate, add_up(pair.inputs.values())
        reference, other_rate, *_ = pair.targets[0]
        # with several references there is not one performance to be the same as
        same = len(pair.targets) == 1 and same_performance(total, reference, rate, other_rate)
        # places in both, where they are compared place by place
        common = round(reference.shape[-1] * rate / other_rate) if same else total.shape[-1]
        heard = total[:, :common]
        levels = frame_levels_db(heard, rate)
        starts = self._starts(heard, rate, self.count, levels)
        candidates = {stem: self._cut(x, rate, starts) for stem, x in pair.inputs.items()}
        if same:
            inputs = [torch.stack(together).sum(0) for together in zip(*candidates.values(), strict=True)]
            places = [[round(start * other_rate / rate) for start in starts]]
        else:
            inputs = self._cut(total, rate, self._many(total, rate, levels))
            places = [self._many(of.audio, of.sample_rate) for of in pair.targets]
        found = list(zip(pair.targets, places, strict=True))
        return PairExcerpts(
            name=pair.name,
            candidates=candidates,
            inputs=inputs,
            target=Blend([(self._cut(of.audio, of.sample_rate, at), of.weight) for of, at in found]),
            same_performance=same,
            sample_rate=self.sample_rate,
            places=starts,
            input_rate=rate,
            seconds=self.seconds,
            others={name: Other(self._cut(x, rate, starts), gain) for name, (x, gain) in pair.others.items()},
            target_others=[
                {name: self._cut(x, of.sample_rate, at) for name, x in of.others.items()} for of, at in found
            ],
        )

    def _many(self, x: Tensor, sample_rate: int, levels: Tensor | None = None) -> list[int]:
        """Where more excerpts are than a search could render for every candidate: one song's notes matter little."""
        levels = frame_levels_db(x, sample_rate) if levels is None else levels
        return self._starts(x, sample_rate, max(self.count, STUDIED), levels)

    def _starts(self, x: Tensor, sample_rate: int, count: int, levels: Tensor) -> list[int]:
        return active_starts(x, sample_rate, seconds=self.seconds, count=count, levels=levels)

    def _cut(self, x: Tensor, sample_rate: int, starts: Sequence[int]) -> list[Tensor]:
        """The excerpts at the cutter's rate, on its device."""
        excerpts = cut(x, sample_rate, starts, seconds=self.seconds)
        return [resample(excerpt, sample_rate, self.sample_rate).to(self.device) for excerpt in excerpts]


def _mono(x: Tensor) -> Tensor:
    return x.mean(0, keepdim=True).expand(2, -1).contiguous()
