"""What no command takes: empty words, as an unset variable of a shell leaves them, and numbers that are none."""

from __future__ import annotations

import math

import click

from stito.errors import SettingsError

__all__ = ["CheckedGroup"]


class CheckedGroup(click.Group):
    """A group whose commands are given no empty word and no number that is NaN or infinite."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the words name, and the words behind it."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and not isinstance(command, click.Group) and not ctx.resilient_parsing:
            _refuse_nonsense(command, ctx, rest)
        return name, command, rest


def _refuse_nonsense(command: click.Command, parent: click.Context, args: list[str]) -> None:
    """Raise `SettingsError` if a word of the command line is empty, or a number NaN or infinite.

    An empty path would be the current folder, an empty name whatever is the default. Only options that are empty
    where nobody gives them may be given empty.
    """
    context = click.Context(command, parent=parent)
    try:
        values, _, _ = command.make_parser(context).parse_args(list(args))
    except click.UsageError:
        return  # click says it when it parses in earnest
    for param in command.get_params(context):
        given = values.get(param.name or "")
        for word in given if isinstance(given, (list, tuple)) else [given]:
            if isinstance(word, str):
                _check(param, word)


def _check(param: click.Parameter, word: str) -> None:
    name = "/".join(param.opts) if isinstance(param, click.Option) else param.human_readable_name.strip("[].")
    if not word.strip() and param.default != "":
        raise SettingsError(
            f"{name} is empty.", hint="Is a variable of the shell unset? Give a value, or leave an option out."
        )
    if isinstance(param.type, click.types.FloatParamType) and not _is_finite(word):
        raise SettingsError(
            f"{name} {word} is no number to work with.", hint="Give a finite number; without a limit leave it out."
        )


def _is_finite(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return True  # click says that it is no number
