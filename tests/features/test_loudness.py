"""Loudness and levels against the standard, pyloudnorm and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pyloudnorm
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stito.audio import resample
from stito.console.strips import loudness
from stito.dsp.loudness import (
    crest_db,
    integrated_loudness,
    measure,
    peak_db,
    quantiles,
    rms_db,
    true_peak_db,
)
from stito.dsp.stft import stereo_bands
from stito.errors import AudioError

RATE = 44_100


def sine(hz: float, db: float, seconds: float, rate: int = RATE, phase: float = 0.0) -> torch.Tensor:
    t = torch.arange(round(seconds * rate), dtype=torch.float64) / rate
    return (10 ** (db / 20) * torch.sin(2 * math.pi * hz * t + phase)).float().expand(1, 2, -1).clone()


def music(seed: int = 0, seconds: float = 8.0) -> torch.Tensor:
    """Bass notes, hits and hiss with pauses: what a loudness meter meets."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * RATE)) / RATE
    out = np.zeros((2, t.size))
    for start in np.arange(0, seconds, 0.25):
        if rng.random() < 0.3:
            continue
        age = np.clip(t - start, 0, None)
        on = t >= start
        hz = rng.choice([55.0, 82.4, 220.0, 440.0, 1760.0])
        note = np.sin(2 * np.pi * hz * age) * np.exp(-age * rng.uniform(2, 12))
        hit = rng.standard_normal(t.size) * np.exp(-age * 40) * 0.5
        pan = rng.uniform(0.2, 0.8)
        out += np.stack([1 - pan, pan])[:, None] * on * (note + hit) * rng.uniform(0.05, 0.4)
    return torch.tensor(out[None], dtype=torch.float32)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
def test_a_stereo_sine_of_1_khz_at_minus_23_dbfs_is_minus_23_lufs(rate: int) -> None:
    # EBU Tech 3341, case 1
    assert float(integrated_loudness(sine(1000, -23, 20, rate), rate)) == pytest.approx(-23.0, abs=0.05)


def test_one_channel_at_full_scale_is_minus_3_lufs() -> None:
    x = sine(997, 0, 5, 48_000)
    x[:, 1] = 0
    assert float(integrated_loudness(x, 48_000)) == pytest.approx(-3.01, abs=0.01)


@pytest.mark.parametrize(
    "parts",
    [
        [(-36, 10), (-23, 60), (-36, 10)],  # Tech 3341, case 3: the relative gate drops the quiet ends
        [(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)],  # case 4: the absolute gate too
    ],
)
def test_quiet_parts_do_not_count(parts: list[tuple[float, float]]) -> None:
    x = torch.cat([sine(1000, db, seconds / 4) for db, seconds in parts], dim=-1)
    assert float(integrated_loudness(x, RATE)) == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_pyloudnorm(seed: int) -> None:
    x = music(seed)
    array = x[0].T.double().numpy()
    found = float(integrated_loudness(x, RATE))
    assert found == pytest.approx(pyloudnorm.Meter(RATE, filter_class="DeMan").integrated_loudness(array), abs=0.02)
    # pyloudnorm's default filter has a pass band .045 dB below the standard's
    assert found == pytest.approx(pyloudnorm.Meter(RATE).integrated_loudness(array) + 0.045, abs=0.02)


@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("channels", [1, 2])
def test_files_read_as_loud_as_pyloudnorm_reads_them(rate: int, channels: int) -> None:
    x = resample(music(1), RATE, rate)[0, :channels]
    for sound in (x, torch.cat([x, 0.003 * x], dim=-1)):  # the second has a part below the gate
        # one channel sounds on both sides: that is twice its energy
        array = sound.expand(2, -1).T.double().numpy()
        assert loudness(sound, rate) == pytest.approx(pyloudnorm.Meter(rate).integrated_loudness(array), abs=0.05)
        assert loudness(sound, rate) == pytest.approx(float(integrated_loudness(sound.expand(2, -1)[None], rate)[0]))


@pytest.mark.parametrize("seed", range(4))
def test_loudness_from_frames_is_within_three_tenths(seed: int) -> None:
    x = music(seed)
    meter = pyloudnorm.Meter(RATE)
    expected = meter.integrated_loudness(x[0].T.double().numpy())
    assert float(stereo_bands(x, RATE).loudness.integrated()) == pytest.approx(expected, abs=0.3)


