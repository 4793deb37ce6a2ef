"""`stito embed`."""

from __future__ import annotations

from pathlib import Path

import click

from stito import registry

__all__ = ["embed"]


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("-o", "--output", "out", metavar="FILE", required=True, type=click.Path(path_type=Path))
@click.option(
    "--encoder",
    default=lambda: registry.default("measured encoder"),
    show_default="measured features",
    help="The encoder: a name, a file of weights, or several joined by +.",
)
@click.option("--stem", default=None, metavar="NAME", help="What a single file is (vocals, drums, bass, other).")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def embed(source: Path, out: Path, encoder: str, stem: str | None, force: bool) -> None:
    """Write the style embedding of INPUT, and of each of its stems, to FILE (.npz or .json).

    \b
    Example:
      stito embed my-stems/ -o style.npz --encoder features
    """
    from stito.analysis.embeddings import check_target, embed_mix, save_embeddings
    from stito.mix import read_mix

    check_target(out, overwrite=force)
    embeddings = embed_mix(read_mix(source, stem=stem), encoder)
    save_embeddings(out, embeddings, overwrite=force)
    click.echo(f"{out}: " + ", ".join(f"{name} ({len(vector)})" for name, vector in embeddings.items()))
