"""The mixing features in closed form: tones, noise, panning, masking."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stito.dsp.stft import stereo_bands
from stito.errors import AudioError, SettingsError
from stito.features import describe, masking
from stito.features.dynamics import active_frames, envelope_db, flux, slopes

RATE = 44_100


def noise(seed: int, seconds: float = 4.0, channels: int = 2) -> torch.Tensor:
    return 0.1 * torch.randn(1, channels, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


def coloured(db_per_octave: float, seed: int = 0) -> torch.Tensor:
    spectrum = torch.fft.rfft(noise(seed))
    octave = torch.log2(torch.linspace(0, RATE / 2, spectrum.shape[-1]).clamp_min(20) / 1000)
    return torch.fft.irfft(spectrum * 10 ** (db_per_octave * octave / 20))


def sine(hz: float, seconds: float = 4.0) -> torch.Tensor:
    return 0.5 * torch.sin(2 * math.pi * hz * torch.arange(round(seconds * RATE)) / RATE).expand(1, 2, -1)


def band(low: float, high: float, seed: int) -> torch.Tensor:
    spectrum = torch.fft.rfft(noise(seed))
    hz = torch.linspace(0, RATE / 2, spectrum.shape[-1])
    return torch.fft.irfft(spectrum * ((hz > low) & (hz < high)))


def mono(x: torch.Tensor) -> torch.Tensor:
    return x[:, :1].expand(-1, 2, -1)


@pytest.mark.parametrize("slope", [0.0, -3.01, -6.02, 2.0])
def test_tilt_is_the_slope_of_the_density(slope: float) -> None:
    assert float(describe(coloured(slope), RATE)["tilt_db_per_octave"]) == pytest.approx(slope, abs=0.3)


def test_white_noise_is_flat_and_a_tone_is_not() -> None:
    assert float(describe(noise(0), RATE)["flatness"]) > 0.97
    assert float(describe(sine(440), RATE)["flatness"]) < 0.05


def test_band_energies_of_white_noise_go_with_bandwidth() -> None:
    x = noise(0)
    found = describe(x, RATE)["band_db"][0]
    width = stereo_bands(x, RATE).width_hz
    expected = 10 * torch.log10(width / width.sum())
    assert float((found - expected).abs().mean()) < 0.15


def test_levels_of_a_sine() -> None:
    found = describe(sine(997), RATE)
    assert float(found["rms_db"]) == pytest.approx(-9.03, abs=0.01)
    assert float(found["crest_db"]) == pytest.approx(3.01, abs=0.01)
    assert float(found["loudness_lufs"]) == pytest.approx(-6.02, abs=0.05)


def test_low_and_high_are_told_apart() -> None:
    assert float(describe(sine(80), RATE)["low_high_db"]) > 40
    assert float(describe(sine(9000), RATE)["high_mid_db"]) > 40


def test_hard_left() -> None:
    x = noise(0)
    x[:, 1] = 0
    found = describe(x, RATE)
    assert float(found["level_difference_db"]) == pytest.approx(50, abs=0.1)
    assert float(found["correlation"]) == 0
    assert float(found["side_mid_db"]) == pytest.approx(0, abs=0.01)


def test_a_pan_of_6_db_is_read_as_6_db_in_every_band() -> None:
    x = mono(noise(0)) * torch.tensor([1.0, 10 ** (-6 / 20)])[:, None]
    found = describe(x, RATE)
    assert float(found["level_difference_db"]) == pytest.approx(6, abs=0.01)
    assert found["level_difference_band_db"][0].tolist() == pytest.approx([6] * 6, abs=0.01)
    assert float(found["correlation"]) == pytest.approx(1, abs=1e-4)


def test_mono_anti_phase_and_unrelated_channels() -> None:
    same = mono(noise(0))
    assert float(describe(same, RATE)["correlation"]) == pytest.approx(1, abs=1e-4)
    assert float(describe(same, RATE)["side_mid_db"]) == pytest.approx(-50, abs=0.5)
    opposite = same * torch.tensor([1.0, -1.0])[:, None]
    assert float(describe(opposite, RATE)["correlation"]) == pytest.approx(-1, abs=1e-4)
    assert float(describe(opposite, RATE)["side_mid_db"]) == pytest.approx(50, abs=0.5)
    assert abs(float(describe(noise(0), RATE)["correlation"])) < 0.02
    assert float(describe(noise(0), RATE)["side_mid_db"]) == pytest.approx(0, abs=0.2)


@settings(max_examples=5)
@given(gain_db=st.floats(-40, 12))
def test_gain_moves_levels_alone(gain_db: float) -> None:
    x = coloured(-3, seed=1)[..., : 2 * RATE]
    before, after = describe(x, RATE), describe(x * 10 ** (gain_db / 20), RATE)
    level = {name for name in before if name.endswith(("lufs", "rms_db", "peak_db")) or name in {"mid_db", "side_db"}}
    for name, value in before.items():
        expected = value + gain_db if name in level else value
        torch.testing.assert_close(after[name], expected, atol=0.02, rtol=0, msg=name)


def test_a_stem_is_seen_against_its_mix() -> None:
    stem, rest = noise(0), noise(1)
    found = describe(stem, RATE, mix=stem + rest)["band_of_mix_db"]
    assert float(found.mean()) == pytest.approx(-3.01, abs=0.3)
    assert float(describe(stem, RATE, mix=2 * stem)["loudness_of_mix_lu"]) == pytest.approx(-6.02, abs=0.01)
    with pytest.raises(AudioError, match="samples"):
        describe(stem, RATE, mix=rest[..., :100])


def test_every_value_has_a_row_for_each_row() -> None:
    x = torch.cat([noise(0), sine(300)])
    for name, value in describe(x, RATE).items():
        assert value.shape[0] == 2, name
        torch.testing.assert_close(value[:1], describe(x[:1], RATE)[name], atol=1e-3, rtol=1e-4, msg=name)


def test_decay_is_measured_in_db_per_second() -> None:
    t = torch.arange(2 * RATE) / RATE
    x = noise(0, 2.0) * 10 ** (-30 * t / 20)  # 30 dB/s, starting at once
    bands = stereo_bands(x, RATE).grouped(48)
    envelope, active = envelope_db(bands), torch.ones_like(bands.weighted, dtype=torch.bool)
    fall, _ = slopes(envelope, active, bands.hop_s, span=40)
    assert float(fall) == pytest.approx(30, abs=3)


def test_flux_ignores_what_all_bands_share() -> None:
    t = torch.arange(4 * RATE) / RATE
    steady = noise(0)
    pumped = steady * (1 + 0.5 * torch.sin(2 * math.pi * 2 * t))
    sweep = 0.3 * torch.sin(2 * math.pi * (200 * t + 400 * t.square())).expand(1, 2, -1)

    def of(x: torch.Tensor) -> float:
        bands = stereo_bands(x, RATE).grouped(4)
        return float(flux(envelope_db(bands), active_frames(bands)))

    assert of(pumped) == pytest.approx(of(steady), rel=0.15)
    assert of(sweep) > 1.5 * of(steady)


def test_stems_in_their_own_bands_do_not_mask() -> None:
    found = masking(torch.cat([band(50, 500, 0), band(2000, 9000, 1)]), RATE)
    assert (found["masked"] < 0.05).all()
    low = (found["band_hz"][0] > 100) & (found["band_hz"][0] < 400)
    assert (found["margin_db"][0, low] > 40).all()
    assert (found["margin_db"][1, low] < -40).all()


def test_equal_stems_mask_each_other_by_half() -> None:
    x = noise(0)
    found = masking(torch.cat([x, x]), RATE)
    assert found["masked"].tolist() == pytest.approx([0.5, 0.5], abs=1e-3)
    assert found["margin_db"].abs().max() < 1e-3


def test_a_soft_stem_under_a_loud_one_is_masked_and_turning_it_up_helps() -> None:
    soft, loud = noise(0), noise(1)
    shares = [float(masking(torch.cat([soft * 10 ** (db / 20), loud]), RATE)["masked"][0]) for db in (-24, -12, 0, 12)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.95
    assert shares[-1] < 0.1


def test_a_tolerance_says_how_much_louder_the_others_may_be() -> None:
    x = noise(0)
    found = [masking(torch.cat([x, x]), RATE, tolerance_db=db)["masked"] for db in (-6.0, 0.0, 6.0)]
    for share, expected in zip(found, (0.881, 0.5, 0.119), strict=True):  # the logistic function of 2, 0 and -2
        torch.testing.assert_close(share, torch.full_like(share, expected), atol=2e-3, rtol=0)


def test_of_three_stems_the_loudest_other_counts() -> None:
    x = noise(0)
    found = masking(torch.cat([x, 0.5 * x, 0.1 * x]), RATE)
    assert found["margin_db"].mean(1).tolist() == pytest.approx([6.02, -6.02, -20], abs=0.1)


def test_a_silent_stem_is_not_masked_and_one_stem_is_no_mix() -> None:
    stems = torch.cat([noise(0), torch.zeros(1, 2, 4 * RATE)]).requires_grad_()
    found = masking(stems, RATE)
    assert found["masked"][1].item() == 0
    torch.cat([value.flatten() for name, value in found.items() if name != "band_hz"]).sum().backward()
    assert stems.grad is not None
    assert torch.isfinite(stems.grad).all()
    with pytest.raises(SettingsError, match="two stems"):
        masking(noise(0), RATE)


@pytest.mark.parametrize("level", [0.0, 1e-4, 1.0])
def test_features_and_their_gradients_are_finite(level: float) -> None:
    x = (level * noise(0, 1.0) * 10).clamp(-1, 1).requires_grad_()
    found = describe(x, RATE, mix=x)
    assert all(torch.isfinite(value).all() for value in found.values())
    torch.cat([value.flatten() for value in found.values()]).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
