"""Whole mixes: stems stay in time with each other, and what does not sound is left out."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from stito.data.cache import Cache, build_cache
from stito.data.mixes import Mixes
from stito.data.songs import find_songs
from stito.errors import AudioError, SettingsError

RATE = 44_100


def ramp(seconds: float, silent_from: float | None = None) -> Tensor:
    """A loud hiss on the left, time itself on the right: what is read tells where it was."""
    time = torch.arange(round(seconds * RATE)) / RATE
    x = torch.stack([0.3 * torch.randn(len(time), generator=torch.Generator().manual_seed(0)), time / 20])
    if silent_from is not None:
        x[:, round(silent_from * RATE) :] = 0
    return x


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """Two songs of two stems, one of one stem; in the first the bass ends after four of ten seconds."""
    root = tmp_path_factory.mktemp("data")
    stems = {
        "a": {"drums": ramp(10.0), "bass": ramp(10.0, silent_from=4.0)},
        "b": {"drums": ramp(8.0), "other": ramp(8.0)},
        "c": {"vocals": ramp(8.0)},
    }
    for song, of in stems.items():
        (root / "songs" / song).mkdir(parents=True)
        for stem, x in of.items():
            soundfile.write(root / "songs" / song / f"{stem}.wav", x.T.numpy(), RATE, subtype="FLOAT")
    (root / "songs" / "split.json").write_text('{"valid": ["c"]}')
    return build_cache(find_songs(root / "songs"), root / "cache")


def test_stems_of_one_place_are_in_time(cache: Cache) -> None:
    mixes = Mixes(cache)
    assert mixes.songs == ("a", "b")
    for seed in range(8):
        excerpt = mixes.excerpt(1, RATE, np.random.default_rng(seed))
        assert set(excerpt) == {"drums", "other"}
        assert torch.allclose(excerpt["drums"][1], excerpt["other"][1], atol=1e-3)
        assert float(excerpt["drums"][1].diff().mean()) == pytest.approx(1 / 20 / RATE, rel=0.01)


def test_a_stem_that_does_not_sound_is_left_out(cache: Cache) -> None:
    mixes = Mixes(cache)
    found = [mixes.excerpt(0, 2 * RATE, np.random.default_rng(seed)) for seed in range(20)]
    assert all("drums" in excerpt for excerpt in found)
    assert any("bass" in excerpt for excerpt in found)
    for excerpt in found:
        late = float(excerpt["drums"][1].max()) * 20 > 5.5
        assert not (late and "bass" in excerpt)
        assert all(x.shape == (2, 2 * RATE) for x in excerpt.values())


def test_places_where_several_stems_play_are_preferred(cache: Cache) -> None:
    mixes = Mixes(cache)
    both = [len(mixes.excerpt(0, 2 * RATE, np.random.default_rng(seed))) == 2 for seed in range(40)]
    assert sum(both) > 30  # at random it would be about a third


def test_the_same_generator_draws_the_same_also_at_another_speed(cache: Cache) -> None:
    mixes = Mixes(cache, speed=0.2)
    first, again = (mixes.excerpt(1, RATE, np.random.default_rng(3)) for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    slopes = {
        round(float(mixes.excerpt(1, RATE, np.random.default_rng(s))["drums"][1].diff().mean()) * 20 * RATE, 2)
        for s in range(6)
    }
    assert len(slopes) > 3
    assert all(0.8 < slope < 1.25 for slope in slopes)


def test_what_cannot_be_drawn_is_said(cache: Cache) -> None:
    with pytest.raises(AudioError, match="several stems"):
        Mixes(cache, split="valid")
    with pytest.raises(SettingsError, match="speed"):
        Mixes(cache, speed=2.0)
