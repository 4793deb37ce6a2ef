"""Draws: different songs, the same for the same generator, at other speeds and as loud as they were."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from stito.data.cache import Cache, build_cache
from stito.data.contents import Contents
from stito.data.songs import find_songs
from stito.data.speed import change_speed, nearest_speed, needed
from stito.errors import AudioError, SettingsError, UnknownNameError

RATE = 44_100
SONGS = 6


def tone(hz: float, seconds: float, rate: int = RATE) -> Tensor:
    """A sine of amplitude .5, at half of that on the right."""
    x = 0.5 * torch.sin(2 * torch.pi * hz * torch.arange(round(seconds * rate), dtype=torch.float64) / rate)
    return torch.stack([x, x / 2]).float()


def pitch(x: Tensor) -> float:
    """The strongest frequency of audio (t,), to about 3 Hz."""
    size = 1 << 14
    spectrum = torch.fft.rfft(x[:size] * torch.hann_window(min(len(x), size)), size).abs()
    return int(spectrum.argmax()) * RATE / size


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """Six songs whose bass is a tone of its own, 1 kHz apart; the last one is for validation, the first has drums."""
    root = tmp_path_factory.mktemp("data")
    for number in range(SONGS):
        folder = root / "songs" / f"song {number}"
        folder.mkdir(parents=True)
        soundfile.write(folder / "bass.wav", tone(1000 * (number + 1), 3 + number).T.numpy(), RATE, subtype="FLOAT")
        if not number:
            soundfile.write(folder / "drums.wav", tone(440, 3).T.numpy(), RATE, subtype="FLOAT")
    (root / "songs" / "split.json").write_text(f'{{"valid": ["song {SONGS - 1}"]}}')
    return build_cache(find_songs(root / "songs"), root / "cache")


def test_the_same_generator_draws_the_same(cache: Cache) -> None:
    contents = Contents(cache)
    first, again, other = (contents.draw("bass", 4, 8000, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (first.shape, first.dtype) == ((4, 2, 8000), torch.float32)


def test_segments_come_from_different_songs(cache: Cache) -> None:
    contents = Contents(cache, speed=0.0)
    assert contents.songs("bass") == SONGS - 1
    for seed in range(20):
        x = contents.draw("bass", SONGS - 1, 16_384, np.random.default_rng(seed))
        assert sorted(round(pitch(row[0]) / 1000) for row in x) == [1, 2, 3, 4, 5]
    more = contents.draw("bass", 12, 16_384, np.random.default_rng(0))
    played = [round(pitch(row[0]) / 1000) for row in more]
    assert all(played.count(song) in (2, 3) for song in range(1, SONGS)), "none again before all were played"


def test_validation_is_held_out(cache: Cache) -> None:
    x = Contents(cache, split="valid", speed=0.0).draw("bass", 2, 16_384, np.random.default_rng(0))
    assert [round(pitch(row[0]) / 1000) for row in x] == [SONGS, SONGS]
    assert Contents(cache, split="valid").stems == ("bass",)
    assert Contents(cache).stems == ("bass", "drums")


def test_longer_songs_are_played_more_often_but_not_in_proportion(cache: Cache) -> None:
    contents, generator = Contents(cache, speed=0.0), np.random.default_rng(0)
    played = [round(pitch(contents.draw("bass", 1, 4096, generator)[0, 0]) / 1000) for _ in range(600)]
    assert 1.2 < played.count(5) / played.count(1) < 2.0, "7 s against 3 s: a ratio of 1.5"


def test_speed_moves_pitch_within_its_bounds(cache: Cache) -> None:
    contents, generator = Contents(cache, speed=0.25), np.random.default_rng(0)
    ratios = [pitch(contents.draw("drums", 1, 32_768, generator)[0, 0]) / 440 for _ in range(40)]
    assert 1 / 1.26 < min(ratios) < 0.85
    assert 1.18 < max(ratios) < 1.26
    assert np.mean(np.log(ratios)) == pytest.approx(0, abs=0.07)


def test_sides_are_exchanged_and_polarity_flipped(cache: Cache) -> None:
    generator = np.random.default_rng(0)
    x = Contents(cache, speed=0.0).draw("drums", 60, 2000, generator)
    louder_left = x[:, 0].abs().amax(-1) > x[:, 1].abs().amax(-1)
    assert 15 < int(louder_left.sum()) < 45
    plain = Contents(cache, speed=0.0, swap_sides=False, flip_polarity=False).draw("drums", 20, 2000, generator)
    assert (plain[:, 0].abs().amax(-1) > plain[:, 1].abs().amax(-1)).all()


def test_a_short_song_begins_again(cache: Cache) -> None:
    x = Contents(cache, speed=0.0).draw("drums", 1, 7 * RATE, np.random.default_rng(0))[0]
    once = 3 * RATE
    assert torch.equal(x[:, : 4 * RATE], x[:, once : once + 4 * RATE])
    assert x.square().mean(-1).amax() == pytest.approx(0.125, rel=0.02), "as loud as it was"


@pytest.mark.parametrize("speed", [Fraction(4, 5), Fraction(31, 32), Fraction(1), Fraction(29, 26), Fraction(5, 4)])
def test_a_tone_at_another_speed_is_that_tone(speed: Fraction) -> None:
    samples, hz = 20_000, 2000.0
    x = tone(hz, (needed(samples, speed) + 1) / RATE)
    y = change_speed(x, speed, samples)
    wings = 0 if speed == 1 else 8  # the interpolator begins where it has samples on both sides
    expected = 0.5 * torch.sin(2 * torch.pi * hz * (torch.arange(samples).double() * float(speed) + wings) / RATE)
    assert y.shape == (2, samples)
    assert (y[0] - expected).abs().max() < 2e-3, "-48 dB"


def test_what_would_be_too_high_is_taken_away_not_folded() -> None:
    y = change_speed(tone(20_500, 1), Fraction(5, 4), 20_000)
    assert y.square().mean() < 0.05 * tone(20_500, 1).square().mean()


def test_speeds_are_fine_grained() -> None:
    for ratio in np.geomspace(0.8, 1.25, 200):
        assert abs(float(nearest_speed(ratio)) / ratio - 1) < 0.02


def test_what_cannot_be_drawn_is_refused(cache: Cache) -> None:
    with pytest.raises(UnknownNameError, match="vocals"):
        Contents(cache).draw("vocals", 1, 100, np.random.default_rng(0))
    with pytest.raises(AudioError, match="nothing of the split 'test'"):
        Contents(cache, split="test")
    with pytest.raises(SettingsError):
        Contents(cache, speed=2.0)
