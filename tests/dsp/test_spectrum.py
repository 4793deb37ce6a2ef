"""Filtering audio that is longer than a block."""

from __future__ import annotations

import pytest
import torch

from stito.dsp import spectrum
from stito.dsp.phase import delay_response


@pytest.mark.parametrize("tail", [100, 70_000, 200_000])
def test_a_ring_of_any_length_fits_its_block(monkeypatch: pytest.MonkeyPatch, tail: int) -> None:
    """A delay as long as the tail comes out whole, however short blocks are."""
    monkeypatch.setattr(spectrum, "BLOCK", 50_000)
    monkeypatch.setattr(spectrum, "LONGEST", 1 << 17)
    x = torch.randn(1, 2, 300_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    samples = torch.tensor([float(tail)], dtype=torch.float64)
    y = spectrum.filter_blocks(x, lambda n: [delay_response(samples, n, slice(0, n // 2 + 1))[:, None]], tail)
    torch.testing.assert_close(y[..., tail:], x[..., :-tail], atol=1e-6, rtol=0)
    assert y[..., :tail].abs().max() < 1e-6
