"""Mixes as stems, ragged: only stems that are there have a row, so that nothing stands in for those that are not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from stito.audio import is_silent
from stito.errors import AudioError, UnknownNameError

__all__ = ["MixEmbedding", "StemBatch", "mix_distance"]


@dataclass(frozen=True)
class StemBatch:
    """The stems of several mixes, n rows in all.

    Attributes:
        audio: different sounds (u, 2, t); a sound that occurs in several mixes is there once.
        row: which sound each row is, (n,).
        mix: which mix each row belongs to, (n,), from 0.
        slot: which stem each row is: its place in the network's list of stems, (n,). Of a mix no two are the same.
        named: whether the network is given the name of the stem, (n,) bool.
        mixes: how many there are.
        analysis: what a network has measured of the audio before it, if it has; then `audio` may be empty.
    """

    audio: Tensor
    row: Tensor
    mix: Tensor
    slot: Tensor
    named: Tensor
    mixes: int
    analysis: Mapping[str, Tensor] = field(default_factory=dict)

    @classmethod
    def of_stem(cls, x: Tensor) -> StemBatch:
        """Audio (b, 2, t) as b mixes of one stem each, whatever it is."""
        rows = torch.arange(len(x), device=x.device)
        none = torch.zeros_like(rows)
        return cls(x, rows, rows, none, none.bool(), len(x))

    @classmethod
    def of_mix(cls, stems: Mapping[str, Tensor], names: tuple[str, ...]) -> StemBatch:
        """b mixes, their stems (b | 1, 2, t) by name; rows of silence are left out.

        A stem of one row is the same in all mixes: it is one sound among the `audio`.

        Raises `UnknownNameError` for a stem that is none of `names`, `AudioError` for no stem, or shapes that differ.
        """
        for name in stems:
            if name not in names:
                raise UnknownNameError.of("stem", name, names)
        mixes = max((len(x) for x in stems.values()), default=0)
        if len({x.shape[1:] for x in stems.values()}) != 1 or any(len(x) not in (1, mixes) for x in stems.values()):
            raise AudioError("The stems of a mix must be there, and have one shape.", hint="Pad the shorter ones.")
        parts, places, first = [], [], 0
        for name, x in stems.items():
            sounding = [row for row in range(len(x)) if not is_silent(x[row].detach())]
            parts.append(x if len(sounding) == len(x) else x[sounding])
            of = {row: first + place for place, row in enumerate(sounding)}
            everywhere = dict.fromkeys(range(mixes), of[0]) if len(x) == 1 and of else of
            places += [(sound, mix, names.index(name)) for mix, sound in everywhere.items()]
            first += len(sounding)
        audio = torch.cat(parts)
        row, mix, slot = torch.tensor(places, dtype=torch.long, device=audio.device).reshape(-1, 3).unbind(1)
        return cls(audio, row, mix, slot, torch.ones_like(row, dtype=torch.bool), mixes)

    def to(self, device: torch.device | str) -> StemBatch:
        """The same stems on a device."""
        audio, row, mix, slot, named = (
            part.to(device) for part in (self.audio, self.row, self.mix, self.slot, self.named)
        )
        return StemBatch(
            audio, row, mix, slot, named, self.mixes, {name: x.to(device) for name, x in self.analysis.items()}
        )

    def only(self, slot: int, families: Collection[str]) -> StemBatch:
        """The rows of one stem alone, of a batch that is analysed; `families` of the analysis have a value per row."""
        chosen = (self.slot == slot).nonzero()[:, 0]
        parts = {name: values[chosen] if name in families else values for name, values in self.analysis.items()}
        return replace(
            self,
            row=self.row[chosen],
            mix=self.mix[chosen],
            slot=self.slot[chosen],
            named=self.named[chosen],
            analysis=parts,
        )

    def analysed(self, analysis: Mapping[str, Tensor]) -> StemBatch:
        """The same stems as an analysis alone, without their audio."""
        return replace(self, audio=self.audio[..., :0].clone(), analysis=analysis)


@dataclass(frozen=True)
class MixEmbedding:
    """The embeddings of mixes: of each stem (b, stems, dim), and which of them are there (b, stems).

    What is not there is zero in `stems`, and takes no part in a distance.
    """

    stems: Tensor
    present: Tensor

    @classmethod
    def gathered(cls, embedded: Tensor, batch: StemBatch, count: int) -> MixEmbedding:
        """From embeddings (n, dim) of the rows of a batch, for `count` kinds of stems."""
        stems = embedded.new_zeros(batch.mixes, count, embedded.shape[-1])
        present = torch.zeros(batch.mixes, count, dtype=torch.bool, device=embedded.device)
        place = (batch.mix, batch.slot)
        return cls(stems.index_put(place, embedded), present.index_put(place, torch.ones_like(batch.named)))

    @property
    def vector(self) -> Tensor:
        """z: the embeddings of all stems side by side, (b, stems x dim)."""
        return self.stems.flatten(1)


def mix_distance(a: MixEmbedding, b: MixEmbedding) -> Tensor:
    """How far each of the mixes (n) of one is from each (m) of the other: (n, m), from 0 to 2.

    The mean over the stems that both have of 1 - cosine; 1 where they have none in common.
    """
    ours, theirs = (torch.nn.functional.normalize(each.stems.float(), dim=-1) for each in (a, b))
    shared = torch.einsum("ns,ms->nm", a.present.float(), b.present.float())
    return 1 - torch.einsum("nsd,msd->nm", ours, theirs) / shared.clamp_min(1)