def test_short_term_and_momentary_follow_a_step() -> None:
    x = torch.cat([sine(1000, -30, 6), sine(1000, -20, 6)], dim=-1)
    loudness = measure(x, RATE)
    short, momentary = loudness.short_term()[0], loudness.momentary()[0]
    assert short[:30] == pytest.approx([-30.0] * 30, abs=0.05)
    assert short[-30:] == pytest.approx([-20.0] * 30, abs=0.05)
    halfway = 10 * math.log10((10**-3 + 10**-2) / 2)
    assert float(short[45]) == pytest.approx(halfway, abs=0.1)  # 1.5 s of each
    assert len(momentary) == 117
    assert float(loudness.range()) == pytest.approx(10.0, abs=0.1)


def test_steady_sound_has_no_range() -> None:
    loudness = measure(sine(440, -20, 8), RATE)
    assert float(loudness.range()) < 0.01
    mean, std = loudness.short_term_moments()
    assert float(std) < 0.01
    assert float(mean) == pytest.approx(float(loudness.integrated()), abs=0.01)


def test_less_than_a_block_is_measured_as_one() -> None:
    x = sine(1000, -23, 0.05)
    assert float(integrated_loudness(x, RATE)) == pytest.approx(-23.0, abs=0.5)


def test_silence_is_at_the_gate_and_has_a_gradient() -> None:
    x = torch.zeros(1, 2, RATE, requires_grad=True)
    loudness = measure(x, RATE)
    values = [loudness.integrated(), loudness.range(), *loudness.short_term_moments(), rms_db(x), peak_db(x)]
    torch.stack([*values, crest_db(x), true_peak_db(x, RATE)]).sum().backward()
    assert loudness.integrated().item() == -70
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()


def test_a_sine_has_the_levels_of_a_sine() -> None:
    x = sine(441, -6, 1)
    assert float(rms_db(x)) == pytest.approx(-9.01, abs=0.01)
    assert float(peak_db(x)) == pytest.approx(-6, abs=0.01)
    assert float(crest_db(x)) == pytest.approx(10 * math.log10(2), abs=0.01)


def test_crest_ignores_a_constant_power_pan() -> None:
    x = music()
    mono = x.sum(1)
    panned = [torch.stack([math.cos(a) * mono, math.sin(a) * mono], dim=1) for a in (0.0, 0.4, math.pi / 4)]
    values = [float(crest_db(audio)) for audio in panned]
    assert values == pytest.approx([values[0]] * 3, abs=1e-3)


def test_true_peak_finds_what_lies_between_samples() -> None:
    # a quarter of the rate, 45 degrees off: every sample is 3 dB below the crest
    x = sine(RATE / 4, -6, 0.5, phase=math.pi / 4)
    assert float(peak_db(x)) == pytest.approx(-9.01, abs=0.01)
    inside = x * torch.hann_window(x.shape[-1])  # without the edge's own overshoot
    assert float(true_peak_db(inside, RATE)) == pytest.approx(-6.0, abs=0.05)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_true_peak_is_never_below_the_samples(seed: int) -> None:
    x = torch.randn(1, 2, 300, generator=torch.Generator().manual_seed(seed))
    assert float(true_peak_db(x, RATE)) >= float(peak_db(x)) - 1e-4


def test_true_peak_in_blocks_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(2, 2, 5000, generator=torch.Generator().manual_seed(1))
    whole = true_peak_db(x, RATE)
    monkeypatch.setattr("stito.dsp.loudness.PEAK_BLOCK", 700)
    torch.testing.assert_close(true_peak_db(x, RATE), whole)


def test_quantiles_are_those_of_torch_and_respect_the_mask() -> None:
    values = torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    q = (0.0, 0.1, 0.5, 0.95, 1.0)
    torch.testing.assert_close(quantiles(values, q), torch.quantile(values, torch.tensor(q), dim=-1).T)
    keep = values > 0
    found = quantiles(values, q, keep)
    torch.testing.assert_close(found[1], torch.quantile(values[1][keep[1]], torch.tensor(q)))
    assert quantiles(values, q, torch.zeros_like(keep), empty=-7.0).eq(-7).all()


def test_rows_do_not_hear_each_other() -> None:
    x = torch.cat([music(0), 0.1 * music(1), torch.zeros(1, 2, 8 * RATE)])
    together = measure(x, RATE).integrated()
    alone = torch.cat([measure(row[None], RATE).integrated() for row in x])
    torch.testing.assert_close(together, alone, atol=1e-3, rtol=0)


def test_the_shape_is_checked() -> None:
    with pytest.raises(AudioError, match="shape"):
        measure(torch.zeros(2, 100), RATE)
