"""Objectives: zero at the truth, differentiable, the same in any batch."""

from __future__ import annotations

import pytest
import torch

from conftest import CHAIN, RATE, STYLES, song
from stito.effects.chain_files import load_chain
from stito.models.encoders import load_encoder
from stito.search.objective import Prior, SpectralObjective, StyleObjective, SumObjective, embed_excerpts

ENCODER = load_encoder("features")


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
    objective = StyleObjective([chain.prepare(dry, RATE)], ENCODER, embed_excerpts(ENCODER, [styled]))
    at_truth, at_neutral = objective(torch.stack([theta, chain.encode({})]))
    assert at_truth < 0.02
    assert at_neutral > 0.5


def test_the_spectral_objective_is_zero_at_the_truth(case: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    dry, styled, theta = case
    chain = load_chain(CHAIN)
    objective = SpectralObjective([chain.prepare(dry, RATE)], [styled])
    at_truth, at_neutral = objective(torch.stack([theta, chain.encode({})]))
    assert at_truth < 1e-3 * at_neutral


def test_an_estimate_is_as_low_at_the_truth(case: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    dry, styled, theta = case
    chain = load_chain(CHAIN)
    objective = SpectralObjective([chain.prepare(dry, RATE)], [styled], frames={2048: 8, 512: 8})
    at_truth, at_neutral = objective(torch.stack([theta, chain.encode({})]))
    assert at_truth < 1e-3 * at_neutral


def test_gradients_reach_every_knob(case: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    dry, styled, _ = case
    chain = load_chain(CHAIN)
    objective = StyleObjective([chain.prepare(dry, RATE)], ENCODER, embed_excerpts(ENCODER, [styled]))
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
    objective = SumObjective([[chain.prepare(x, RATE)] for x in stems], ENCODER, target)
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
