"""`stito compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Unpack

import click

from stito.cli.options import SearchOptions, engine_of, search_options

__all__ = ["compare"]


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.argument("reference", metavar="REFERENCE", type=click.Path(path_type=Path))
@click.option("-o", "--output", "outdir", metavar="OUTDIR", required=True, type=click.Path(path_type=Path))
@click.option(
    "--methods",
    default=None,
    help="Methods, separated by commas.  [default: all without a search, and cma, as far as they apply]",
)
@search_options
def compare(
    source: Path,
    reference: Path,
    outdir: Path,
    methods: str | None,
    force: bool,
    as_json: bool,
    **options: Unpack[SearchOptions],
) -> None:
    """Transfer the style of REFERENCE to INPUT with several methods and compare them.

    OUTDIR gets one folder per method, each as `stito transfer` writes it, compare.json, and compare.html, which plays
    them all.

    \b
    Example:
      stito compare my-stems/ reference-stems/ -o out/ --methods match,neural,cma --evaluations 500
    """
    from stito.cli.progress import Reporter

    with Reporter() as reporter:
        from stito.workflows.compare import compare_methods, table

        rows = compare_methods(
            engine_of(on_step=reporter, **options),
            source,
            reference,
            outdir,
            [method.strip() for method in (methods or "").split(",") if method.strip()],
            force=force,
        )
    click.echo(json.dumps(rows, indent=2) if as_json else table(rows))
