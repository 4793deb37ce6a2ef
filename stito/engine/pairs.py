"""What is heard of input and reference: a few excerpts of each, from which everything else follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stito.audio import resample
from stito.engine.excerpts import active_starts, cut, same_performance
from stito.mix import add_up

__all__ = ["Heard", "Listener", "Pair"]

STUDIED = 8
"""Excerpts of both songs that a guess is made from, and of the reference that a search is compared with."""


@dataclass(frozen=True)
class Pair:
    """What is to be matched: input stems (2, t) whose sum shall sound like `reference` (2, t'), each at its rate."""

    name: str
    inputs: Mapping[str, Tensor]
    reference: Tensor
    sample_rate: int
    reference_rate: int


@dataclass(frozen=True)
class Heard:
    """What is heard of a pair, at one rate: once all pairs are, the reference may be forgotten.

    A candidate is heard on `candidates`, excerpts of each stem; a guess is made from `inputs` (of the stems' sum) and
    `references`. `aligned`: both songs are the same performance, and all excerpts are of the same places.
    """

    name: str
    candidates: Mapping[str, Sequence[Tensor]]
    inputs: Sequence[Tensor]
    references: Sequence[Tensor]
    aligned: bool
    sample_rate: int


@dataclass(frozen=True)
class Listener:
    """Cuts excerpts of `seconds`, `count` of them for every candidate, and brings them to a rate and a device."""

    sample_rate: int
    seconds: float
    count: int
    device: str

    def listen(self, pair: Pair) -> Heard:
        """The excerpts of a pair."""
        rate, other_rate = pair.sample_rate, pair.reference_rate
        total = add_up(pair.inputs.values())
        aligned = same_performance(total, pair.reference, rate, other_rate)
        # places in both, where they are compared place by place
        common = round(pair.reference.shape[-1] * rate / other_rate) if aligned else total.shape[-1]
        starts = self._starts(total[:, :common], rate, self.count)
        candidates = {stem: self._hear(x, rate, starts) for stem, x in pair.inputs.items()}
        if aligned:
            inputs = [torch.stack(together).sum(0) for together in zip(*candidates.values(), strict=True)]
            places = [round(start * other_rate / rate) for start in starts]
            references = self._hear(pair.reference, other_rate, places)
        else:
            inputs, references = self._study(total, rate), self._study(pair.reference, other_rate)
        return Heard(pair.name, candidates, inputs, references, aligned, self.sample_rate)

    def _study(self, x: Tensor, sample_rate: int) -> list[Tensor]:
        """More excerpts than a search could hear for every candidate: one song's notes are to matter little."""
        return self._hear(x, sample_rate, self._starts(x, sample_rate, max(self.count, STUDIED)))

    def _starts(self, x: Tensor, sample_rate: int, count: int) -> list[int]:
        return active_starts(x, sample_rate, seconds=self.seconds, count=count)

    def _hear(self, x: Tensor, sample_rate: int, starts: Sequence[int]) -> list[Tensor]:
        """The excerpts at the listener's rate, on its device."""
        excerpts = cut(x, sample_rate, starts, seconds=self.seconds)
        return [resample(excerpt, sample_rate, self.sample_rate).to(self.device) for excerpt in excerpts]
