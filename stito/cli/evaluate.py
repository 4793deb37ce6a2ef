"""`stito evaluate`: a group whose subcommands are imported when they are called, as those of `stito` are."""

from __future__ import annotations

import click

__all__ = ["evaluate"]

_COMMANDS = {
    "disentanglement": (
        "stito.cli.evaluate_disentanglement:disentanglement",
        "Score encoders as the papers do: DCIMIG, explicitness, retrieval.",
    ),
    "transfer": (
        "stito.cli.evaluate_transfer:transfer",
        "Score methods on transfers whose truth is known.",
    ),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, attribute = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(__import__(module, fromlist=[attribute]), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(_COMMANDS.items())])


@click.group(cls=_Lazy)
def evaluate() -> None:
    """Measure encoders and methods, as the papers do and beyond.

    \b
    Example:
      stito evaluate disentanglement --encoder features --data cache/ -o out/
    """
