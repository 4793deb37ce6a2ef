"""`stito demo`."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["demo"]


@click.command()
@click.option(
    "-o",
    "--output",
    "outdir",
    metavar="OUTDIR",
    default="stito-demo",
    show_default=True,
    type=click.Path(path_type=Path),
)
@click.option("--method", default="cma", show_default=True, help="How settings are found.")
@click.option(
    "--evaluations", type=int, default=None, help="Candidates to try per stem.  [default: as `stito transfer`]"
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same result.")
@click.option("--force", is_flag=True, help="Overwrite what is in OUTDIR.")
def demo(outdir: Path, method: str, evaluations: int | None, seed: int, force: bool) -> None:
    """Compose two songs, hide a mixing style in one, and transfer it to the other.

    Needs no files and no network. OUTDIR gets night/ (the input), street/ (the reference) and what `stito transfer`
    writes; open report.html.

    \b
    Example:
      stito demo -o stito-demo
    """
    from stito.cli.progress import Reporter

    with Reporter() as reporter:
        from stito.demo.show import run_demo
        from stito.workflows.result import summary

        outcome = run_demo(outdir, force=force, method=method, evaluations=evaluations, seed=seed, on_step=reporter)
    click.echo(outcome.table())
    click.echo(summary(outcome.result, outdir))
