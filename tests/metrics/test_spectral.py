"""The multi-scale spectral distance, from its definition."""

from __future__ import annotations

import pytest
import torch

from stito.errors import AudioError
from stito.metrics.spectral import MultiScaleSpectral, SampledSpectral, multi_scale_spectral


def noise(seed: int, rows: int = 1, samples: int = 12_000) -> torch.Tensor:
    return 0.1 * torch.randn(rows, 2, samples, generator=torch.Generator().manual_seed(seed))


def naive(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The docstring, one channel (t,) at a time."""
    total = torch.zeros(())
    for n in (4096, 2048, 1024, 512):
        spectra = [
            torch.stft(a, n, n // 4, window=torch.hann_window(n), pad_mode="constant", return_complex=True)
            for a in (x, y)
        ]
        a, b = ((s.real**2 + s.imag**2 + 1e-7).sqrt() for s in spectra)
        total = total + 0.9 * (a - b).abs().mean() + 0.1 * (a.log10() - b.log10()).square().mean()
    return total


def test_it_is_its_definition() -> None:
    x, y = noise(0), noise(1)
    found = multi_scale_spectral(x, y)
    (l1, r1), (l2, r2) = x[0], y[0]
    torch.testing.assert_close(found.left_right[0], (naive(l1, l2) + naive(r1, r2)) / 2)
    torch.testing.assert_close(found.mid_side[0], (naive(l1 + r1, l2 + r2) + naive(l1 - r1, l2 - r2)) / 2)


def test_equal_audio_is_at_zero_and_polarity_is_not_heard() -> None:
    x = noise(0)
    assert float(multi_scale_spectral(x, x).left_right) == 0
    assert float(multi_scale_spectral(-x, x).mid_side) == 0


def test_swapping_channels_shows_in_left_and_right_alone() -> None:
    x = noise(0) * torch.tensor([1.0, 0.2])[:, None]
    found = multi_scale_spectral(x.flip(1), x)
    assert float(found.left_right) > 0.1
    assert float(found.mid_side) < 1e-5


def test_it_grows_with_the_error() -> None:
    x, error = noise(0), noise(1)
    values = [float(multi_scale_spectral(x + amount * error, x).left_right) for amount in (0.01, 0.03, 0.1, 0.3, 1.0)]
    assert values == sorted(values)


def test_one_target_serves_a_batch() -> None:
    x, target = noise(0, rows=3), noise(1)
    metric = MultiScaleSpectral(target)
    together = metric(x)
    for row in range(3):
        torch.testing.assert_close(together.mid_side[row], multi_scale_spectral(x[row : row + 1], target).mid_side[0])


def test_silence_has_a_gradient() -> None:
    x = torch.zeros(1, 2, 6000, requires_grad=True)
    multi_scale_spectral(x, noise(0, samples=6000)).left_right.sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_a_step_down_the_gradient_lowers_it() -> None:
    x, y = noise(0).requires_grad_(), noise(1)
    before = multi_scale_spectral(x, y).left_right.sum()
    (grad,) = torch.autograd.grad(before, x)
    after = multi_scale_spectral(x - 1e-3 * grad / grad.abs().max(), y).left_right.sum()
    assert after < before


@pytest.mark.parametrize("frames", [{2048: 32, 512: 64}, {4096: 64, 2048: 64, 1024: 64, 512: 64}])
def test_a_few_frames_estimate_the_distance(frames: dict[int, int]) -> None:
    truth = noise(1, rows=2, samples=44_100)
    other = truth * torch.tensor([0.5, 0.8])[:, None, None]
    torch.manual_seed(0)
    estimate, full = SampledSpectral(truth, frames)(other), multi_scale_spectral(other, truth)
    tolerance = 0.25 if len(frames) < 4 else 0.05  # noise has less in the small FFTs
    for found, wanted in zip(estimate, full, strict=True):
        assert torch.allclose(found, wanted, rtol=tolerance)
    assert max(float(found.abs().max()) for found in SampledSpectral(truth, frames)(truth)) == 0


def test_the_frames_are_the_same_at_every_call_and_follow_from_the_generator() -> None:
    truth, other = noise(1, samples=44_100), noise(2, samples=44_100)
    metric, again = (SampledSpectral(truth, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(metric(other).left_right, metric(other).left_right)
    assert torch.equal(metric(other).mid_side, again(other).mid_side)
    assert not torch.equal(metric(other).mid_side, SampledSpectral(truth)(other).mid_side)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (noise(0, samples=5000), noise(0, samples=5001)),
        (noise(0, rows=3), noise(0, rows=2)),
        (noise(0)[:, :1], noise(0)),
        (noise(0)[0], noise(0)),
    ],
)
def test_other_shapes_are_refused(x: torch.Tensor, y: torch.Tensor) -> None:
    with pytest.raises(AudioError) as caught:
        multi_scale_spectral(x, y)
    assert caught.value.hint


def test_an_estimate_has_the_derivative_of_its_formula() -> None:
    x, y = noise(3, 2).double(), noise(4).double()
    weights = torch.tensor([1.0, 0.3], dtype=torch.float64)

    def loss(x: torch.Tensor) -> torch.Tensor:
        seed = torch.Generator().manual_seed(1)
        found = SampledSpectral(y.to(x), {4096: 5, 512: 9}, generator=seed)(x)
        return (weights.to(x) * found.left_right + 0.7 * found.mid_side).sum()

    def slope(x: torch.Tensor) -> torch.Tensor:
        leaf = x.clone().requires_grad_(True)
        value = loss(leaf)
        torch.testing.assert_close(value.detach(), loss(x))  # without a gradient it is torch's own
        return torch.autograd.grad(value, leaf)[0]

    along = noise(5, 2).double()
    difference = loss(x + 1e-5 * along) - loss(x - 1e-5 * along)
    assert float((slope(x) * along).sum()) == pytest.approx(float(difference) / 2e-5, rel=1e-3)
    torch.testing.assert_close(slope(x.float()).double(), slope(x), rtol=1e-3, atol=1e-4)
