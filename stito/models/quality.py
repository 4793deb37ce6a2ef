"""A quality head: a two-layer MLP from the embedding of a mix to a score, on a frozen encoder.

Source: B. Cheng, "Mixing style representation learning: a stem-aware contrastive framework with structured mix
features", stage 2 (two layers, MSE, rate 1e-3). The ranking loss on pairs, with a margin that grows with their
difference, follows QAMRO (arXiv 2508.08957).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from stito.errors import WeightsError
from stito.models.encoder import Encoder, MixEncoder, digest_of
from stito.models.weights import freeze, load_weights
from stito.streams import Purpose, torch_seeded

__all__ = ["ARCHITECTURE", "FittedHead", "HeadPlan", "QualityHead", "fit_head", "load_head", "mix_vectors"]

ARCHITECTURE = "quality head"
"""In the header of its weights."""

CLIP = 6.0
"""Standard deviations: further out a dimension says no more."""


@dataclass(frozen=True)
class HeadPlan:
    """How a head is fitted: AdamW over so many steps of whole batches.

    `ranking` is the weight of the ranking loss beside the MSE.
    """

    hidden: int = 128
    steps: int = 300
    batch: int = 256
    rate: float = 1e-3
    weight_decay: float = 0.05
    dropout: float = 0.3
    ranking: float = 0.0


class QualityHead(nn.Module):
    """Vectors (n, d) of mixes to scores (n,); what is NaN, a stem that a mix lacks, counts as usual."""

    mean: Tensor
    spread: Tensor
    centre: Tensor
    unit: Tensor

    def __init__(self, dim: int, plan: HeadPlan) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(dim, plan.hidden), nn.ReLU(), nn.Dropout(plan.dropout), nn.Linear(plan.hidden, 1)
        )
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("spread", torch.ones(dim))
        self.register_buffer("centre", torch.zeros(()))
        self.register_buffer("unit", torch.ones(()))

    def forward(self, vectors: Tensor) -> Tensor:
        """Scores (n,), in the unit of those that it was fitted to."""
        standard = ((vectors - self.mean) / self.spread).clamp(-CLIP, CLIP)
        output: Tensor = self.layers(standard.nan_to_num(0.0))[:, 0]
        return output * self.unit + self.centre

    def see(self, vectors: Tensor, scores: Tensor) -> None:
        """Take the usual vector and the usual score from what it will be fitted to."""
        mean = vectors.nanmean(0)
        variance = (vectors - mean).square().nanmean(0)
        self.mean.copy_(mean.nan_to_num(0.0))
        self.spread.copy_(variance.sqrt().nan_to_num(1.0).clamp_min(1e-4))
        self.centre.copy_(scores.mean())
        self.unit.copy_(scores.std().clamp_min(1e-6))


def fit_head(vectors: Tensor, scores: Tensor, plan: HeadPlan | None = None, *, seed: int = 0) -> QualityHead:
    """A head fitted to vectors (n, d) and scores (n,); the same seed gives the same head."""
    plan = plan or HeadPlan()
    with torch_seeded(seed, Purpose.QUALITY_HEAD):
        head = QualityHead(vectors.shape[1], plan)
        head.see(vectors, scores)
        optimiser = torch.optim.AdamW(head.layers.parameters(), lr=plan.rate, weight_decay=plan.weight_decay)
        for _ in range(plan.steps):
            rows = torch.randperm(len(vectors))[: plan.batch]
            truth = (scores[rows] - head.centre) / head.unit
            guess = (head(vectors[rows]) - head.centre) / head.unit
            loss = (guess - truth).square().mean()
            if plan.ranking:
                loss = loss + plan.ranking * _ranking(guess, truth)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return head.eval().requires_grad_(False)


@dataclass(frozen=True)
class FittedHead:
    """A head from a file: what it predicts, what it was fitted to, and on which encoder's embedding.

    Attributes:
        score: the name of what is predicted.
        data: what it was fitted to, in a sentence.
        encoder: the name of the encoder.
        digest: of the encoder's weights.
        dim: of the vectors that it takes.
        seconds: the length of each excerpt that is embedded.
        excerpts: how many of them.
    """

    head: QualityHead
    score: str
    data: str
    encoder: str
    digest: str
    dim: int
    seconds: float
    excerpts: int

    def check(self, encoder: Encoder) -> None:
        """`WeightsError` if it was fitted to another encoder's embedding."""
        if (encoder.name, digest_of(encoder)) != (self.encoder, self.digest):
            raise WeightsError(
                f"This head was fitted to '{self.encoder}', and not to these weights of '{encoder.name}'.",
                hint="Name the encoder that it was fitted to with --encoder.",
            )


def load_head(path: Path) -> FittedHead:
    """A head that `stito evaluate quality` wrote; `WeightsError` for any other file."""
    state, header = load_weights(path)
    if header.get("architecture") != ARCHITECTURE:
        raise WeightsError(f"{path} is no quality head.", hint="`stito evaluate quality` writes them.")
    dim = len(state["mean"])
    head = QualityHead(dim, HeadPlan(hidden=int(header["config"]["hidden"])))
    freeze(head, state, path)
    name, digest = header["encoder"]
    return FittedHead(
        head,
        str(header["score"]),
        str(header["data"]),
        name,
        digest,
        dim,
        float(header.get("seconds", 6.0)),
        int(header.get("excerpts", 4)),
    )


def _ranking(guess: Tensor, truth: Tensor) -> Tensor:
    """How far pairs are from being as far apart, in the right order, as their scores are."""
    apart, wanted = (values[:, None] - values for values in (guess, truth))
    return (wanted.abs() - wanted.sign() * apart).relu()[wanted != 0].mean()


def mix_vectors(encoder: Encoder, stems: Mapping[str, Tensor], names: tuple[str, ...]) -> Tensor:
    """What an encoder embeds of mixes, stems (b, 2, t) by name: (b, d), NaN for stems that are missing.

    Of a `MixEncoder` z; of any other the embedding of each of the stems `names`, and of their sum, side by side.
    """
    with torch.no_grad():
        if isinstance(encoder, MixEncoder):
            mix = encoder.embed_mix(stems)
            return mix.stems.masked_fill(~mix.present[..., None], torch.nan).flatten(1)
        total = torch.stack(list(stems.values())).sum(0)
        missing = total.new_full((len(total), encoder.dim), torch.nan)
        parts = [encoder.embed(stems[name]) if name in stems else missing for name in names]
        return torch.cat([*parts, encoder.embed(total)], dim=-1)
