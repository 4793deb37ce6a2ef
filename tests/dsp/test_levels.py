"""The level of one sound, measured once."""

from __future__ import annotations

import pytest
import torch

from stito.dsp.levels import SILENT_LUFS, Levels
from stito.dsp.loudness import crest_db, integrated_loudness, loudness_range, true_peak_db

RATE = 44_100


def noise(seed: int, seconds: float = 7.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    x = 0.1 * torch.randn(2, int(RATE * seconds), generator=generator)
    return x * torch.linspace(0.05, 1, x.shape[-1])


def test_levels_are_what_each_measure_says() -> None:
    x = noise(1)
    levels = Levels.of(x, RATE)
    assert levels.integrated_lufs == pytest.approx(float(integrated_loudness(x[None], RATE)), abs=1e-3)
    assert levels.range_lu == pytest.approx(float(loudness_range(x[None], RATE)), abs=1e-3)
    assert levels.crest_db == pytest.approx(float(crest_db(x[None])), abs=1e-3)
    assert levels.true_peak_db == pytest.approx(float(true_peak_db(x[None], RATE)), abs=1e-3)


@pytest.mark.parametrize("gain_db", [-12.0, 6.0])
def test_a_gain_needs_no_second_measurement(gain_db: float) -> None:
    x = noise(2)
    known, measured = Levels.of(x, RATE).amplified(gain_db), Levels.of(x * 10 ** (gain_db / 20), RATE)
    for name in ("integrated_lufs", "range_lu", "crest_db", "true_peak_db", "side_over_mid_db"):
        assert getattr(known, name) == pytest.approx(getattr(measured, name), abs=1e-3)


def test_mono_sounds_from_both_sides() -> None:
    x = noise(3)[:1]
    mono, stereo = Levels.of(x, RATE), Levels.of(x.expand(2, -1), RATE)
    assert mono.integrated_lufs == pytest.approx(stereo.integrated_lufs, abs=1e-3)
    assert mono.crest_db == pytest.approx(stereo.crest_db, abs=1e-3)
    assert mono.side_over_mid_db < -100
    assert Levels.of(torch.cat([x, -x]), RATE).side_over_mid_db > 100


def test_a_quiet_take_has_a_place_in_the_balance_and_silence_has_none() -> None:
    x = noise(4)
    loud, quiet = Levels.of(x, RATE), Levels.of(x * 1e-3, RATE)
    assert quiet.balance_lufs == pytest.approx(loud.balance_lufs - 60, abs=0.5)
    assert Levels.of(x * 1e-6, RATE).balance_lufs == SILENT_LUFS


@pytest.mark.parametrize("place", [0, 1, 255, 256, 70_000, 88_199])
def test_the_true_peak_is_found_wherever_it_lies(place: int) -> None:
    x = 0.05 * torch.sin(torch.arange(88_200) * 0.01).expand(2, -1).clone()
    x[0, place] = 0.7
    x[0, min(place + 1, 88_199)] = 0.7
    found = float(true_peak_db(x[None], RATE))
    between = 20 * torch.log10(torch.tensor(0.7 * 1.27))  # two equal samples: 4 / pi between them
    assert found == pytest.approx(float(between), abs=0.4) if place < 88_199 else found >= 20 * -0.155
