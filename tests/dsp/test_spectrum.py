"""Filtering audio that is longer than a block."""

from __future__ import annotations

import pytest
import torch
from scipy.fft import next_fast_len

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


def test_fast_lengths_are_the_next_even_ones_of_small_factors() -> None:
    for samples in [1, 2, 3, 17, 1000, 44_100, 131_073, *range(9_000, 9_400), 1_234_567]:
        n = spectrum.fast_length(samples)
        assert n == 2 * int(next_fast_len((samples + 1) // 2, real=True))
