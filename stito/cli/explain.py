"""`stito explain`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["explain"]


@click.command()
@click.argument("source", metavar="PRESET|OUTDIR", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(source: Path, as_json: bool) -> None:
    """Say in words what was set, stem by stem: what to do at another desk, the largest move first.

    For the folder of a result the gain reduction is said that was measured on its sound; a preset alone knows
    thresholds and ratios only.

    \b
    Examples:
      stito explain out/
      stito explain out/preset.json --json
    """
    from stito.workflows.explain import explain_source, read_source

    explained = explain_source(read_source(source))
    click.echo(explained.to_json() if as_json else explained.to_text(), nl=False)
