"""Odd but reasonable calls: each is an error that says what to do, and none leaves anything behind."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from stito.cli import cli, main
from stito.errors import MissingFileError, StitoError
from stito.mix import read_mix


def commands(group: click.Group, words: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    """Every command that is no group, by its words."""
    context = click.Context(group)
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found += commands(command, (*words, name)) if isinstance(command, click.Group) else [((*words, name), command)]
    return found


def error_of(words: list[str]) -> StitoError:
    """What a command line is refused with."""
    result = CliRunner().invoke(cli, words)
    assert isinstance(result.exception, StitoError), (words, result.output, result.exception)
    assert result.exception.hint
    return result.exception


EMPTY = [
    (words, command, param)
    for words, command in commands(cli)
    for param in command.params
    if not getattr(param, "is_flag", False) and param.default != ""
]


@pytest.mark.parametrize(("words", "command", "param"), EMPTY, ids=lambda value: "" if callable(value) else str(value))
def test_an_empty_word_is_an_error_and_not_the_current_folder(
    words: tuple[str, ...],
    command: click.Command,
    param: click.Parameter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = list(words)
    for other in command.params:
        if isinstance(other, click.Argument):
            given.append("" if other is param else "something")
    if isinstance(param, click.Option):
        given += [param.opts[-1], ""]
    assert "is empty" in error_of(given).message
    assert not list(tmp_path.iterdir())


def test_options_that_are_empty_by_default_may_be_given_empty() -> None:
    words = ["listen", "build", "nowhere", "-o", "nowhere-else", "--systems", ""]
    assert "empty" not in error_of(words).message


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999"])
@pytest.mark.parametrize(
    ("words", "option"),
    [
        (["transfer", "a", "b", "-o", "c"], "--amount"),
        (["transfer", "a", "b", "-o", "c"], "--seconds"),
        (["apply", "a", "b", "-o", "c"], "--amount"),
        (["data", "pack", "a", "-o", "c"], "--quality"),
        (["data", "pack", "a", "-o", "c"], "--hours"),
        (["evaluate", "transfer", "-o", "c"], "--seconds"),
        (["train", "recipe.toml"], "--seconds"),
    ],
)
def test_numbers_that_are_none_are_refused(words: list[str], option: str, number: str) -> None:
    assert option in error_of([*words, option, number]).message


def test_from_python_an_empty_path_is_no_folder_either() -> None:
    with pytest.raises(MissingFileError):
        read_mix("")


# What is printed cannot be printed


def run(words: str) -> subprocess.CompletedProcess[str]:
    """A line of a shell, with `stito` in it."""
    line = words.replace("stito", f"{sys.executable} -m stito")
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
@pytest.mark.parametrize("command", ["stito effects", "stito metrics"])
def test_a_full_disk_behind_stdout_is_an_error_with_a_hint(command: str) -> None:
    done = run(f"{command} > /dev/full")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert "Hint: The disk, or what the output goes to, is full" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_closed_stdout_is_no_error() -> None:
    done = run("stito effects >&-")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOSPC, errno.EIO])
def test_what_the_system_refuses_is_an_error_with_a_hint(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(_: click.Context) -> None:
        raise OSError(number, os.strerror(number), "somewhere/file.wav")

    monkeypatch.setattr(sys, "argv", ["stito", "effects"])
    monkeypatch.setattr(cli, "invoke", refused)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert f"Error: somewhere/file.wav: {os.strerror(number)}." in capsys.readouterr().err


# Things where other things are expected


def test_odd_things_in_the_place_of_audio(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound " * 99)
    (tmp_path / "zero.wav").touch()
    (tmp_path / "loop.wav").symlink_to("loop.wav")
    os.mkfifo(tmp_path / "fifo.wav")
    (tmp_path / "nothing").mkdir()
    for name in ("text.wav", "zero.wav", "loop.wav", "fifo.wav", "nothing", "absent.wav"):
        assert name in error_of(["analyze", str(tmp_path / name)]).message


def test_names_with_anything_in_them_are_read(tmp_path: Path) -> None:
    x = np.random.default_rng(0).uniform(-0.5, 0.5, (22_050, 2))
    for name in ("new\nline.wav", "emoji😀.wav", "-dash.wav", "per%cent%s{}.wav", "[bold]x.wav"):
        soundfile.write(os.fsencode(tmp_path / name), x, 44_100)
        assert read_mix(tmp_path / name).duration_s == 0.5


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "not valid JSON"),
        (b"hello", "not valid JSON"),
        (b"[" * 100_000, "preset.json"),
        (b"[]", "preset.json"),
        ('{"format": "stito.preset"}'.encode("utf-16"), "not text"),
        (b'\xef\xbb\xbf{\r\n"format": "stito.preset",\r\n"version": 9, "stems": {}}', "line 3: version"),
    ],
)
def test_a_preset_that_is_none(tmp_path: Path, content: bytes, word: str) -> None:
    (tmp_path / "preset.json").write_bytes(content)
    error = error_of(["apply", str(tmp_path / "preset.json"), "a.wav", "-o", str(tmp_path / "out")])
    assert word in error.message
    if b"version" in content:
        assert "update stito" in (error.hint or "")
    assert not (tmp_path / "out").exists()


def test_a_folder_in_the_place_of_a_preset_names_the_preset(tmp_path: Path) -> None:
    assert "preset.json" in (error_of(["apply", str(tmp_path), "a.wav", "-o", "out"]).hint or "")


def test_a_recipe_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text("a = 1", encoding="utf-16")
    assert "not text" in error_of(["train", str(tmp_path / "recipe.toml"), "--smoke"]).message


def test_a_link_that_leads_to_itself_is_no_folder_for_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, (22_050, 2)), 44_100)
    words = ["transfer", tmp_path / "a.wav", tmp_path / "a.wav", "-o", tmp_path / "loop", "--method", "match"]
    monkeypatch.setattr(sys, "argv", ["stito", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "Hint: " in capsys.readouterr().err


def test_the_name_of_a_stem_is_the_name_of_a_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.random.default_rng(0).uniform(-0.5, 0.5, (22_050, 2)), 44_100)
    words = ["manipulate", str(tmp_path / "a.wav"), "-o", str(tmp_path / "out"), "--stem", "../../x"]
    assert "cannot be called" in error_of(words).message
