"""Errors of level, dynamics, width and spectrum between sounds of different content."""

from __future__ import annotations

import math

import pytest
import torch

from stito.errors import AudioError
from stito.metrics import Metric
from stito.metrics.levels import (
    CREST,
    LOUDNESS,
    LOUDNESS_RANGE,
    SPECTRUM,
    TRUE_PEAK,
    WIDTH,
    si_sdr,
    spectrum_distance,
)

RATE = 44_100


def noise(seed: int, seconds: float = 4.0) -> torch.Tensor:
    return 0.1 * torch.randn(1, 2, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


def signed(metric: Metric, x: torch.Tensor, reference: torch.Tensor) -> float:
    """The result's property minus the reference's, of which the metric is the size."""
    assert metric.property is not None
    difference = metric.property.function(x, RATE) - metric.property.function(reference, RATE)
    assert torch.equal(metric(x, reference, RATE), difference.abs())
    return float(difference)


def shelved(x: torch.Tensor, db: float, above_hz: float) -> torch.Tensor:
    spectrum = torch.fft.rfft(x)
    hz = torch.linspace(0, RATE / 2, spectrum.shape[-1])
    return torch.fft.irfft(torch.where(hz > above_hz, 10 ** (db / 20), 1.0) * spectrum, n=x.shape[-1])


@pytest.mark.parametrize("db", [-12.0, 3.0])
def test_gain_is_a_loudness_difference_and_nothing_else(db: float) -> None:
    x, reference = noise(0), noise(1, 5.0)
    louder = x * 10 ** (db / 20)
    assert signed(LOUDNESS, louder, reference) == pytest.approx(db, abs=0.1)
    assert signed(TRUE_PEAK, louder, x) == pytest.approx(db, abs=0.01)
    assert signed(WIDTH, louder, reference) == pytest.approx(0, abs=0.1)
    assert float(spectrum_distance(louder, reference, RATE)) < 0.3
    assert signed(LOUDNESS_RANGE, louder, reference) == pytest.approx(0, abs=0.1)


def test_clipping_lowers_the_crest() -> None:
    x = noise(0)
    assert signed(CREST, x.clamp(-0.1, 0.1), x) < -6


def test_a_sine_against_a_square() -> None:
    t = torch.arange(RATE) / RATE
    wave = torch.sin(2 * math.pi * 100 * t + 0.3).expand(1, 2, -1)
    assert signed(CREST, wave, wave.sign()) == pytest.approx(3.01, abs=0.02)


def test_doubling_the_side_is_6_db_wider() -> None:
    x = noise(0)
    mid, side = x.mean(1, keepdim=True), (x[:, :1] - x[:, 1:]) / 2
    wide = torch.cat([mid + 2 * side, mid - 2 * side], dim=1)
    assert signed(WIDTH, wide, x) == pytest.approx(6.02, abs=0.01)
    assert signed(WIDTH, wide, noise(1)) == pytest.approx(6.02, abs=0.2)


def test_a_fade_has_range() -> None:
    x = noise(0, 10.0)
    faded = x * 10 ** (-torch.linspace(0, 16, x.shape[-1]) / 20)
    # short-term loudness runs over 7 s of 10, its inner half over 3.5
    assert signed(LOUDNESS_RANGE, faded, x) == pytest.approx(16 * 0.35, abs=0.5)


def test_spectrum_distance_of_a_shelf_is_half_its_gain() -> None:
    x = noise(0)
    half_of_the_bands = 4035.0  # 24 of the 48 mel bands lie below
    assert float(spectrum_distance(shelved(x, 6, half_of_the_bands), x, RATE)) == pytest.approx(3, abs=0.1)
    assert float(spectrum_distance(x, x, RATE)) < 1e-3


def test_si_sdr_is_the_energy_of_what_is_added() -> None:
    target, other = noise(0), noise(1)
    other = other - (other * target).sum() / target.square().sum() * target
    other = other * (target.square().sum() / other.square().sum()).sqrt()
    for db in (0.0, 10.0, 30.0):
        x = target + other * 10 ** (-db / 20)
        assert float(si_sdr(x, target)) == pytest.approx(db, abs=0.01)
        assert float(si_sdr(5 * x, target)) == pytest.approx(db, abs=0.01)


def test_one_reference_serves_a_batch_and_gradients_are_finite() -> None:
    x = torch.cat([noise(0), torch.zeros(1, 2, 4 * RATE)]).requires_grad_()
    metrics = (LOUDNESS, LOUDNESS_RANGE, CREST, TRUE_PEAK, WIDTH, SPECTRUM)
    errors = {metric.name: metric(x, noise(1, 3.0), RATE) for metric in metrics}
    assert all(value.shape == (2,) for value in errors.values())
    (sum(value.sum() for value in errors.values()) + si_sdr(x, noise(1)).sum()).backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    single = LOUDNESS(x[:1], noise(1, 3.0), RATE)
    torch.testing.assert_close(errors["loudness_lu"][:1], single)


def test_si_sdr_needs_aligned_audio_and_two_channels() -> None:
    with pytest.raises(AudioError, match="samples"):
        si_sdr(noise(0), noise(0, 3.0))
    with pytest.raises(AudioError, match="shape"):
        LOUDNESS(noise(0)[0], noise(0), RATE)
