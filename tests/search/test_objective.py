"""Objectives: zero at the truth, differentiable, the same in any batch."""

from __future__ import annotations

import pytest
import torch

from conftest import CHAIN, RATE, STYLES, song
from stito.effects.chain_files import load_chain
from stito.models.encoder import embed_excerpts
from stito.models.loading import load_encoder
from stito.search.objective import (
    AudioDistance,
    Candidates,
    EmbeddingDistance,
    Measure,
    Objective,
    Prior,
    SpectralDistance,
    StemCandidates,
    SumCandidates,
)

ENCODER = load_encoder("features")


def of(candidates: Candidates, measure: Measure) -> Objective:
    return Objective(candidates, measure, torch.device("cpu"))


@pytest.fixture(scope="module")
def case() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A dry drum stem, the same under its style, and the style's theta."""
    chain = load_chain(CHAIN)
    dry = song("night", stems=("drums",), seconds=2.0).stems["drums"]
    theta = chain.encode(STYLES["drums"])
    return dry, chain.render_one(dry, chain.settings(theta), RATE), theta


def test_the_truth_has_no_style_distance(case: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    dry, styled, theta = case
    chain = load_chain(CHAIN)
    objective = of(
        StemCandidates([chain.prepare(dry, RATE)]), EmbeddingDistance(ENCODER, embed_excerpts(ENCODER, [styled]))
    )
    at_truth, at_neutral = objective(torch.stack([theta, chain.encode({})]))
    assert at_truth < 0.02
    assert at_neutral > 0.5


def test_the_spectral_objective_is_zero_at_the_truth(case: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    dry, styled, theta = case
    chain = load_chain(CHAIN)
    objective = of(StemCandidates([chain.prepare(dry, RATE)]), SpectralDistance([styled]))
    at_truth, at_neutral = objective(torch.stack([theta, chain.encode({})]))
    assert at_truth < 1e-3 * at_neutral


def test_an_estimate_is_as_low_at_the_truth(case: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    dry, styled, theta = case
    chain = load_chain(CHAIN)
    objective = of(StemCandidates([chain.prepare(dry, RATE)]), SpectralDistance([styled], frames={2048: 8, 512: 8}))
    at_truth, at_neutral = objective(torch.stack([theta, chain.encode({})]))
    assert at_truth < 1e-3 * at_neutral


def test_gradients_reach_every_knob(case: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    dry, styled, _ = case
    chain = load_chain(CHAIN)
    objective = of(
        StemCandidates([chain.prepare(dry, RATE)]), EmbeddingDistance(ENCODER, embed_excerpts(ENCODER, [styled]))
    )
    theta = torch.full((1, chain.dim), 0.4, requires_grad=True)
    objective(theta).sum().backward()
    assert theta.grad is not None
    assert torch.isfinite(theta.grad).all()
    still = {str(knob) for knob, slope in zip(chain.knobs, theta.grad[0], strict=True) if slope == 0}
    assert still <= {"compressor.knee_db"}, "only the knee may have no level in its bend"


def test_the_sum_of_stems_is_what_is_embedded() -> None:
    chain = load_chain("gain")
    stems = [torch.randn(2, RATE, generator=torch.Generator().manual_seed(seed)) * 0.1 for seed in range(2)]
    up, down = chain.encode({"gain": {"gain_db": 6.0}}), chain.encode({"gain": {"gain_db": -6.0}})
    target = embed_excerpts(ENCODER, [stems[0] * 10 ** (6 / 20) + stems[1] * 10 ** (-6 / 20)])
    objective = of(SumCandidates([[chain.prepare(x, RATE)] for x in stems]), EmbeddingDistance(ENCODER, target))
    right, wrong = objective(torch.stack([torch.cat([up, down]), torch.cat([down, up])]))
    assert right < 1e-3 < wrong


def test_the_prior_is_a_gaussian() -> None:
    prior = Prior(torch.tensor([0.5, 0.2]), torch.tensor([0.1, 0.2]), weight=2.0)
    theta = torch.tensor([[0.5, 0.2], [0.6, 0.4]])
    assert prior(theta).tolist() == pytest.approx([0.0, 0.5 * 2.0 * (1 + 1) / 2])


def test_a_chain_brings_its_prior() -> None:
    chain = load_chain("mixing")
    prior = Prior.of(chain, 1.0)
    assert chain.prior, "the mixing chain ships a fitted prior"
    names = [str(knob) for knob in chain.knobs]
    for knob, (mean, std) in chain.prior.items():
        index = names.index(knob)
        assert float(prior.mean[index]) == pytest.approx(mean)
        assert float(prior.std[index]) == pytest.approx(std)


def test_an_objective_of_ones_own_sees_every_candidate_and_the_reference() -> None:
    chain = load_chain("gain")
    x, reference = 0.1 * torch.ones(2, RATE), 0.2 * torch.ones(2, RATE // 2)

    def level(candidates: torch.Tensor, wanted: torch.Tensor, sample_rate: int) -> torch.Tensor:
        assert sample_rate == RATE
        return (candidates.mean((1, 2)) - wanted.mean()).abs()

    objective = of(StemCandidates([chain.prepare(x, RATE)] * 2), AudioDistance(level, reference, RATE))
    doubled, same = objective.distance(torch.stack([chain.encode({"gain": {"gain_db": 6.0206}}), chain.encode({})]))
    assert float(doubled) == pytest.approx(0.0, abs=1e-3)
    assert float(same) == pytest.approx(0.1, abs=1e-3)


def test_another_prior_makes_another_objective() -> None:
    chain = load_chain("gain")
    source = StemCandidates([chain.prepare(0.1 * torch.ones(2, RATE), RATE)])
    objective = of(source, SpectralDistance([0.1 * torch.ones(2, RATE)]))
    drawn = objective.with_prior(Prior.of(chain, 1.0))
    assert objective.prior is None
    there = chain.encode({"gain": {"gain_db": 6.0}})[None]
    assert torch.equal(objective.distance(there), drawn.distance(there))
    assert float(drawn(there)) > float(objective(there))
