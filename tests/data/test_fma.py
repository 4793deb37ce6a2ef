"""The layout of FMA: tracks by number, genres and splits from a table with two rows of heads."""

from __future__ import annotations

from pathlib import Path

import pytest

from fma_folder import TRACKS, write_fma
from stito.data.fma import find_fma_tracks, is_fma
from stito.errors import AudioError, MissingFileError, SettingsError


def test_tracks_have_the_genre_and_the_split_of_their_number(tmp_path: Path) -> None:
    folder = write_fma(tmp_path / "fma")
    tracks = find_fma_tracks(folder)
    assert {track.name: track.genre for track in tracks} == {f"{number:06d}": genre for number, genre in TRACKS.items()}
    assert tracks[0].path == folder / "fma_small" / "000" / "000002.mp3"
    assert tracks[-1].path.parent.name == "145"
    assert [track.split for track in tracks[:3]] == ["train", "valid", "test"]
    assert tracks[0].artist == "Artist, with a comma"
    assert is_fma(folder)


@pytest.mark.parametrize("third", [True, False])
def test_the_folder_of_tracks_alone_will_do_and_so_will_two_rows_of_heads(tmp_path: Path, third: bool) -> None:
    folder = write_fma(tmp_path / "fma", third_row=third)
    assert find_fma_tracks(folder / "fma_small") == find_fma_tracks(folder)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"tracks\.csv"):
        find_fma_tracks(tmp_path)
    folder = write_fma(tmp_path / "fma")
    for path in (folder / "fma_small").rglob("*.mp3"):
        path.unlink()
    with pytest.raises(AudioError, match="no tracks"):
        find_fma_tracks(folder)


def test_a_table_without_genres_is_no_table_of_fma(tmp_path: Path) -> None:
    folder = write_fma(tmp_path / "fma")
    table = folder / "fma_metadata" / "tracks.csv"
    table.write_text(table.read_text().replace("genre_top", "mood"))
    with pytest.raises(SettingsError, match="genre_top"):
        find_fma_tracks(folder)
