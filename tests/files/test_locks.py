"""One writer at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stito.data.cache import build_cache
from stito.errors import OutputError
from stito.files.locks import sole_writer
from stito.training.recipe import load_recipe
from stito.training.start import train

HOLD = """
import sys
from pathlib import Path
from stito.files.locks import sole_writer
with sole_writer(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    command = [sys.executable, "-c", HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match="Another process is writing to"), sole_writer(folder):
            pass
        other.kill()
    with sole_writer(folder):
        pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written to"), sole_writer(tmp_path / "file"):
        pass


def test_nothing_is_trained_or_cached_where_another_process_does(tmp_path: Path) -> None:
    recipe = load_recipe(Path(__file__).parents[2] / "recipes" / "fxencoder" / "small.toml", (), smoke=True)
    with sole_writer(tmp_path):
        with pytest.raises(OutputError, match="Another process"):
            build_cache([], tmp_path)
        with pytest.raises(OutputError, match="Another process"):
            train(recipe, tmp_path, data=None, tensorboard=False)
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
