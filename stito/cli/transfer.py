"""`stito transfer`."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

import click

from stito.cli.options import SearchOptions, engine_of, method_option, search_options

__all__ = ["transfer"]


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.argument("reference", metavar="REFERENCE", type=click.Path(path_type=Path))
@click.option("-o", "--output", "outdir", metavar="OUTDIR", required=True, type=click.Path(path_type=Path))
@method_option
@search_options
@click.option("--verbose", is_flag=True, help="Say on stderr what the time was spent on.")
def transfer(
    source: Path,
    reference: Path,
    outdir: Path,
    method: str,
    force: bool,
    as_json: bool,
    verbose: bool,
    **options: Unpack[SearchOptions],
) -> None:
    """Make INPUT sound like REFERENCE.

    Both are an audio file or a folder of stems (vocals, drums, bass, other; other names work too). OUTDIR gets
    mix.wav, stems/, preset.json, preset.csv, result.json and report.html. Ctrl-C ends the search; the best settings
    so far are applied.

    \b
    Examples:
      stito transfer my-stems/ reference-stems/ -o out/
      stito transfer mix.wav reference.flac -o out/ --method gradient --seconds 30
      stito transfer my-stems/ reference-stems/ -o out/ --method neural
      stito transfer my-stems/ reference-stems/ -o out/ --amount 0.8 --amount reverb=0 --amount eq=0.5
      stito transfer my-stems/ reference-stems/ -o out/ --and another/:0.5
      stito transfer my-stems/ reference-stems/ -o out/ --keep level,width
      stito transfer my-stems/ reference-stems/ -o out/ --loudness -14 --ceiling -1
      stito transfer my-stems/ reference-stems/ -o out/ --encoder "fxencoder*0.7+features*0.3"
      stito transfer bass.wav their-bass.wav -o out/ --stem bass --chain "eq | compressor"
    """
    from stito.cli.progress import Reporter

    with Reporter() as reporter:
        from stito.workflows.result import phases_table, summary
        from stito.workflows.transfer import run_transfer

        engine = engine_of(method=method, on_step=reporter, **options)
        result = run_transfer(engine, source, reference, outdir, force=force)
    if verbose:
        click.echo(phases_table(result.phases), err=True)
    click.echo(summary(result, outdir, as_json=as_json))
