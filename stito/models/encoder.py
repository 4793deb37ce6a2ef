"""What an encoder is: audio in, an embedding of its style out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

__all__ = ["Distance", "Encoder", "TrainedEncoder", "digest_of", "distance", "hear", "near"]

Distance = Literal["cosine", "euclidean"]


@runtime_checkable
class Encoder(Protocol):
    """Anything with these three attributes and this method: a third party inherits nothing.

    An encoder whose embedding has meaningful lengths sets `distance = "euclidean"`; without that attribute
    embeddings are compared by angle. One that has been measured sets `near`, the mean distance of different music under
    the same effects.
    """

    name: str
    sample_rate: int
    dim: int

    def embed(self, x: Tensor) -> Tensor:
        """The embedding (b, dim) of audio (b, 2, t) at `sample_rate`; differentiable with respect to `x`."""
        ...


@runtime_checkable
class TrainedEncoder(Encoder, Protocol):
    """An encoder of which the network can be trained, from nothing or from where it stands.

    `net` is what `embed` asks, audio (b, 2, t) to (b, dim), and has a `dim` too; `header["config"]` is what `network`
    makes another like it from, untrained.
    """

    net: nn.Module
    header: dict[str, Any]

    @staticmethod
    def network(config: Mapping[str, Any]) -> nn.Module:
        """An untrained network."""
        ...


def digest_of(trained: object) -> str:
    """Which weights an encoder or converter has; nothing for one without."""
    return str(getattr(trained, "digest", ""))


def near(encoder: Encoder) -> float:
    """How near other music is under the same effects, on average: less says nothing. 0 where that is not known."""
    return float(getattr(encoder, "near", 0.0))


def distance(encoder: Encoder, a: Tensor, b: Tensor) -> Tensor:
    """How far embeddings (n, dim) and (n | 1, dim) lie apart, (n,): 1 - cosine, or the root mean square difference."""
    if getattr(encoder, "distance", "cosine") == "euclidean":
        return (a - b).square().mean(-1).clamp_min(1e-12).sqrt()
    return 1 - torch.nn.functional.cosine_similarity(a, b, dim=-1)


def hear(encoders: Sequence[Encoder], x: Tensor) -> Tensor:
    """The embeddings of audio (b, 2, t) side by side, (b, dims): at unit length where encoders compare by angle."""
    heard = []
    with torch.no_grad(), torch.autocast(x.device.type, enabled=False):
        for encoder in encoders:
            embedding = encoder.embed(x)
            by_angle = getattr(encoder, "distance", "cosine") == "cosine"
            heard.append(nn.functional.normalize(embedding, dim=-1) if by_angle else embedding)
    return torch.cat(heard, dim=-1)
