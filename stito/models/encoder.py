"""What an encoder is: audio in, an embedding of its style out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from stito.compute.cores import side_by_side
from stito.models.blend import Blend
from stito.models.stem_batch import MixEmbedding, StemBatch

__all__ = [
    "Analysing",
    "Calibrated",
    "Combined",
    "Compared",
    "Described",
    "Distance",
    "Encoder",
    "Familiar",
    "FaultFinder",
    "MixEncoder",
    "PartEncoder",
    "Trainable",
    "TrainedEncoder",
    "Weighted",
    "digest_of",
    "distance",
    "embed_all",
    "embed_blend",
    "embed_excerpts",
    "has_learnt",
    "same_style_distance",
]

Distance = Literal["cosine", "euclidean"]


@runtime_checkable
class Encoder(Protocol):
    """Anything with these three attributes and this method: a third party inherits nothing.

    An encoder may also declare what the protocols of this module name, each one attribute: `Compared`, `Calibrated`,
    `Familiar`, `Weighted`, `Described`, `MixEncoder`, `PartEncoder`, `FaultFinder`, `Combined`.

    Attributes:
        name: the registered name.
        sample_rate: of the audio that it embeds, in Hz.
        dim: of an embedding.
    """

    name: str
    sample_rate: int
    dim: int

    def embed(self, x: Tensor) -> Tensor:
        """Embed audio (b, 2, t) at `sample_rate`: (b, dim), differentiable with respect to `x`."""
        ...


@runtime_checkable
class Compared(Protocol):
    """Declares how its embeddings are compared: `euclidean` where lengths have a meaning; by default by angle."""

    distance: Distance


@runtime_checkable
class Calibrated(Protocol):
    """Has been measured: the mean distance between different music under the same effects."""

    same_style_distance: float


@runtime_checkable
class Familiar(Protocol):
    """Was trained to embed the settings of these effects (registered names), whatever music they are applied to."""

    learnt_effects: frozenset[str]


@runtime_checkable
class Weighted(Protocol):
    """Has weights: their SHA-256."""

    digest: str


@runtime_checkable
class Described(Protocol):
    """Has weights whose header describes how they were trained."""

    header: dict[str, Any]


@runtime_checkable
class Mirroring(Protocol):
    """Embeds audio with its mirror image, left and right swapped, for less than both alone."""

    def embed_mirrored(self, x: Tensor) -> Tensor:
        """The embeddings (2 b, dim) of audio (b, 2, t), and behind them those of its mirror image."""
        ...


@runtime_checkable
class Trainable(Protocol):
    """Can be trained from nothing: `network` makes an untrained network of what a recipe's config says."""

    network: Callable[..., nn.Module]


@runtime_checkable
class MixEncoder(Protocol):
    """Embeds whole mixes too, by their stems, each seen against the others; knows `stems` by these names."""

    stems: tuple[str, ...]

    def embed_mix(self, stems: Mapping[str, Tensor]) -> MixEmbedding:
        """The embeddings of b mixes, stems (b, 2, t) by name; silent and missing stems take no part.

        A stem of one row (1, 2, t) is the same in all mixes.
        """
        ...


@runtime_checkable
class PartEncoder(MixEncoder, Protocol):
    """Embeds one stem as a part of its mix for less than the whole mix costs: searches need no more."""

    def embed_part(self, stem: str, x: Tensor, others: Mapping[str, Tensor]) -> Tensor:
        """What `embed_mix` of all has of the stem of that name, (b, dim), of x (b, 2, t) among others (1, 2, t)."""
        ...


