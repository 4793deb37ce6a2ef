"""What recorded and made-up rooms share."""

from __future__ import annotations

import pytest
import torch

from stito.audio import in_pairs
from stito.dsp.impulse import faded_out, from_first_sound, noise_bands
from stito.errors import AudioError

RATE = 44_100


def test_a_recording_begins_with_its_first_sound() -> None:
    recording = torch.zeros(2, 1000)
    recording[1, 300], recording[0, 100] = 1.0, 0.005  # what is before is noise of the microphone
    assert from_first_sound(recording, "hall.wav").shape == (2, 700)
    for silent in (torch.zeros(2, 10), torch.zeros(2, 0)):
        with pytest.raises(AudioError, match=r"hall\.wav.*silent"):
            from_first_sound(silent, "hall.wav")


def test_only_the_last_50_ms_fade() -> None:
    for seconds in (0.02, 1.0):
        faded = faded_out(torch.ones(2, round(seconds * RATE)), RATE)
        assert torch.equal(faded[:, : -round(0.05 * RATE)], torch.ones(2, max(0, round((seconds - 0.05) * RATE))))
        assert faded[:, -1].abs().max() < 1e-6
        assert bool((faded.diff() <= 0).all())


def test_bands_of_noise_add_up_and_share_what_is_asked() -> None:
    draws = torch.randn(3, RATE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    bands = noise_bands(draws, 0.3, (300.0, 3000.0), RATE)
    assert bands.shape == (3, 2, RATE)
    left, right = bands.sum(0)
    assert torch.allclose(left, 0.3**0.5 * draws[0] + 0.7**0.5 * draws[1])
    assert float((left * right).mean() / left.square().mean()) == pytest.approx(0.3, abs=0.02)
    hz = torch.fft.rfftfreq(RATE, 1 / RATE)
    centre = [float((torch.fft.rfft(band[0]).abs().square() * hz).sum()) for band in bands]
    assert centre == sorted(centre)


def test_mono_comes_back_as_mono_and_many_channels_go_in_pairs() -> None:
    x = torch.randn(5, 100, generator=torch.Generator().manual_seed(0))
    seen: list[torch.Size] = []

    def swapped(pair: torch.Tensor) -> torch.Tensor:
        seen.append(pair.shape)
        return pair.flip(0)

    assert torch.equal(in_pairs(x, swapped), x[[1, 0, 3, 2, 4]])
    assert torch.equal(in_pairs(x[:1], swapped), x[:1])
    assert set(seen) == {(2, 100)}
