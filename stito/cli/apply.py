"""`stito apply`."""

from __future__ import annotations

from pathlib import Path

import click

from stito.cli.options import amount_of, amount_option, delivery_options

__all__ = ["apply"]


@click.command()
@click.argument("preset", metavar="PRESET", type=click.Path(path_type=Path))
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("-o", "--output", "outdir", metavar="OUT", required=True, type=click.Path(path_type=Path))
@click.option("--stem", default=None, metavar="NAME", help="What a single file is (vocals, drums, bass, other).")
@amount_option
@delivery_options(ceiling=None)
@click.option("--force", is_flag=True, help="Overwrite what is in OUT.")
def apply(
    preset: Path,
    source: Path,
    outdir: Path,
    stem: str | None,
    amount: tuple[str, ...],
    loudness: float | None,
    ceiling: float | None,
    force: bool,
) -> None:
    """Render INPUT with the settings of PRESET, or with a part of them.

    OUT gets mix.wav, stems/ and applied.json, which says of what they are; if OUT ends in .wav it is the mix alone.

    \b
    Examples:
      stito apply out/preset.json another-take/ -o out2/
      stito apply out/preset.json my-stems/ -o subtler/ --amount 0.5
      stito apply out/preset.json my-stems/ -o drier/ --amount 0.8 --amount reverb=0 --amount eq=0.5
      stito apply out/preset.json my-stems/ -o streaming/ --loudness -14 --ceiling -1
    """
    from stito.engine.render import limiting_note
    from stito.workflows.apply import run_apply
    from stito.workflows.folder import left_beside

    rendered = run_apply(
        preset, source, outdir, stem=stem, amount=amount_of(amount), loudness=loudness, ceiling=ceiling, force=force
    )
    for name in left_beside(outdir / "stems", [outdir / "stems" / f"{stem}.wav" for stem in rendered.stems]):
        click.echo(f"note: {outdir / 'stems' / name} was there before, and is not of this rendering.", err=True)
    click.echo(f"{outdir}: true peak {rendered.true_peak_db:.1f} dBTP, output gain {rendered.output_gain_db:+.1f} dB.")
    if rendered.delivery.loudness_lufs is not None:
        for note in limiting_note(rendered):
            click.echo(f"note: {note}")