@runtime_checkable
class FaultFinder(Encoder, Protocol):
    """Was trained to find these faults in the stems of a mix, which it knows by these names."""

    faults: tuple[str, ...]
    stems: tuple[str, ...]

    def find_faults(self, stems: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
        """How severe each fault of each stem seems to be, from 0 to 1: (b,) by stem and fault."""
        ...


@runtime_checkable
class Combined(Protocol):
    """Is made of other encoders, its embedding of theirs side by side, and compares embeddings by itself."""

    parts: tuple[Encoder, ...]

    def compare(self, a: Tensor, b: Tensor) -> Tensor:
        """How far embeddings (n, dim) and (n | 1, dim) lie apart, (n,)."""
        ...


@runtime_checkable
class Analysing(Protocol):
    """A network that measures its input before anything that it learns: what it measures may be kept and used again."""

    def analyse(self, batch: StemBatch) -> StemBatch:
        """The same stems as an analysis alone, from which the network goes on."""
        ...


@runtime_checkable
class TrainedEncoder(Encoder, Protocol):
    """An encoder of which the network can be trained, from nothing or from where it stands.

    `net` is the network of `embed`, audio (b, 2, t) to (b, dim), and has a `dim` too; from `header["config"]` `network`
    builds another like it, untrained.
    """

    net: nn.Module
    header: dict[str, Any]

    @staticmethod
    def network(config: Mapping[str, Any]) -> nn.Module:
        """An untrained network."""
        ...


def digest_of(trained: object) -> str:
    """Which weights an encoder, converter or separator has; nothing for one without."""
    return trained.digest if isinstance(trained, Weighted) else ""


def same_style_distance(encoder: Encoder) -> float:
    """The mean distance between different music under the same effects; 0 where it has not been measured."""
    return float(encoder.same_style_distance) if isinstance(encoder, Calibrated) else 0.0


def has_learnt(encoder: Encoder, effects: Sequence[str]) -> bool:
    """Whether an encoder was trained on just these effects."""
    return isinstance(encoder, Familiar) and encoder.learnt_effects == frozenset(effects)


def distance(encoder: Encoder, a: Tensor, b: Tensor) -> Tensor:
    """How far embeddings (n, dim) and (n | 1, dim) lie apart, (n,): 1 - cosine, or the root mean square difference.

    Of a combination the weighted mean of its parts' distances.
    """
    if isinstance(encoder, Combined):
        return encoder.compare(a, b)
    if _kind(encoder) == "euclidean":
        return (a - b).square().mean(-1).clamp_min(1e-12).sqrt()
    return 1 - nn.functional.cosine_similarity(a, b, dim=-1)


def embed_excerpts(encoder: Encoder, excerpts: Sequence[Tensor]) -> Tensor:
    """The mean embedding (1, dim) of excerpts (2, t) of any lengths."""
    return torch.stack(list(side_by_side(lambda excerpt: encoder.embed(excerpt[None]), excerpts))).mean(0)


def embed_blend(
    encoder: Encoder, blend: Blend, of_song: Callable[[Encoder, Sequence[Tensor]], Tensor] = embed_excerpts
) -> Tensor:
    """The mean embedding (1, dim) of several songs, by their weights: of one, that of its excerpts (`of_song`)."""
    if len(blend.songs) == 1:
        return blend.mean(lambda excerpts: of_song(encoder, excerpts))
    return blend.mean(lambda excerpts: _comparable(encoder, of_song(encoder, excerpts)))


def embed_all(encoders: Sequence[Encoder], x: Tensor, *, mirrored: bool = False) -> Tensor:
    """The embeddings of audio (b, 2, t) side by side, (b, dims): at unit length where encoders compare by angle.

    If asked, those of its mirror image, left and right swapped, are behind them: (2 b, dims).
    """

    def embed(encoder: Encoder) -> Tensor:
        return embed_mirrored(encoder, encoder.embed, x) if mirrored else encoder.embed(x)

    with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
        return torch.cat([_comparable(encoder, embed(encoder)) for encoder in encoders], dim=-1)


def embed_mirrored(network: object, embed: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The embeddings (2 b, dim) of audio (b, 2, t) and, behind them, of its mirror image, left and right swapped."""
    if isinstance(network, Mirroring):
        return network.embed_mirrored(x)
    return torch.cat([embed(x), embed(x.flip(1))])  # one after the other fits a core's cache


def _comparable(encoder: Encoder, embedding: Tensor) -> Tensor:
    """An embedding (n, dim) at unit length where it is compared by angle: how long it is must not weigh."""
    if isinstance(encoder, Combined):
        parts = zip(encoder.parts, torch.split(embedding, [part.dim for part in encoder.parts], -1), strict=True)
        return torch.cat([_comparable(part, of) for part, of in parts], dim=-1)
    return embedding if _kind(encoder) == "euclidean" else nn.functional.normalize(embedding, dim=-1)


def _kind(encoder: Encoder) -> Distance:
    return encoder.distance if isinstance(encoder, Compared) else "cosine"
