"""The contrastive loss: clips under one configuration of effects belong together, whatever plays in them.

A batch is (groups, configurations, contents): clip (g, i, j) is content j of group g under configuration i, and all of
a group have the same kinds of stems. Clips (g, i, j) and (g, i, j') are positives. Everything else is a negative, and
among that (g, i, j) and (g, i', j), the same content under other effects, are the strong negatives: what cannot be told
apart by content must be told apart by style. Groups of the same ensemble, with other choices of stems, are no
negatives of each other: they share the style as well.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stito.training.recipe import Objective

__all__ = ["nt_xent", "retrieval"]


def nt_xent(
    embeddings: Tensor,
    *,
    temperature: float = 0.1,
    subvector: int | None = None,
    objective: Objective = "style",
    strong_negatives: bool = True,
    views: int = 1,
) -> Tensor:
    """The NT-Xent loss, a scalar, low where positives are closer than negatives: the mean over pairs of positives.

    Each pair is compared with the negatives of its first clip; further positives are left out.

    Args:
        embeddings: (groups, configurations, contents, dim).
        temperature: of the softmax over cosines.
        subvector: only this many dims count (DirectCLR: Jing et al., "Understanding dimensional collapse in contrastive
            self-supervised learning", ICLR 2022); the others learn through the layers they share.
        objective: `style`, or `song`: positives are the same content under different configurations.
        strong_negatives: whether clips that share the content (`song`: the configuration) count as negatives.
        views: so many consecutive groups share one ensemble.

    Source: Chen et al., "A simple framework for contrastive learning of visual representations" (NT-Xent), ICML 2020;
    strong negatives: Koo et al., "Music mixing style transfer", ICASSP 2023, sec. 3.1.
    """
    cosines, positive, negative = _pairs(embeddings, subvector, objective, strong_negatives, views)
    scores = cosines / temperature
    rivals = scores.masked_fill(~negative, -torch.inf).logsumexp(1, keepdim=True)
    return torch.nn.functional.softplus(rivals - scores)[positive].mean()


def retrieval(
    embeddings: Tensor,
    *,
    subvector: int | None = None,
    objective: Objective = "style",
    strong_negatives: bool = True,
    views: int = 1,
) -> Tensor:
    """The share of clips whose nearest other clip is a positive, in [0, 1]; arguments as those of `nt_xent`."""
    cosines, positive, negative = _pairs(embeddings.detach(), subvector, objective, strong_negatives, views)
    nearest = cosines.masked_fill(~(positive | negative), -torch.inf).argmax(1, keepdim=True)
    return positive.gather(1, nearest).float().mean()


def _pairs(
    embeddings: Tensor, subvector: int | None, objective: Objective, strong_negatives: bool, views: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Cosines, which pairs are positives and which are negatives: each (n, n) of n clips."""
    if embeddings.dim() != 4:
        raise ValueError(f"Embeddings are (groups, configurations, contents, dim), not {tuple(embeddings.shape)}.")
    if objective == "song":
        embeddings = embeddings.transpose(1, 2)
    _, classes, members, _ = embeddings.shape
    kept = embeddings[..., :subvector].flatten(0, 2).float()
    unit = torch.nn.functional.normalize(kept, dim=1)
    clip = torch.arange(len(unit), device=unit.device)
    group, label, member = clip // (classes * members), clip // members, clip % members
    alike = label[:, None] == label
    positive = alike & (clip[:, None] != clip)
    ensemble = group // views
    negative = ~alike & ((group[:, None] == group) | (ensemble[:, None] != ensemble))
    if not strong_negatives:
        negative &= (group[:, None] != group) | (member[:, None] != member)
    return unit @ unit.T, positive, negative
