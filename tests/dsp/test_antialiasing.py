"""The curve of tanh as means between samples."""

from __future__ import annotations

import torch

from stito.dsp.antialiasing import DEVIATION, Places, mean_tanh


def test_the_curve_is_tanh() -> None:
    u = torch.linspace(-60, 60, 120_001, dtype=torch.float64)
    places = Places.of(u)
    assert (mean_tanh(places, places) - torch.tanh(u)).abs().max() < DEVIATION
    assert (places.area - torch.log(2 * torch.cosh(u))).abs().max() < 2 * DEVIATION


def test_a_mean_is_the_mean_of_the_curve_on_the_way() -> None:
    generator = torch.Generator().manual_seed(0)
    start, end = (8 * torch.randn(200, generator=generator, dtype=torch.float64) for _ in range(2))
    way = torch.lerp(start[:, None], end[:, None], (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000)
    places = Places.of(way)
    curve = mean_tanh(places, places)
    torch.testing.assert_close(mean_tanh(Places.of(start), Places.of(end)), curve.mean(1), atol=1e-6, rtol=0)


def test_short_steps_lose_no_digits() -> None:
    """In single precision a step of a millionth gives the curve itself, up to the largest drive."""
    u = torch.linspace(-64, 64, 10_001)
    near = Places.of(u * (1 + 1e-6))
    expected = torch.tanh(u.double()).float()
    assert (mean_tanh(Places.of(u), near) - expected).abs().max() < 1.1 * DEVIATION


def test_huge_and_silent_arguments_stay_finite() -> None:
    u = torch.tensor([0.0, 1e-30, 1e4, -1e9])
    places = Places.of(u)
    assert torch.isfinite(mean_tanh(places, Places.of(u.flip(0)))).all()
    assert mean_tanh(places, places)[0] == 0
