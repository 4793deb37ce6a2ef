"""`stito separate`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["separate"]


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("-o", "--output", "outdir", metavar="OUTDIR", required=True, type=click.Path(path_type=Path))
@click.option(
    "--separator",
    default="demucs",
    show_default=True,
    metavar="NAME[:WEIGHTS]",
    help="demucs[:MODEL or FOLDER], hdemucs[:FILE] (torchaudio's), scnet:FOLDER (a checkpoint of yours), "
    "spleeter2[:FOLDER] (vocals and accompaniment), or any that is installed.",
)
@click.option("--force", is_flag=True, help="Overwrite what is in OUTDIR.")
def separate(source: Path, outdir: Path, separator: str, force: bool) -> None:
    """Take a mix apart into stems.

    OUTDIR gets <stem>.wav for each stem that the separator knows, and can be the input or reference of a transfer.
    Weights are downloaded once, by the separator's package. Separations are kept, so that the same mix is not
    separated twice.

    \b
    Examples:
      stito separate song.flac -o stems/
      stito separate song.flac -o stems/ --separator demucs:htdemucs_ft
      stito separate song.flac -o stems/ --separator spleeter2
    """
    from stito.cli.progress import Reporter

    with Reporter() as reporter:
        from stito.workflows.folder import left_beside
        from stito.workflows.separate import run_separate

        written = run_separate(source, outdir, separator=separator, force=force, on_step=reporter)
    for path in written:
        click.echo(str(path))
    for name in left_beside(outdir, written):
        click.echo(f"note: {outdir} also holds {name}, which is not of this separation.", err=True)
