"""`stito manipulate`."""

from __future__ import annotations

import json
from pathlib import Path

import click

__all__ = ["manipulate"]


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("-o", "--output", "out", metavar="OUT", required=True, type=click.Path(path_type=Path))
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same style.")
@click.option("--stem", default=None, metavar="NAME", help="What a single file is (vocals, drums, bass, other).")
@click.option(
    "--strength", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="How much the effects do."
)
@click.option("--irs", default=None, metavar="DIR", type=click.Path(path_type=Path), help="Rooms: impulse responses.")
@click.option("--json", "as_json", is_flag=True, help="Print the settings as JSON.")
@click.option("--force", is_flag=True, help="Overwrite what is in OUT.")
def manipulate(
    source: Path,
    out: Path,
    seed: int,
    stem: str | None,
    strength: float,
    irs: Path | None,
    as_json: bool,
    force: bool,
) -> None:
    """Give INPUT a random mixing style: EQ, compression, panning, width, reverb and gain, each stem its own.

    OUT is a folder; it gets a file per stem and manipulation.json with the settings.

    \b
    Example:
      stito manipulate my-stems/ -o restyled/ --seed 3
      stito manipulate my-stems/ -o a-little/ --seed 3 --strength 0.3
    """
    from stito.data.manipulate_files import manipulate_files

    done = manipulate_files(source, out, seed=seed, stem=stem, strength=strength, irs=irs, force=force)
    if as_json:
        click.echo(json.dumps(done.document, indent=2))
        return
    click.echo(done.table())
    click.echo(f"{out}: {', '.join(path.name for path in done.files)}")
