"""Released mixes come in splits as songs of stems do."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stito.data.released import find_released
from stito.errors import SettingsError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one", "two"):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros((100, 2)), 44_100)
    return tmp_path


def test_splits_are_those_of_the_file_that_is_named_or_of_the_one_in_the_folder(folder: Path) -> None:
    (folder / "split.json").write_text(json.dumps({"test": ["two"]}))
    other = folder / "other.json"
    other.write_text(json.dumps({"valid": ["one"]}))
    assert {song.name: song.split for song in find_released(folder)} == {"one": None, "two": "test"}
    assert {song.name: song.split for song in find_released(folder, split_file=other)} == {"one": "valid", "two": None}


@pytest.mark.parametrize("named", [True, False])
def test_a_split_file_that_names_none_of_them_is_an_error(folder: Path, named: bool) -> None:
    file = folder / ("other.json" if named else "split.json")
    file.write_text(json.dumps({"test": ["three"]}))
    with pytest.raises(SettingsError, match="names none"):
        find_released(folder, split_file=file if named else None)
