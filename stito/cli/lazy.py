"""A group whose subcommands are imported when they are called, so that `--help` is quick."""

from __future__ import annotations

import difflib
import pkgutil
from collections.abc import Mapping
from typing import Any

import click

from stito.cli.sense import CheckedGroup

__all__ = ["LazyGroup"]


class LazyGroup(CheckedGroup):
    """Takes a table of its commands: each one's `"module:attribute"` and its line in the help."""

    def __init__(self, *args: Any, table: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._table = table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._table:
            return None
        command: click.Command = pkgutil.resolve_name(self._table[cmd_name][0])
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self._table:
            similar = difflib.get_close_matches(args[0], self._table, n=1)
            ctx.fail(f"No such command '{args[0]}'." + (f" Did you mean {similar[0]}?" if similar else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(self._table.items())])
