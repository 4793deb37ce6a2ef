"""Songs on disk: what is found in which layout, and who is held out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from stito.data.songs import find_songs, read_stems
from stito.errors import AudioError, MissingFileError, SettingsError
from stito.stems import STEMS

RATE = 44_100


def put(folder: Path, stems: Sequence[str] = STEMS, *, suffix: str = ".wav", rate: int = RATE) -> Path:
    """A song of a second of noise for each stem."""
    folder.mkdir(parents=True)
    for number, stem in enumerate(stems):
        noise = np.random.default_rng(number).uniform(-0.5, 0.5, rate)
        soundfile.write(folder / f"{stem}{suffix}", noise, rate)
    return folder


def test_a_folder_of_songs(tmp_path: Path) -> None:
    put(tmp_path / "beta", ["drums", "bass", "mixture"])
    put(tmp_path / "alpha", ["Vocals"], suffix=".flac")
    (tmp_path / "notes").mkdir()
    (tmp_path / "beta" / "drums.txt").write_text("not audio")
    alpha, beta = find_songs(tmp_path)
    assert (alpha.name, beta.name) == ("alpha", "beta")
    assert alpha.stems == {"vocals": tmp_path / "alpha" / "Vocals.flac"}
    assert set(beta.stems) == {"drums", "bass"}, "a mixture is no stem"
    assert alpha.split is None


def test_musdb18_falls_into_its_published_splits(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "Meaxic - Take A Step.stem.mp4").write_bytes(b"")
    (tmp_path / "train" / "A Classic Education - NightOwl.stem.mp4").write_bytes(b"")
    put(tmp_path / "test" / "AM Contra - Heart Peripheral", ["bass"])
    splits = {song.name: song.split for song in find_songs(tmp_path)}
    assert splits == {
        "A Classic Education - NightOwl": "train",
        "AM Contra - Heart Peripheral": "test",
        "Meaxic - Take A Step": "valid",
    }


def test_fourteen_songs_are_published_for_validation(tmp_path: Path) -> None:
    published = Path(__file__).parents[2] / "stito" / "data" / "splits" / "musdb18.json"
    assert len(set(json.loads(published.read_text())["valid"])) == 14


@pytest.mark.parametrize("beside", [True, False])
def test_a_split_file_overrules_folders(tmp_path: Path, beside: bool) -> None:
    root = tmp_path / "songs"
    put(root / "train" / "one", ["bass"])
    put(root / "two", ["bass"])
    put(root / "three", ["bass"])
    file = root / "split.json" if beside else tmp_path / "mine.json"
    file.write_text('{"valid": ["one"], "test": ["two", "elsewhere"]}')
    splits = {song.name: song.split for song in find_songs(root, split_file=None if beside else file)}
    assert splits == {"one": "valid", "two": "test", "three": None}


def test_one_split_file_may_speak_of_several_folders(tmp_path: Path) -> None:
    put(tmp_path / "songs" / "one", ["bass"])
    put(tmp_path / "more" / "two", ["bass"])
    (tmp_path / "split.json").write_text('{"valid": ["one"]}')
    found = find_songs(tmp_path / "songs", tmp_path / "more", split_file=tmp_path / "split.json")
    assert [(song.name, song.split) for song in found] == [("one", "valid"), ("two", None)]


def test_a_split_file_that_fits_nothing_is_refused(tmp_path: Path) -> None:
    put(tmp_path / "songs" / "one", ["bass"])
    (tmp_path / "split.json").write_text('{"valid": ["two"]}')
    with pytest.raises(SettingsError, match="names none of the songs") as caught:
        find_songs(tmp_path / "songs", split_file=tmp_path / "split.json")
    assert "'one'" in str(caught.value.hint)
    (tmp_path / "songs" / "split.json").write_text('{"valid": []}')
    assert len(find_songs(tmp_path / "songs")) == 1  # nothing is held out
    (tmp_path / "split.json").write_text('{"valid": [],\n "dev": ["one"]}')
    with pytest.raises(SettingsError, match="line 2: dev"):
        find_songs(tmp_path / "songs", split_file=tmp_path / "split.json")
    with pytest.raises(MissingFileError):
        find_songs(tmp_path / "songs", split_file=tmp_path / "none.json")


def test_a_folder_without_songs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="holds no songs"):
        find_songs(tmp_path)
    with pytest.raises(MissingFileError):
        find_songs(tmp_path / "nowhere")


def test_names_tell_songs_apart(tmp_path: Path) -> None:
    put(tmp_path / "train" / "one", ["bass"])
    put(tmp_path / "test" / "one", ["bass"])
    with pytest.raises(SettingsError, match="Two songs are called 'one'"):
        find_songs(tmp_path)


def test_stems_are_read_at_one_rate_in_stereo(tmp_path: Path) -> None:
    put(tmp_path / "one", ["drums"], rate=48_000)
    ((stem, x),) = read_stems(find_songs(tmp_path)[0])
    assert stem == "drums"
    assert x.shape == (2, RATE)
    assert x.dtype == torch.float32


def test_a_fingerprint_changes_with_a_file(tmp_path: Path) -> None:
    put(tmp_path / "one", ["drums"])
    (song,) = find_songs(tmp_path)
    before = song.fingerprint()
    assert before == song.fingerprint()
    soundfile.write(song.stems["drums"], np.zeros(2 * RATE), RATE)
    assert before != song.fingerprint()
