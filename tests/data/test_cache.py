"""The cache: silence is cut away, audio comes back as it was, an interrupted build goes on, what changed is redone."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from stito.data.cache import Built, Cache, build_cache
from stito.data.silence import faded, sounding
from stito.data.songs import Song, find_songs
from stito.errors import AudioError, MissingFileError, OutputExistsError, SettingsError, StitoError

RATE = 44_100


def noise(seconds: float, seed: int = 0) -> Tensor:
    """Stereo noise around -20 dBFS."""
    return 0.1 * torch.randn(2, round(seconds * RATE), generator=torch.Generator().manual_seed(seed))


def put(root: Path, name: str, **stems: Tensor) -> None:
    """A song, as float files."""
    (root / name).mkdir(parents=True, exist_ok=True)
    for stem, x in stems.items():
        soundfile.write(root / name / f"{stem}.wav", x.numpy().T, RATE, subtype="FLOAT")


def halved(x: Tensor, stem: str) -> Tensor:
    """A preparation that other processes can import."""
    return x / 2 if stem == "bass" else x


@pytest.fixture
def songs(tmp_path: Path) -> list[Song]:
    """Two songs, one with a pause in its bass."""
    gap = torch.zeros(2, RATE)
    put(tmp_path / "songs", "one", bass=torch.cat([noise(3), gap, noise(2.5, 1)], -1), drums=noise(4, 2))
    put(tmp_path / "songs", "two", bass=noise(3, 3))
    return find_songs(tmp_path / "songs")


def test_pauses_are_cut_and_short_ones_kept() -> None:
    long, short = torch.zeros(2, round(0.7 * RATE)), torch.zeros(2, round(0.3 * RATE))
    x = torch.cat([noise(3), long, noise(2), short, noise(2)], -1)
    places = [(start / RATE, end / RATE) for start, end in sounding(x, RATE)]
    assert len(places) == 2
    assert places[0] == pytest.approx((0, 3.2), abs=0.06)
    assert places[1] == pytest.approx((3.65, 8.0), abs=0.06)


def test_silence_is_measured_against_the_loud_parts() -> None:
    x = noise(9)
    x[:, 3 * RATE : 6 * RATE] *= 10 ** (-60 / 20)
    for level in (1.0, 1e-2):
        assert len(sounding(level * x, RATE)) == 2, "60 dB down is a pause at any level"
    x[:, 3 * RATE : 6 * RATE] *= 10 ** (20 / 20)
    assert sounding(x, RATE) == [(0, 9 * RATE)], "40 dB down is music"


def test_a_sparse_stem_is_not_taken_for_silence() -> None:
    x = torch.zeros(2, 120 * RATE)
    x[:, 60 * RATE : 63 * RATE] = noise(3)
    assert sounding(x, RATE) == [pytest.approx((60 * RATE, 63 * RATE), abs=0.26 * RATE)]
    assert sounding(torch.zeros(2, 5 * RATE), RATE) == []
    assert sounding(noise(1.5), RATE) == [], "too short for an effect to be audible"


def test_cuts_do_not_click() -> None:
    x = faded(torch.ones(2, RATE), RATE)
    assert x[:, 0].abs().max() == x[:, -1].abs().max() == 0
    assert x.diff().abs().max() < 1 / 400
    assert (x[:, 500:-500] == 1).all()


def test_what_is_cached_comes_back(tmp_path: Path, songs: list[Song]) -> None:
    cache = build_cache(songs, tmp_path / "cache")
    assert [(piece.song, piece.stem, piece.split) for piece in cache.pieces] == [
        ("one", "drums", "train"),
        ("one", "bass", "train"),
        ("one", "bass", "train"),
        ("two", "bass", "train"),
    ]
    original = torch.from_numpy(soundfile.read(songs[0].stems["bass"], dtype="float32")[0].T)
    last = cache.pieces[2]
    assert last.start == pytest.approx(4 * RATE, abs=0.06 * RATE)
    piece = cache.read(2, 1000, 5000)
    assert piece.shape == (2, 5000)
    assert piece.dtype == np.float32
    expected = original[:, last.start + 1000 : last.start + 6000].numpy()
    np.testing.assert_allclose(piece, expected, atol=original.abs().max().item() / 60_000)
    assert cache.seconds()["train"]["drums"] == pytest.approx(4)


@pytest.mark.parametrize("level", [1e-3, 30.0])
def test_sixteen_bits_serve_any_level(tmp_path: Path, level: float) -> None:
    x = level * noise(3)
    put(tmp_path / "songs", "one", bass=x)
    cache = build_cache(find_songs(tmp_path / "songs"), tmp_path / "cache")
    error = cache.read(0, 0, 3 * RATE)[:, 500:-500] - x.numpy()[:, 500:-500]
    assert 20 * np.log10(error.std() / x.std().item()) < -85


def test_a_rerun_does_only_what_is_new(tmp_path: Path, songs: list[Song]) -> None:
    done: list[Built] = []
    build_cache(songs[:1], tmp_path / "cache", on_progress=done.append)
    before = (tmp_path / "cache" / "audio.i16").read_bytes()
    with (tmp_path / "cache" / "audio.i16").open("ab") as file:
        file.write(b"left by a run that was broken off")
    cache = build_cache(songs, tmp_path / "cache", on_progress=done.append)
    assert [(step.song, step.index, step.count) for step in done] == [("one", 0, 1), ("two", 1, 2)]
    assert (tmp_path / "cache" / "audio.i16").read_bytes().startswith(before)
    whole = build_cache(songs, tmp_path / "at once")
    assert whole.pieces == cache.pieces
    assert (tmp_path / "cache" / "audio.i16").read_bytes() == (tmp_path / "at once" / "audio.i16").read_bytes()


def test_a_changed_song_is_cached_again(tmp_path: Path, songs: list[Song]) -> None:
    build_cache(songs, tmp_path / "cache")
    put(tmp_path / "songs", "two", bass=noise(5, 9))
    done: list[Built] = []
    cache = build_cache(songs, tmp_path / "cache", on_progress=done.append)
    assert [step.song for step in done] == ["two"]
    assert "has changed" in done[0].note
    assert [piece.samples for piece in cache.pieces if piece.song == "two"] == [5 * RATE]


def test_another_preparation_needs_another_folder(tmp_path: Path, songs: list[Song]) -> None:
    plain = build_cache(songs, tmp_path / "cache").read(1, 2000, 100)
    with pytest.raises(OutputExistsError, match="was prepared with 'none', not 'halved'"):
        build_cache(songs, tmp_path / "cache", prepare=halved)
    np.testing.assert_array_equal(Cache.open(tmp_path / "cache").read(1, 2000, 100), plain)
    cache = build_cache(songs, tmp_path / "halved", prepare=halved)
    assert cache.prepared == "halved"
    np.testing.assert_allclose(cache.read(1, 2000, 100), plain / 2, atol=1e-4)


def test_a_new_split_needs_no_new_audio(tmp_path: Path, songs: list[Song]) -> None:
    build_cache(songs, tmp_path / "cache")
    (tmp_path / "songs" / "split.json").write_text('{"valid": ["two"]}')
    done: list[Built] = []
    cache = build_cache(find_songs(tmp_path / "songs"), tmp_path / "cache", on_progress=done.append)
    assert done == []
    assert {piece.song: piece.split for piece in cache.pieces} == {"one": "train", "two": "valid"}


def test_processes_make_the_same_cache(tmp_path: Path, songs: list[Song]) -> None:
    alone = build_cache(songs, tmp_path / "alone", prepare=halved)
    together = build_cache(songs, tmp_path / "together", prepare=halved, workers=2)
    assert together.pieces == alone.pieces
    assert (tmp_path / "together" / "audio.i16").read_bytes() == (tmp_path / "alone" / "audio.i16").read_bytes()


def test_a_cache_travels_to_other_processes_without_its_audio(tmp_path: Path, songs: list[Song]) -> None:
    cache = build_cache(songs, tmp_path / "cache")
    piece = cache.read(0, 10, 20)
    sent = pickle.dumps(cache)
    assert len(sent) < 5000
    np.testing.assert_array_equal(pickle.loads(sent).read(0, 10, 20), piece)


def test_what_is_no_cache_is_refused(tmp_path: Path, songs: list[Song]) -> None:
    with pytest.raises(MissingFileError, match="not a cache"):
        Cache.open(tmp_path)
    cache = build_cache(songs, tmp_path / "cache")
    with pytest.raises(SettingsError):
        cache.read(0, cache.pieces[0].samples - 5, 10)
    audio = tmp_path / "cache" / "audio.i16"
    audio.write_bytes(audio.read_bytes()[:-100])
    with pytest.raises(AudioError, match="cut short"):
        Cache.open(tmp_path / "cache")
    (tmp_path / "cache" / "index.json").write_text("{")
    with pytest.raises(StitoError, match="line 1: not valid JSON"):
        Cache.open(tmp_path / "cache")
    put(tmp_path / "quiet", "one", bass=torch.zeros(2, 3 * RATE))
    with pytest.raises(AudioError, match="holds no audio"):
        build_cache(find_songs(tmp_path / "quiet"), tmp_path / "empty")
