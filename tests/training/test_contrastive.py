"""The contrastive loss: against loops written by hand, and what it rewards."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch
from torch import Tensor

from stito.training.recipe import Objective
from stito.training.tasks.contrastive import nt_xent, retrieval

Clip = tuple[int, int, int]


def loop(z: Tensor, temperature: float, objective: Objective, strong: bool) -> tuple[float, int]:
    """The loss, pair by pair, and the number of negatives that the first clip has."""
    groups, configurations, contents, _ = z.shape
    clips: list[Clip] = list(product(range(groups), range(configurations), range(contents)))
    style, content = (1, 2) if objective == "style" else (2, 1)

    def cosine(a: Clip, b: Clip) -> float:
        return float(torch.nn.functional.cosine_similarity(z[a], z[b], dim=0)) / temperature

    def is_positive(a: Clip, b: Clip) -> bool:
        return a != b and a[0] == b[0] and a[style] == b[style]

    def is_negative(a: Clip, b: Clip) -> bool:
        apart = a[0] != b[0] or a[style] != b[style]
        return apart and (strong or a[0] != b[0] or a[content] != b[content])

    losses = []
    for a in clips:
        rivals = sum(math.exp(cosine(a, b)) for b in clips if is_negative(a, b))
        for b in clips:
            if is_positive(a, b):
                losses.append(-math.log(math.exp(cosine(a, b)) / (math.exp(cosine(a, b)) + rivals)))
    return sum(losses) / len(losses), sum(is_negative(clips[0], b) for b in clips)


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("strong", [True, False])
@pytest.mark.parametrize("objective", ["style", "song"])
@pytest.mark.parametrize("shape", [(3, 2, 2, 5), (2, 3, 4, 5), (1, 2, 2, 5)])
def test_the_loss_is_that_of_the_loop(shape: tuple[int, ...], objective: Objective, strong: bool) -> None:
    if shape[0] == 1 and not strong:
        shape = (1, 3, 3, 5)  # else a clip has no negative at all
    z = noise(*shape)
    expected, _ = loop(z, 0.2, objective, strong)
    assert nt_xent(z, temperature=0.2, objective=objective, strong_negatives=strong).item() == pytest.approx(expected)


def test_strong_negatives_are_the_same_content_under_the_other_configurations() -> None:
    """In a batch of g groups x c configurations x m contents each clip has c - 1 of them."""
    z = noise(4, 3, 2, 5)
    (_, with_them), (_, without) = loop(z, 1.0, "style", True), loop(z, 1.0, "style", False)
    assert (with_them, without) == (4 * 3 * 2 - 2, 4 * 3 * 2 - 2 - 2)
    # the loss sees the same: at equal embeddings it is the log of one positive and all negatives
    same = torch.ones(4, 3, 2, 5)
    assert nt_xent(same).item() == pytest.approx(math.log(1 + with_them))
    assert nt_xent(same, strong_negatives=False).item() == pytest.approx(math.log(1 + without))


def test_an_embedding_of_the_style_has_no_loss_and_one_of_the_content_has_much() -> None:
    style = torch.eye(6).reshape(3, 2, 1, 6).expand(-1, -1, 2, -1)
    content = torch.eye(6).reshape(3, 1, 2, 6).expand(-1, 2, -1, -1)
    assert nt_xent(style).item() < 1e-3
    assert nt_xent(content).item() > 5
    assert (retrieval(style).item(), retrieval(content).item()) == (1.0, 0.0)
    assert nt_xent(content, objective="song").item() < 1e-3
    assert retrieval(content, objective="song").item() == 1.0


def test_views_of_one_ensemble_do_not_compete() -> None:
    """At equal embeddings the loss counts negatives: those in the other group of a pair are none."""
    same = torch.ones(4, 3, 2, 5)
    within, others = 3 * 2 - 2, 2 * 3 * 2
    assert nt_xent(same, views=2).item() == pytest.approx(math.log(1 + within + others))
    # two views that cannot be told apart, of two ensembles that can: the loss is that of one view of each
    style = torch.eye(4).reshape(2, 1, 2, 1, 4).expand(-1, 2, -1, 2, -1).flatten(0, 1)
    assert nt_xent(style, views=2).item() < 1e-3 < nt_xent(style).item()
    assert (retrieval(style, views=2).item(), nt_xent(style[::2]).item() < 1e-3) == (1.0, True)


def test_only_the_sub_vector_counts() -> None:
    z = noise(2, 2, 2, 8).requires_grad_()
    loss = nt_xent(z, subvector=3)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == pytest.approx(nt_xent(z[..., :3]).item())
    assert z.grad is not None
    assert z.grad[..., :3].abs().min() > 0
    assert z.grad[..., 3:].abs().max() == 0


def test_length_does_not_count() -> None:
    z = noise(2, 2, 2, 8)
    scale = 1 + torch.rand(2, 2, 2, 1, generator=torch.Generator().manual_seed(1))
    assert nt_xent(z * scale).item() == pytest.approx(nt_xent(z).item(), rel=1e-5)


def test_embeddings_come_in_groups() -> None:
    with pytest.raises(ValueError, match="groups, configurations, contents, dim"):
        nt_xent(noise(8, 4))
