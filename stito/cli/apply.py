"""`stito apply`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["apply"]


@click.command()
@click.argument("preset", metavar="PRESET", type=click.Path(path_type=Path))
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("-o", "--output", "outdir", metavar="OUT", required=True, type=click.Path(path_type=Path))
@click.option("--stem", default=None, metavar="NAME", help="What a single file is (vocals, drums, bass, other).")
@click.option("--amount", type=float, default=1.0, show_default=True, help="How far to go, 0 to 1.")
@click.option("--force", is_flag=True, help="Overwrite what is in OUT.")
def apply(preset: Path, source: Path, outdir: Path, stem: str | None, amount: float, force: bool) -> None:
    """Render INPUT with the settings of PRESET, or with a part of them.

    OUT gets mix.wav and stems/; if OUT ends in .wav it is the mix alone.

    \b
    Examples:
      stito apply out/preset.json another-take/ -o out2/
      stito apply out/preset.json my-stems/ -o subtler/ --amount 0.5
    """
    from stito.workflows.apply import run_apply

    rendered = run_apply(preset, source, outdir, stem=stem, amount=amount, force=force)
    click.echo(f"{outdir}: true peak {rendered.true_peak_db:.1f} dBTP, output gain {rendered.output_gain_db:+.1f} dB.")
