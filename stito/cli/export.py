"""`stito export`."""

from __future__ import annotations

from pathlib import Path

import click

from stito.cli.options import NamedOption

__all__ = ["export"]


@click.command()
@click.argument("source", metavar="PRESET|OUTDIR", type=click.Path(path_type=Path))
@click.option("--to", "exporter", cls=NamedOption, kind="exporter", required=True, metavar="FORMAT", help="The format")
@click.option("-o", "--output", "out", metavar="OUT", required=True, type=click.Path(path_type=Path))
@click.option(
    "--input",
    "audio",
    metavar="INPUT",
    default=None,
    type=click.Path(path_type=Path),
    help="The audio that goes in; by default what the result was made of, if it is still there.",
)
@click.option("--stem", default=None, metavar="NAME", help="What a single file is (vocals, drums, bass, other).")
@click.option(
    "--rate", type=int, default=None, metavar="HZ", help="Sample rate of impulse responses.  [default: 48000]"
)
@click.option("--force", is_flag=True, help="Overwrite what is there.")
def export(
    source: Path, exporter: str, out: Path, audio: Path | None, stem: str | None, rate: int | None, force: bool
) -> None:
    """Take settings into a DAW, a convolver, a script or a table.

    From the folder of a result a session has its input, its rendered stems and its devices; from a preset alone devices
    and faders only, unless --input names the audio. What does not fit into the format is said.

    \b
    Examples:
      stito export out/ --to dawproject -o song.dawproject
      stito export out/preset.json --to dawproject -o song.dawproject --input my-stems/
      stito export out/ --to ir -o responses/ --rate 44100
      stito export out/ --to text -o settings.txt
    """
    from stito.workflows.export import run_export

    exported = run_export(source, out, exporter, audio=audio, stem=stem, rate=rate, force=force)
    for note in exported.notes:
        click.echo(f"note: {note}")
    click.echo(f"{out}: {len(exported.files)} file{'s' if len(exported.files) > 1 else ''}.")
