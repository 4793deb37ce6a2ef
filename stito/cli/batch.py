"""`stito batch`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from stito.cli.options import SearchOptions, engine_of, method_option, search_options
from stito.errors import SettingsError, StitoError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from stito.workflows.batch_job import BatchRow
    from stito.workflows.batch_pairs import BatchPair
    from stito.workflows.transfer import Transfer

__all__ = ["batch"]


@click.command()
@click.argument("source", metavar="PAIRS.csv|SONGS", type=click.Path(path_type=Path))
@click.argument("reference", metavar="[REFERENCE]", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", "outdir", metavar="OUTDIR", required=True, type=click.Path(path_type=Path))
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=None,
    help="Pairs made side by side, each in a process with the memory of a transfer.  [default: 1, on all cores]",
)
@click.option("--scheduler", default=None, metavar="ADDRESS", help="Run on the workers of a dask scheduler instead.")
@method_option
@search_options
def batch(
    source: Path,
    reference: Path | None,
    outdir: Path,
    workers: int | None,
    scheduler: str | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Transfer many songs: the pairs of a table, or every song of a folder to one REFERENCE.

    PAIRS.csv has the columns input and reference, and if wanted name (of the result's folder) and any option below by
    its name: stem, method, amount, ... A cell counts for its row, an empty one leaves the option as it is given here.
    Relative paths are relative to the table. Songs of a folder are its audio files, and its sub-folders of stems.

    OUTDIR gets a folder for each pair, as `stito transfer` writes it, summary.csv and index.html. The same command goes
    on where it was interrupted, and makes again what failed, or what has other inputs or options than before; with
    --force all. A pair that fails does not stop the others.

    On a cluster, workers (`dask worker ADDRESS --nthreads 1`) need stito, and the files under the same paths.

    \b
    Examples:
      stito batch pairs.csv -o out/
      stito batch pairs.csv -o out/ --workers 4 --method ensemble
      stito batch songs/ reference.wav -o out/ --chain "eq | compressor | limiter" --seconds 30
    """
    if workers and scheduler:
        raise click.UsageError("Either --workers of this machine, or a --scheduler.")
    from stito.cli.batch_progress import BatchReporter
    from stito.compute.processes import GO_ON
    from stito.workflows.batch import run_batch
    from stito.workflows.batch_pairs import anchored
    from stito.workflows.batch_summary import PAGE, TABLE, batch_json, batch_table

    if scheduler:  # whose workers are in folders of their own
        here = Path.cwd()
        options = {name: anchored(name, value, here) for name, value in options.items()}
        source, outdir, reference = here / source, here / outdir, reference and here / reference
    pairs = _pairs(source, reference, outdir, options)
    try:
        with BatchReporter() as reporter, _executor(scheduler) as executor:
            rows = run_batch(pairs, outdir, workers=workers or 1, executor=executor, force=force, on_pair=reporter)
    except KeyboardInterrupt:
        click.echo(f"{reporter.finished} of {len(pairs)} are finished. {GO_ON}", err=True)
        raise
    if as_json:
        click.echo(json.dumps(batch_json(rows), indent=2))
    else:
        click.echo(f"{batch_table(rows)}\n{outdir}: {TABLE}, {PAGE}")
    _raise_failed(rows, outdir / TABLE)


def _pairs(source: Path, reference: Path | None, outdir: Path, options: Mapping[str, object]) -> list[BatchPair]:
    from stito.workflows.batch_pairs import read_pairs, song_pairs

    columns = {_column(param): param for param in click.get_current_context().command.params if param.name in options}

    def make(given: Mapping[str, object]) -> Transfer:
        named = {columns[column].name: value for column, value in given.items()}
        return engine_of(**cast(SearchOptions, {**options, **named}))

    if not source.exists():
        raise SettingsError(f"Nothing is at {source}.", hint="Give a table of pairs, or a folder and a reference.")
    if source.is_dir():
        if reference is None:
            raise click.UsageError("What should the songs of this folder sound like? Give a REFERENCE, or a table.")
        if outdir.resolve() == source.resolve():
            raise click.UsageError("The results would be songs the next time. Name another folder with -o.")
        return song_pairs(source, reference, make=make, beside=[outdir])
    if reference is not None:
        raise click.UsageError("In a table each row has its reference; for one REFERENCE give a folder of songs.")
    return read_pairs(source, make=make, options={column: _parse(param) for column, param in columns.items()})


def _column(param: click.Parameter) -> str:
    """What an option is called in a table: as on the command line."""
    return max(param.opts, key=len).removeprefix("--")


def _parse(param: click.Parameter) -> Callable[[str], object]:
    """How the text of a cell is read: as the command line would."""

    def parse(cell: str) -> object:
        try:
            value = param.type.convert(cell, param, None)
            return (value,) if param.multiple else value
        except click.BadParameter as error:
            raise SettingsError(error.message) from error

    return parse


def _executor(scheduler: str | None) -> AbstractContextManager[Executor | None]:
    from stito.compute.workers import cluster

    return cluster(scheduler) if scheduler else nullcontext()


def _raise_failed(rows: list[BatchRow], table: Path) -> None:
    """The pairs that failed, by name and reason, as the last that is said."""
    failed = [row for row in rows if row.status == "failed"]
    if not failed:
        return
    reasons = "".join(f"\n  {row.name}: {' '.join(filter(None, (row.error, row.hint)))}" for row in failed)
    raise StitoError(
        f"{len(failed)} of {len(rows)} pairs failed:{reasons}",
        hint=f"{table} has them too. The same command tries them again, and keeps the others.",
    )
