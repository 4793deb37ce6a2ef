"""The `stem` encoder: a mix as its stems, embedded so that a good mix and a damaged one lie apart.

Source: B. Cheng, "Mixing style representation learning: a stem-aware contrastive framework with structured mix
features". `recipes/stem_encoder` trains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from stito.errors import AudioError, WeightsError
from stito.models.stem_batch import MixEmbedding, StemBatch
from stito.models.weights import digest_of_weights, freeze, load_weights
from stito_encoders.stem_transformer import StemTransformer

__all__ = ["StemEncoder"]

SHIPPED = Path(__file__).parent / "weights" / "stem.safetensors"
SHORTEST_S = 0.1
NET, HEAD = "net.", "head."


class StemEncoder:
    """A network's embedding of one stem, or of a whole mix by its stems; of its own weights, or those of a file.

    `embed` takes one stem, or a mix of which the stems are not known, as a mix of its own. `embed_mix` takes stems by
    name, each seen against the others: it is what this encoder was made for. Embeddings are compared by angle.

    Attributes:
        dim: of the embedding of a stem; a mix has one for each of its `stems`.
        stems: the stems that it knows, in the order of the embedding of a mix.
        faults: the faults that it was trained to find.

    Raises:
        MissingFileError, WeightsError: the file is not there, or does not fit the network that it describes.
    """

    name: ClassVar[str] = "stem"
    sample_rate: ClassVar[int] = 44_100

    def __init__(self, weights: str | Path = SHIPPED) -> None:
        path = Path(weights)
        state, self.header = load_weights(path)
        self.digest = digest_of_weights(path)
        self.same_style_distance = float(self.header.get("same_style_distance", 0.0))
        self.net = self.network(self.header["config"])
        freeze(self.net, _part(state, NET), path)
        self._targets = [str(target) for target in self.header.get("faults", ())]
        self.faults: tuple[str, ...] = tuple(dict.fromkeys(_fault_of(target) for target in self._targets))
        self.dim, self.stems = self.net.dim, self.net.names
        self.head = nn.Linear(self.dim, len(self._targets)) if self._targets else None
        if self.head is not None:
            freeze(self.head, _part(state, HEAD), path)

    @staticmethod
    def network(config: Mapping[str, Any]) -> StemTransformer:
        """The untrained network that a recipe's `[network]` describes; `WeightsError` for options that it has not."""
        try:
            return StemTransformer(**config)
        except TypeError as error:
            raise WeightsError(
                f"A stem network does not take these options: {error}", hint="See `[network]` of the recipes."
            ) from error

    def embed(self, x: Tensor) -> Tensor:
        """The embedding (b, dim) of audio (b, 2, t) at 44.1 kHz; `AudioError` for other shapes or less than .1 s."""
        self._check(x)
        embedded: Tensor = self._on(x)(StemBatch.of_stem(x))
        return embedded

    def embed_mix(self, stems: Mapping[str, Tensor]) -> MixEmbedding:
        """The embeddings of b mixes, stems (b, 2, t) by name; silent and missing stems take no part.

        A stem of one row (1, 2, t) is the same in all mixes, and analysed once.

        Raises `AudioError` as `embed`, or if everything is silent, `UnknownNameError` for a stem that it does not know.
        """
        batch = self._batch(stems)
        return MixEmbedding.gathered(self._on(batch.audio)(batch), batch, len(self.stems))

    def embed_part(self, stem: str, x: Tensor, others: Mapping[str, Tensor]) -> Tensor:
        """What `embed_mix` has of one stem, (b, dim): x (b, 2, t) among others (b | 1, 2, t) by name; silence is zero.

        All of them are analysed, and only this one goes through the network. Errors are those of `embed_mix`.
        """
        batch = self._batch({stem: x, **others})
        net = self._on(batch.audio)
        part = net.measured(batch).only(self.stems.index(stem), net.families)
        return x.new_zeros(batch.mixes, self.dim).index_put((part.mix,), net(part))

    def find_faults(self, stems: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
        """How severe each fault of each stem seems to be, from 0 to 1: (b,) by stem and fault, NaN where it is silent.

        Arguments and errors are those of `embed_mix`; `WeightsError` for weights that know no faults.
        """
        if self.head is None:
            raise WeightsError("These weights were not trained to find faults.", hint="See `stem_encoder.faults`.")
        batch = self._batch(stems)
        found = self.head(self._on(batch.audio)(batch)).sigmoid()
        of = [[n for n, target in enumerate(self._targets) if _fault_of(target) == fault] for fault in self.faults]
        largest = torch.stack([found[:, targets].amax(1) for targets in of], dim=1)  # whichever way its knobs went
        severity = found.new_full((batch.mixes, len(self.stems), len(self.faults)), torch.nan)
        severity = severity.index_put((batch.mix, batch.slot), largest)
        return {
            name: dict(zip(self.faults, severity[:, self.stems.index(name)].unbind(-1), strict=True)) for name in stems
        }

    def _batch(self, stems: Mapping[str, Tensor]) -> StemBatch:
        for x in stems.values():
            self._check(x)
        batch = StemBatch.of_mix(stems, self.stems)
        if not len(batch.row):
            raise AudioError("All stems of the mix are silent.", hint="Give a place where something plays.")
        return batch

    def _check(self, x: Tensor) -> None:
        if x.dim() != 3 or x.shape[1] != 2 or x.shape[-1] < SHORTEST_S * self.sample_rate:
            raise AudioError(
                f"The stem encoder needs stereo audio (b, 2, t) of {SHORTEST_S:g} s or more, not {tuple(x.shape)}.",
                hint="Give it a few seconds.",
            )

    def _on(self, x: Tensor) -> StemTransformer:
        """The network, on the device of the audio."""
        if next(self.net.parameters()).device != x.device:
            self.net.to(x.device)
            if self.head is not None:
                self.head.to(x.device)
        return self.net

    def __repr__(self) -> str:
        return f"StemEncoder({len(self.stems)} stems of {self.dim} dims, weights {self.digest[:12]})"


def _fault_of(target: str) -> str:
    """The fault of a target such as `gain:gain_db+`."""
    return target.partition(":")[0]


def _part(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): values for name, values in state.items() if name.startswith(prefix)}
