"""`stito data`: songs to a cache, to archives, and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from fma_folder import write_fma
from stito.cli.data import data
from stito.data.cache import Cache
from stito.data.mixes import Mixes
from stito.errors import AudioError, OutputExistsError, StitoError

RATE = 44_100


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """One song for training, one for the test."""
    for split in ("train", "test"):
        folder = tmp_path / "songs" / split / f"a {split} song"
        folder.mkdir(parents=True)
        for stem in ("drums", "bass"):
            soundfile.write(folder / f"{stem}.wav", np.random.default_rng(0).uniform(-0.5, 0.5, (3 * RATE, 2)), RATE)
    return tmp_path / "songs"


def run(*arguments: object) -> Result:
    """Run the command group; its errors are raised."""
    return CliRunner().invoke(data, [str(argument) for argument in arguments], catch_exceptions=False)


def test_songs_become_a_cache_that_says_what_it_holds(songs: Path, tmp_path: Path) -> None:
    done = run("build", songs, "-o", tmp_path / "cache", "--no-normalize")
    assert done.exit_code == 0
    assert "1/2 a test song: drums 3 s, bass 3 s" in done.stderr
    assert "0.1 min, 1 songs" in done.stdout
    assert "prepared: none" in done.stdout
    seconds = json.loads(run("info", tmp_path / "cache", "--json").stdout)
    assert seconds["test"]["drums"] == pytest.approx(3)
    again = run("build", songs, "-o", tmp_path / "cache", "--no-normalize")
    assert again.stderr == "", "a rerun has nothing to do"
    assert again.stdout == done.stdout


def test_a_split_file_may_be_named(songs: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text('{"valid": ["a train song"]}')
    run("build", songs, "-o", tmp_path / "cache", "--no-normalize", "--split-file", tmp_path / "mine.json")
    assert set(json.loads(run("info", tmp_path / "cache", "--json").stdout)) == {"test", "valid"}


def test_released_mixes_are_taken_apart_by_a_separator(tmp_path: Path) -> None:
    fma = write_fma(tmp_path / "fma", seconds=2.5)
    (fma / "fma_small" / "000" / "000003.mp3").write_bytes(b"no audio")
    done = run("build", fma, "-o", tmp_path / "cache", "--no-normalize", "--separator", "example_split")
    assert "000003 is left out" in done.stderr
    assert "prepared: none, separated by example_split" in done.stdout
    seconds = json.loads(run("info", tmp_path / "cache", "--json").stdout)
    assert set(seconds) == {"train", "valid", "test"}
    assert set(seconds["train"]) == {"bass", "other"}
    assert len(Mixes(Cache.open(tmp_path / "cache"), split="train").songs) == 2
    again = run("build", fma, "-o", tmp_path / "cache", "--no-normalize", "--separator", "example_split")
    assert again.stderr == "", "a file that cannot be read is not tried again until it changes"


def test_a_folder_of_mixes_and_one_of_stems_are_told_apart(songs: Path, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="no audio files"):
        run("build", songs, "-o", tmp_path / "cache", "--separator", "example_split")


def test_a_cache_travels_in_archives(songs: Path, tmp_path: Path) -> None:
    run("build", songs, "-o", tmp_path / "cache", "--no-normalize")
    packed = run("pack", tmp_path / "cache", "-o", tmp_path / "packed")
    assert packed.stdout.splitlines() == [str(tmp_path / "packed" / "pack-000.zip")]
    with pytest.raises(OutputExistsError):
        run("pack", tmp_path / "cache", "-o", tmp_path / "packed")
    assert run("pack", tmp_path / "cache", "-o", tmp_path / "packed", "--force", "--quality", "0.2").exit_code == 0
    there = run("unpack", tmp_path / "packed", "-o", tmp_path / "there")
    assert there.stdout == run("info", tmp_path / "cache").stdout


def test_mistakes_end_in_a_message(tmp_path: Path) -> None:
    with pytest.raises(StitoError, match="not a folder"):
        run("build", tmp_path / "none", "-o", tmp_path / "cache")
    with pytest.raises(StitoError, match="nothing to unpack"):
        run("unpack", tmp_path, "-o", tmp_path / "cache")
    assert run("build", "-o", tmp_path / "cache").exit_code == 2


def test_every_command_has_help_with_an_example() -> None:
    for command in ((), ("build",), ("pack",), ("unpack",), ("info",)):
        assert "stito data" in run(*command, "--help").stdout.split("Example")[1]
