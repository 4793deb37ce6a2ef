"""Archives: below their size, and a cache again on the other side."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from stito.audio import read_audio
from stito.audio.compressed import write_compressed
from stito.data.archive import choose, pack, unpack
from stito.data.cache import Cache, build_cache
from stito.data.songs import find_songs
from stito.errors import AudioError, OutputError, OutputExistsError, SettingsError

RATE = 44_100


def music(seconds: float, seed: int, level: float = 1.0) -> Tensor:
    """A few partials and a little noise, stereo."""
    generator = torch.Generator().manual_seed(seed)
    t = torch.arange(round(seconds * RATE)) / RATE
    pitches = 200 + 2000 * torch.rand(2, 5, 1, generator=generator)
    tones = 0.1 * torch.sin(2 * torch.pi * pitches * t).sum(1)
    return level * (tones + 0.01 * torch.randn(2, len(t), generator=generator))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """Three songs; the bass of the first is loud beyond full scale, that of the second very quiet."""
    root = tmp_path_factory.mktemp("data")
    for number, level in enumerate((4.0, 0.01, 1.0)):
        folder = root / "songs" / f"song {number}"
        folder.mkdir(parents=True)
        for stem in ("bass", "drums"):
            x = torch.cat([music(2.2, number, level), torch.zeros(2, RATE), music(2.6, number + 10, level)], -1)
            soundfile.write(folder / f"{stem}.wav", x.T.numpy(), RATE, subtype="FLOAT")
    (root / "songs" / "split.json").write_text('{"valid": ["song 2"]}')
    return build_cache(find_songs(root / "songs"), root / "cache")


def size(path: Path) -> float:
    return path.stat().st_size / (1 << 20)


@pytest.fixture(scope="module")
def whole(cache: Cache, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of the cache in one archive."""
    (archive,) = pack(cache, tmp_path_factory.mktemp("whole"))
    return archive


@pytest.fixture(scope="module")
def parts(cache: Cache, whole: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[float, list[Path]]:
    """A bound in MiB that one song fits and two do not, and the archives under it."""
    bound = 0.45 * size(whole) + 1 / 16
    return bound, pack(cache, tmp_path_factory.mktemp("parts"), megabytes=bound)


def test_a_packed_cache_comes_back(tmp_path: Path, cache: Cache, whole: Path) -> None:
    again = unpack([whole], tmp_path / "again")
    assert again.prepared == cache.prepared
    for number, (piece, old) in enumerate(zip(again.pieces, cache.pieces, strict=True)):
        assert (piece.song, piece.stem, piece.split) == (old.song, old.stem, old.split)
        assert (piece.start, piece.samples) == (old.start, old.samples)
        x, y = cache.read(number, 0, old.samples), again.read(number, 0, piece.samples)
        assert 20 * np.log10((x - y).std() / x.std()) < -12, "lossy, at any level, and not shifted"
        assert y.std() == pytest.approx(x.std(), rel=0.05)


def test_archives_stay_below_their_size_and_hold_whole_songs(parts: tuple[float, list[Path]]) -> None:
    bound, archives = parts
    assert len(archives) == 3
    for path in archives:
        assert size(path) < bound
        with zipfile.ZipFile(path) as archive:
            entries = json.loads(archive.read("pack.json"))["entries"]
        assert len({entry["piece"]["song"] for entry in entries}) == 1


def test_archives_may_come_one_by_one(tmp_path: Path, parts: tuple[float, list[Path]]) -> None:
    _, archives = parts
    unpack(archives[:1], tmp_path / "grown")
    before = (tmp_path / "grown" / "audio.i16").read_bytes()
    grown = unpack(archives, tmp_path / "grown")
    assert grown.pieces == unpack(archives, tmp_path / "at once").pieces
    assert (tmp_path / "grown" / "audio.i16").read_bytes().startswith(before), "what was there was not done again"


def test_a_bound_takes_from_every_song(cache: Cache) -> None:
    chosen = [cache.pieces[number] for number in choose(cache, 5.2 / 3600)]
    training_bass = [piece for piece in chosen if (piece.stem, piece.split) == ("bass", "train")]
    assert {piece.song for piece in training_bass} == {"song 0", "song 1"}
    assert sum(piece.samples for piece in training_bass) <= 5.2 * RATE
    assert choose(cache, None) == list(range(len(cache.pieces)))


def test_what_cannot_be_packed_or_unpacked_is_refused(tmp_path: Path, cache: Cache, whole: Path) -> None:
    with pytest.raises(OutputError, match="does not fit"):
        pack(cache, tmp_path / "packed", megabytes=0.1)
    (tmp_path / "pack-007.zip").write_bytes(b"of a larger cache")
    with pytest.raises(OutputExistsError):
        pack(cache, tmp_path)
    with pytest.raises(AudioError, match="no archive of a cache"):
        unpack([cache.folder / "index.json"], tmp_path / "no")
    with zipfile.ZipFile(whole) as archive, zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        for name in archive.namelist():
            content = archive.read(name)
            other.writestr(name, content.replace(b'"prepared": "none"', b'"prepared": "else"'))
    with pytest.raises(AudioError, match="prepared with 'else'"):
        unpack([whole, tmp_path / "other.zip"], tmp_path / "no")


@pytest.mark.parametrize(("suffix", "error_db"), [(".flac", -120), (".ogg", -12)])
def test_compressed_audio_comes_back(tmp_path: Path, suffix: str, error_db: float) -> None:
    x = music(3, 0, 0.5)
    path = tmp_path / f"x{suffix}"
    write_compressed(path, x, RATE)
    again = read_audio(path)
    assert again.sample_rate == RATE
    assert again.samples.shape == x.shape
    assert 20 * torch.log10((again.samples - x).std() / x.std()) < error_db
    write_compressed(tmp_path / f"small{suffix}", x, RATE, quality=0.1)
    assert suffix == ".flac" or size(tmp_path / f"small{suffix}") < 0.8 * size(path)


def test_long_audio_can_be_compressed(tmp_path: Path) -> None:
    write_compressed(tmp_path / "long.ogg", torch.zeros(2, 90 * RATE), RATE)
    assert read_audio(tmp_path / "long.ogg").duration_s == pytest.approx(90)


def test_what_cannot_be_compressed_is_refused(tmp_path: Path) -> None:
    x = music(1, 0, 0.5)
    for name, samples, error in (
        ("x.mp3", x, OutputError),
        ("x.ogg", 10 * x, AudioError),
        ("x.ogg", x * float("nan"), AudioError),
        ("x.ogg", x[:, :0], AudioError),
    ):
        with pytest.raises(error):
            write_compressed(tmp_path / name, samples, RATE)
    with pytest.raises(SettingsError):
        write_compressed(tmp_path / "x.ogg", x, RATE, quality=10)
    assert not list(tmp_path.iterdir()), "nothing is left behind"
