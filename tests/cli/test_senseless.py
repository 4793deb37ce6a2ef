"""Odd but reasonable calls: each is an error that says what to do, and none leaves anything behind."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from stito.cli import cli
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
