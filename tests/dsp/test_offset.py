"""The slow part of audio."""

from __future__ import annotations

import math

import pytest
import torch

from stito.dsp.offset import STEP, take_offset

RATE = 44_100
SILENCE = torch.zeros(1, 1, 1, dtype=torch.float64)


@pytest.mark.parametrize(("hz", "gain_db"), [(5.0, -38.2), (15.0, -6.02), (45.0, -0.107), (1378.0, 0.0), (689.0, 0.0)])
def test_what_is_slow_is_taken_and_nothing_else(hz: float, gain_db: float) -> None:
    t = torch.arange(4 * RATE // STEP * STEP, dtype=torch.float64) / RATE
    x = torch.sin(2 * math.pi * hz * t).expand(1, 2, -1)
    y = take_offset(x.clone(), RATE, 15.0, SILENCE)
    middle = slice(RATE, 3 * RATE)
    expected = 10 ** (gain_db / 20) * x[..., middle]
    torch.testing.assert_close(y[..., middle], expected, atol=3e-4, rtol=0)


def test_an_offset_that_lasts_leaves_silence() -> None:
    rest = torch.full((1, 1, 1), 0.7, dtype=torch.float64)
    y = take_offset(torch.full((1, 2, 100 * STEP), 0.7, dtype=torch.float64), RATE, 15.0, rest)
    assert y.abs().max() < 1e-12
