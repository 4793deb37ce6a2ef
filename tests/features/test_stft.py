"""Band energies against Parseval, known spectra and scipy."""

from __future__ import annotations

import math

import pytest
import scipy.signal
import torch

from stito.dsp.stft import magnitude, mel_bank, stereo_bands
from stito.errors import AudioError

RATE = 44_100


def noise(seed: int, rows: int = 1, seconds: float = 2.0, rate: int = RATE) -> torch.Tensor:
    return 0.1 * torch.randn(rows, 2, round(seconds * rate), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000, 96_000])
def test_the_bands_share_out_every_frequency_once(rate: int) -> None:
    bank = mel_bank(rate, 2048 if rate < 90_000 else 4096, 48)
    hz = torch.arange(bank.filters.shape[0]) * rate / (2 * (bank.filters.shape[0] - 1))
    inside = (hz >= 20) & (hz <= min(20_000, rate / 2))
    torch.testing.assert_close(bank.filters[inside].sum(1), torch.ones(int(inside.sum()), dtype=torch.float64))
    assert (bank.width_hz > 0).all()


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 192_000])
def test_a_sine_has_its_energy_in_its_band(rate: int) -> None:
    t = torch.arange(2 * rate, dtype=torch.float64) / rate
    x = (0.5 * torch.sin(2 * math.pi * 1000 * t)).float().expand(1, 2, -1)
    mean = stereo_bands(x, rate).over_time()
    assert float(mean.left.sum()) == pytest.approx(0.125, rel=1e-3)
    nearest = (mean.centre_hz - 1000).abs().argsort()[:2]
    assert float(mean.left[0, 0, nearest].sum()) > 0.8 * 0.125


def test_a_faint_side_is_the_same_under_autocast() -> None:
    mid, side = noise(1)[:, :1], 0.01 * noise(2)[:, :1]
    x = torch.cat([mid + side, mid - side], dim=1)
    with torch.autocast("cpu", torch.bfloat16):
        coarse = stereo_bands(x, RATE)
    torch.testing.assert_close(coarse.side, stereo_bands(x, RATE).side)


def test_mid_and_side_follow_from_the_cross_energy() -> None:
    x = noise(0)
    bands = stereo_bands(x, RATE)
    left, right = x.unbind(1)
    turned = torch.stack([left + right, left - right], dim=1) / math.sqrt(2)
    direct = stereo_bands(turned, RATE)
    torch.testing.assert_close(bands.mid, direct.left, rtol=1e-3, atol=1e-9)
    torch.testing.assert_close(bands.side, direct.right, rtol=1e-3, atol=1e-9)


def test_mono_has_no_side() -> None:
    x = noise(0)[:, :1].expand(-1, 2, -1)
    bands = stereo_bands(x, RATE).over_time()
    assert float(bands.side.sum() / bands.mid.sum()) < 1e-6


def test_a_row_is_the_same_alone_and_in_a_batch() -> None:
    x = noise(1, rows=3)
    together = stereo_bands(x, RATE)
    assert torch.equal(together.cross[1:2], stereo_bands(x[1:2], RATE).cross)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    x = noise(2)
    whole = stereo_bands(x, RATE)
    monkeypatch.setattr("stito.dsp.stft.CHUNK", 7)
    torch.testing.assert_close(stereo_bands(x, RATE).left, whole.left, rtol=1e-5, atol=1e-10)


def test_gradients_are_right() -> None:
    x = noise(3, seconds=0.2, rate=8000).double().requires_grad_()

    def energies(audio: torch.Tensor) -> torch.Tensor:
        bands = stereo_bands(audio, 8000, count=24)
        return torch.cat([bands.left, bands.right, bands.cross, bands.weighted[..., None]], dim=-1).sum(1)

    assert torch.autograd.gradcheck(energies, (x,), fast_mode=True)


def test_magnitudes_are_those_of_scipy() -> None:
    x = noise(4, seconds=0.3).double()
    found = magnitude(x, 512, 128, eps=0.0)
    window = scipy.signal.get_window("hann", 512)
    _, _, expected = scipy.signal.stft(
        x.numpy(), window=window, nperseg=512, noverlap=384, padded=False, return_onesided=True
    )
    frames = min(found.shape[-1], expected.shape[-1])
    scaled = torch.from_numpy(abs(expected[..., :frames]) * window.sum())
    torch.testing.assert_close(found[..., :frames], scaled)


def test_audio_shorter_than_a_frame_is_padded() -> None:
    assert stereo_bands(noise(5, seconds=0.01), RATE).left.shape == (1, 1, 48)


def test_mono_is_refused_with_a_hint() -> None:
    with pytest.raises(AudioError, match=r"\(b, 2, t\)") as caught:
        stereo_bands(torch.zeros(1, 1, 4000), RATE)
    assert caught.value.hint


def test_the_mean_over_time_has_the_mean_loudness() -> None:
    bands = stereo_bands(noise(6), RATE)
    assert float(bands.over_time().loudness.integrated()) == pytest.approx(float(bands.loudness.integrated()), abs=0.1)
