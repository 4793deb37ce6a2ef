"""Every command of stito that a page, a recipe or the README shows can be typed as it stands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest

from stito.cli import cli

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "recipes/**/*.md", "tests/plugin_example/*.md")
    for path in ROOT.glob(pattern)
)
FENCED = re.compile(r"^ *```(\S*).*?\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SHELL = ("", "sh")
INLINE = re.compile(r"`(stito [^`]+)`")


def whole_lines(text: str) -> list[str]:
    """Shell text by command: continued lines joined, several in one line apart."""
    return [part.strip() for line in text.replace("\\\n", " ").splitlines() for part in re.split(r" ; | && ", line)]


def fenced_commands(text: str) -> Iterator[list[str]]:
    """The arguments of each command in code blocks, shell variables put in."""
    for block in FENCED.finditer(text):
        if block[1] not in SHELL:
            continue
        variables: dict[str, str] = {}
        for line in whole_lines(block[2]):
            if assignment := re.fullmatch(r"([A-Z]+)=(.*)", line):
                variables[assignment[1]] = shlex.split(assignment[2])[0]
                continue
            line = re.sub(r"\$([A-Z]+)", lambda name, known=variables: known.get(name[1], name[0]), line)
            words = shlex.split(line, comments=True)
            if "stito" in words[:6] and (words[0] == "stito" or "-m" in words):
                yield words[words.index("stito") + 1 :]


def resolved(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words name, and the words that are its arguments."""
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words[0])
        assert found is not None, f"there is no command {words[0]}"
        command, words = found, words[1:]
    return command, words


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_code_blocks_parse(page: Path) -> None:
    for words in fenced_commands(page.read_text(encoding="utf-8")):
        command, arguments = resolved(words)
        try:
            command.make_context(command.name, list(arguments))
        except click.exceptions.Exit:
            pass  # --version and --help
        except click.UsageError as error:
            pytest.fail(f"stito {' '.join(words)}: {error.format_message()}")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_in_sentences_name_what_exists(page: Path) -> None:
    for span in INLINE.finditer(page.read_text(encoding="utf-8")):
        words = span[1].split()[1:]
        if words[0].isupper():  # stito COMMAND
            continue
        names = list(takewhile(lambda word: re.fullmatch("[a-z]+", word), words))
        command, rest = resolved(words if words[: len(names)] == names else names)
        known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"--help"}
        unknown = [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known]
        assert not unknown, f"{span[1]}: {', '.join(unknown)}"


def test_commands_that_cannot_be_typed_are_found() -> None:
    block = (
        "```sh\nM=a,b\nstito evaluate transfer --data cache/ -o out/ \\\n    --methods $M\nstito transfer a b\n```\n"
    )
    first, second = fenced_commands(block)
    assert first == ["evaluate", "transfer", "--data", "cache/", "-o", "out/", "--methods", "a,b"]
    command, arguments = resolved(second)
    with pytest.raises(click.MissingParameter):
        command.make_context("transfer", arguments)
