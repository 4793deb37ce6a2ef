"""`stito analyze`."""

from __future__ import annotations

import json
from pathlib import Path

import click

__all__ = ["analyze"]


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("--stem", default=None, metavar="NAME", help="What a single file is (vocals, drums, bass, other).")
@click.option("--json", "as_json", is_flag=True, help="Print every feature, per band too, as JSON.")
def analyze(source: Path, stem: str | None, as_json: bool) -> None:
    """Measure loudness, dynamics, spectrum and stereo image of INPUT; of stems, also who masks whom.

    \b
    Example:
      stito analyze my-stems/ --json
    """
    from stito.analysis.mixing import analyse
    from stito.mix import read_mix
    from stito.terminal import text_table

    features = analyse(read_mix(source, stem=stem))
    if as_json:
        click.echo(json.dumps(features, indent=2))
        return
    for name, values in features.items():
        click.echo(name)
        rows = [
            (feature, f"{value:.3f}" if isinstance(value, float) else " ".join(f"{band:.1f}" for band in value))
            for feature, value in values.items()
        ]
        click.echo(text_table((), rows, align="ll", indent=2))
