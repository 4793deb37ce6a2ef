"""`stito data`: songs for training and evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from stito.cli.sense import CheckedGroup

if TYPE_CHECKING:
    from stito.data.archive import Packed
    from stito.data.cache import Built, Cache, Prepare

__all__ = ["data"]

_SPLITS = ("train", "valid", "test")


@click.group(cls=CheckedGroup)
def data() -> None:
    """Prepare songs for training: cache their stems, pack a cache for another machine, unpack it there.

    \b
    Example:
      stito data build musdb18hq/ -o cache/
      stito data info cache/
    """


@data.command()
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", "out", metavar="CACHE", required=True, type=click.Path(path_type=Path))
@click.option("--normalize/--no-normalize", default=True, show_default=True, help="FX-normalise each stem first.")
@click.option(
    "--split-file",
    default=None,
    type=click.Path(path_type=Path),
    help='JSON: {"valid": [names], "test": [names]}.  [default: split.json in DIR, else the folders in it]',
)
@click.option(
    "--separator",
    default=None,
    metavar="NAME[:WEIGHTS]",
    help="DIR holds released mixes, which this takes apart: audio files, or FMA as it is unpacked.",
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Songs at a time.")
def build(
    folders: tuple[Path, ...],
    out: Path,
    normalize: bool,
    split_file: Path | None,
    separator: str | None,
    workers: int,
) -> None:
    """Cache the stems of all songs in DIR, without their silence; what CACHE has already is kept.

    DIR holds a folder of stems (vocals, drums, bass, other) or a .stem.mp4 for each song, or train/, valid/ and test/
    with such songs. MUSDB18's published validation songs are recognised by name. With --separator it holds released
    mixes; the tracks of FMA keep its splits (mind the licences of their artists).

    \b
    Examples:
      stito data build musdb18hq/ more-songs/ -o cache/ --workers 4
      stito data build fma/ -o cache/ --separator demucs
    """
    from stito.data.cache import build_cache
    from stito.data.released import find_released
    from stito.data.songs import find_songs
    from stito.separation import loaded_separator

    if separator:
        loaded_separator(separator)  # an error now, not in the middle
    songs = (find_released if separator else find_songs)(*folders, split_file=split_file)
    prepare = _normalization() if normalize else None
    _print_totals(
        build_cache(songs, out, prepare=prepare, separator=separator, workers=workers, on_progress=_print_built)
    )


def _normalization() -> Prepare:
    """FX normalisation, imported only where it is wanted."""
    from stito.data.fxnorm.normalize import normalize

    return normalize


@data.command()
@click.argument("source", metavar="CACHE", type=click.Path(path_type=Path))
@click.option("-o", "--output", "out", metavar="DIR", required=True, type=click.Path(path_type=Path))
@click.option("--megabytes", type=click.FloatRange(1), default=60.0, show_default=True, help="The most per archive.")
@click.option("--quality", type=click.FloatRange(0, 1), default=0.4, show_default=True, help="Of the Ogg Vorbis.")
@click.option("--hours", type=click.FloatRange(0, min_open=True), default=None, help="The most per stem and split.")
@click.option("--force", is_flag=True, help="Overwrite archives that are there.")
def pack(source: Path, out: Path, megabytes: float, quality: float, hours: float | None, force: bool) -> None:
    """Write CACHE as compressed archives of a bounded size, to be sent to another machine.

    \b
    Example:
      stito data pack cache/ -o packed/ --megabytes 60
    """
    from stito.data.archive import pack as pack_cache
    from stito.data.cache import Cache

    paths = pack_cache(
        Cache.open(source),
        out,
        megabytes=megabytes,
        quality=quality,
        hours=hours,
        overwrite=force,
        on_progress=_print_packed,
    )
    for path in paths:
        click.echo(path)


@data.command()
@click.argument("archives", metavar="ARCHIVE...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", "out", metavar="CACHE", required=True, type=click.Path(path_type=Path))
def unpack(archives: tuple[Path, ...], out: Path) -> None:
    """Make CACHE of archives (files, or folders of them), or add them to it.

    \b
    Example:
      stito data unpack packed/ -o cache/
    """
    from stito.data.archive import unpack as unpack_archives

    paths = [path for entry in archives for path in (sorted(entry.glob("*.zip")) if entry.is_dir() else [entry])]
    _print_totals(unpack_archives(paths, out, on_progress=_print_packed))


@data.command()
@click.argument("source", metavar="CACHE", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print seconds by split and stem as JSON.")
def info(source: Path, as_json: bool) -> None:
    """Show how much CACHE holds of each stem.

    \b
    Example:
      stito data info cache/
    """
    import json

    from stito.data.cache import Cache

    cache = Cache.open(source)
    if as_json:
        click.echo(json.dumps(cache.seconds(), indent=2))
    else:
        _print_totals(cache)


def _print_totals(cache: Cache) -> None:
    """Minutes and songs by split and stem, as a table on stdout."""
    from stito.stems import STEMS
    from stito.terminal import text_table

    seconds = cache.seconds()
    click.echo(f"{len(cache.pieces)} pieces, prepared: {cache.prepared}")
    rows = []
    for split in _SPLITS:
        cells = []
        for stem in STEMS:
            songs = {piece.song for piece in cache.pieces if (piece.split, piece.stem) == (split, stem)}
            cells.append(f"{seconds.get(split, {}).get(stem, 0) / 60:.1f} min, {len(songs)} songs")
        if split in seconds:
            rows.append((split, *cells))
    click.echo(text_table(("", *STEMS), rows))


def _print_built(step: Built) -> None:
    kept = ", ".join(f"{stem} {seconds:.0f} s" for stem, seconds in step.seconds.items()) or "silence"
    note = f" ({step.note})" if step.note else ""
    click.echo(f"{step.index + 1}/{step.count} {step.song}: {kept}{note}", err=True)


def _print_packed(step: Packed) -> None:
    click.echo(f"{step.path}: {step.seconds / 60:.1f} min", err=True)
