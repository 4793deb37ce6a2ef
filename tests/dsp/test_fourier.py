"""The real transform: torch's own values and derivative, for even and padded lengths."""

from __future__ import annotations

import pytest
import torch

from stito.dsp.fourier import rfft


@pytest.mark.parametrize(("length", "n"), [(16, None), (11, 16), (5, 32)])
def test_values_and_derivative_are_those_of_torch(length: int, n: int | None) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, length, generator=generator, dtype=torch.float64)
    weights = torch.randn(3, (n or length) // 2 + 1, 2, generator=generator, dtype=torch.float64)
    gradients = []
    for transform in (rfft, torch.fft.rfft):
        leaf = x.clone().requires_grad_()
        spectrum = transform(leaf, n)
        assert torch.allclose(spectrum, torch.fft.rfft(x, n))
        (torch.view_as_real(spectrum) * weights).sum().backward()
        gradients.append(leaf.grad)
    assert torch.allclose(*gradients, atol=1e-12)
