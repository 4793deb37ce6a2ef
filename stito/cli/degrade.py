"""`stito degrade`."""

from __future__ import annotations

import json
from pathlib import Path

import click

__all__ = ["degrade"]


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("-o", "--output", "out", metavar="OUT", required=True, type=click.Path(path_type=Path))
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same faults.")
@click.option(
    "--stem", default=None, metavar="NAME", help="What a single file is; of a folder, which stem is degraded."
)
@click.option("--fault", default=None, metavar="NAME", help="Which fault: `stito plugins fault` lists them.")
@click.option("--severity", type=click.FloatRange(0, 1), default=None, help="How much of it; drawn by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the label as JSON.")
@click.option("--force", is_flag=True, help="Overwrite what is in OUT.")
def degrade(
    source: Path,
    out: Path,
    seed: int,
    stem: str | None,
    fault: str | None,
    severity: float | None,
    as_json: bool,
    force: bool,
) -> None:
    """Give INPUT controlled faults: balance, tone, dynamics, stereo image, bandwidth, reverb; one to three of them.

    OUT is a folder; it gets a file per stem, their mix, and degradation.json, which says what was done to which stem
    and how much.

    \b
    Example:
      stito degrade my-stems/ -o degraded/ --seed 3
      stito degrade my-stems/ -o squashed/ --stem drums --fault compression --severity 0.5
    """
    from stito.data.degradation.degrade_files import degrade_files

    done = degrade_files(source, out, seed=seed, stem=stem, fault=fault, severity=severity, force=force)
    if as_json:
        click.echo(json.dumps(done.label, indent=2))
        return
    click.echo(done.table())
    click.echo(f"{out}: {', '.join(path.name for path in done.files)}")
