"""`stito normalize`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["normalize"]


@click.command()
@click.argument("source", metavar="[INPUT]", required=False, type=click.Path(path_type=Path))
@click.option("-o", "--output", "out", metavar="OUT", required=True, type=click.Path(path_type=Path))
@click.option("--stem", default=None, metavar="vocals|drums|bass|other", help="What kind of stem a single file is.")
@click.option(
    "--targets",
    "targets_file",
    metavar="FILE",
    default=None,
    type=click.Path(path_type=Path),
    help="Targets of --fit.  [default: those of MUSDB18]",
)
@click.option(
    "--fit",
    "songs",
    metavar="DIR",
    default=None,
    type=click.Path(path_type=Path),
    help="Instead, take targets from the songs in DIR: <song>/<stem>.wav.",
)
@click.option("--force", is_flag=True, help="Overwrite OUT.")
def normalize(
    source: Path | None, out: Path, stem: str | None, targets_file: Path | None, songs: Path | None, force: bool
) -> None:
    """Normalise the effects of a stem: bring it to the usual spectrum, compression, width, place and loudness.

    INPUT is one stem, and OUT the file to write; or INPUT is a folder of stems, and OUT a folder. Stems with other
    names than vocals, drums and bass count as other. The result is stereo.

    \b
    Examples:
      stito normalize vocals.wav -o normalized.wav --stem vocals
      stito normalize my-stems/ -o normalized/
      stito normalize --fit songs/ -o targets.json
    """
    if (source is None) == (songs is None):
        raise click.UsageError("Give either INPUT or --fit DIR.")
    if songs is not None and (stem or targets_file):
        raise click.UsageError("--fit takes neither --stem nor --targets.")
    from stito.data.fxnorm.normalize import Targets
    from stito.data.fxnorm.normalize_files import fit_songs, normalize_files

    if songs is not None:
        fitted = fit_songs(songs, out, force=force, on_song=lambda name: click.echo(name, err=True))
        click.echo(f"{out}: {fitted.source}")
    elif source is not None:
        targets = Targets.load(targets_file) if targets_file else None
        for written in normalize_files(source, out, stem=stem, targets=targets, force=force):
            click.echo(str(written))
