"""Banks of rooms: made up or read, they keep the level of noise, ring for as long as they say, and come in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stito.errors import AudioError, MissingFileError
from stito_effects.fxmanipulator.impulses import Impulses

RATE = 44_100


@pytest.fixture(scope="module")
def bank() -> Impulses:
    return Impulses.synthetic(count=16)


def decaying(decay_s: float, seconds: float, rate: int = RATE, lead_s: float = 0.0) -> np.ndarray:
    """Noise that falls by 60 dB in `decay_s`, after silence: (t, 2)."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).standard_normal((len(time), 2)) * (10 ** (-3 * time / decay_s))[:, None]
    return 0.1 * np.concatenate([np.zeros((round(lead_s * rate), 2)), noise])


def write(path: Path, audio: np.ndarray, rate: int = RATE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, rate, subtype="FLOAT")
    return path


def test_rooms_leave_the_level_of_noise_as_it_is(bank: Impulses) -> None:
    x = torch.randn(2, 8 * RATE, generator=torch.Generator().manual_seed(0))
    for impulse in bank.audio[::5]:
        n = x.shape[-1] + impulse.shape[-1]
        wet = torch.fft.irfft(torch.fft.rfft(x, n=n) * torch.fft.rfft(impulse, n=n), n=n)
        steady = wet[:, impulse.shape[-1] : x.shape[-1]]
        change_db = 10 * torch.log10(steady.square().mean() / x.square().mean())
        assert abs(float(change_db)) < 0.5


def test_rooms_ring_from_a_moment_to_seconds_in_order(bank: Impulses) -> None:
    assert float(bank.decay_s[0]) < 0.25
    assert float(bank.decay_s[-1]) > 2
    assert (bank.decay_s.diff() >= 0).all()
    assert bank.lengths[0] < bank.lengths[-1] <= 2.5 * RATE
    assert len(bank) == len(bank.names) == 16


def test_highs_die_before_lows(bank: Impulses) -> None:
    tail = bank.audio[len(bank) // 2 :, :, RATE // 4 :]
    start = bank.audio[len(bank) // 2 :, :, : RATE // 4]
    hz = torch.fft.rfftfreq(RATE, 1 / RATE)
    fall = []
    for low, high in ((250, 1000), (6000, 12_000)):
        band = (hz > low) & (hz < high)
        energies = [torch.fft.rfft(part, n=RATE)[..., band].abs().square().sum((1, 2)) for part in (start, tail)]
        fall.append(energies[0] / energies[1])
    assert (fall[1] > fall[0]).all()


def test_left_and_right_are_different_rooms_of_one_kind(bank: Impulses) -> None:
    left, right = bank.audio.unbind(1)
    correlation = (left * right).sum(-1) / (left.norm(dim=-1) * right.norm(dim=-1))
    assert (correlation.abs() < 0.7).all()
    assert (20 * torch.log10(left.norm(dim=-1) / right.norm(dim=-1))).abs().max() < 4


def test_same_seed_same_bytes_and_another_seed_other_rooms() -> None:
    first, again, other = (Impulses.synthetic(count=3, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(first.audio, again.audio)
    assert first.audio.shape != other.audio.shape or not torch.equal(first.audio, other.audio)


def test_a_room_is_the_same_at_another_rate() -> None:
    low, high = (Impulses.synthetic(rate, count=2) for rate in (44_100, 88_200))
    assert high.audio.shape[-1] == pytest.approx(2 * low.audio.shape[-1], abs=2)
    torch.testing.assert_close(low.decay_s, high.decay_s, rtol=0.02, atol=0.001)
    assert float(high.audio[1].square().mean(0).sum()) == pytest.approx(0.5, rel=1e-3)


def test_recordings_are_trimmed_sorted_and_measured(tmp_path: Path) -> None:
    write(tmp_path / "halls" / "long.wav", decaying(1.2, 4.0))
    write(tmp_path / "short.wav", decaying(0.3, 0.8, lead_s=0.2))
    write(tmp_path / "cabinet.wav", decaying(0.02, 0.05))
    write(tmp_path / "mono.wav", decaying(0.6, 1.0, rate=48_000)[:, :1], 48_000)
    (tmp_path / "readme.txt").write_text("Recorded on a Tuesday.")
    bank = Impulses.read(tmp_path)
    assert bank.names == ("cabinet", "short", "mono", "halls/long")
    assert bank.decay_s.tolist() == pytest.approx([0.02, 0.3, 0.6, 1.2], rel=0.1)
    assert bank.audio.shape == (4, 2, round(2.5 * RATE))
    assert bank.audio[1, :, :20].abs().max() > 0.01, "the silence before the first sound is gone"
    energy = bank.audio.square().mean(1).sum(-1)
    torch.testing.assert_close(energy, torch.ones(4))


def test_unusable_folders_are_errors_that_name_them(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="nowhere"):
        Impulses.read(tmp_path / "nowhere")
    with pytest.raises(AudioError, match="no audio"):
        Impulses.read(tmp_path)
    write(tmp_path / "silent.wav", np.zeros((RATE, 2)))
    with pytest.raises(AudioError, match=r"silent\.wav"):
        Impulses.read(tmp_path)
