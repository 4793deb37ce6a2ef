"""Folders that are there whole or not at all. Files: see the tests of audio."""

from __future__ import annotations

from pathlib import Path

import pytest

from stito.errors import OutputError
from stito.files.atomic import replacing_folder


def test_a_folder_appears_when_it_is_whole_and_takes_the_place_of_the_old(tmp_path: Path) -> None:
    place = tmp_path / "new" / "song"
    for content in ("old", "new"):
        with replacing_folder(place) as part:
            (part / content).touch()
            assert not (place / content).exists()
        assert [file.name for file in place.iterdir()] == [content]
    assert list(place.parent.iterdir()) == [place]


def test_a_folder_that_was_not_finished_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "song").mkdir()
    (tmp_path / "song" / "old").touch()

    def interrupted() -> None:
        with replacing_folder(tmp_path / "song") as part:
            (part / "new").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [file.name for file in tmp_path.rglob("*")] == ["song", "old"]


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="song"), replacing_folder(tmp_path / "file" / "song"):
        pass
