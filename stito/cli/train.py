"""`stito train`."""

from __future__ import annotations

import os
from pathlib import Path

import click

__all__ = ["train"]


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option(
    "--data", metavar="CACHE", type=click.Path(path_type=Path), help="What to train on: from stito data build."
)
@click.option(
    "-o",
    "--output",
    "folder",
    metavar="RUNDIR",
    type=click.Path(path_type=Path),
    help="[default: runs/<recipe's name>]",
)
@click.option("--set", "changes", metavar="A.B=C", multiple=True, help="Change a value of the recipe; may be repeated.")
@click.option("--smoke", is_flag=True, help="A check that takes seconds: overfit one batch, of composed songs.")
@click.option("--resume", is_flag=True, help="Go on from RUNDIR's checkpoint, to the same weights.")
@click.option("--seconds", type=float, help="Stop after this long, with a checkpoint.")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda", help="Where to train.")
@click.option("--force", is_flag=True, help="Overwrite RUNDIR; with --resume, go on with a changed recipe.")
def train(
    recipe: Path,
    data: Path | None,
    folder: Path | None,
    changes: tuple[str, ...],
    smoke: bool,
    resume: bool,
    seconds: float | None,
    device: str,
    force: bool,
) -> None:
    """Train a network by RECIPE: a .toml file, or a folder with a recipe.toml.

    RUNDIR gets best.safetensors (the weights, best on songs held out), final.safetensors (those of the last step),
    last.pt (to resume from), log.jsonl and tensorboard/. Ctrl-C ends a training with a checkpoint.
    recipes/fxencoder/README.md lists the keys of a recipe.

    \b
    Example:
      stito train recipes/fxencoder/small.toml --data cache/
      stito train recipes/fxencoder/small.toml --data cache/ --resume --seconds 600
      torchrun --nproc-per-node 4 -m stito train recipes/fxencoder/paper.toml --data cache/
    """
    if data is None and not smoke:
        raise click.UsageError("Give --data CACHE (see stito data build), or --smoke.")
    from stito.cli.training_progress import TrainingReporter
    from stito.training.recipe import load_recipe
    from stito.training.start import train as start

    plan = load_recipe(recipe, changes, smoke=smoke)
    outdir = folder or Path("runs") / (f"{plan.name}-smoke" if smoke else plan.name)
    with TrainingReporter() as reporter:
        outcome = start(
            plan, outdir, data=data, device=device, seconds=seconds, resume=resume, force=force, on_step=reporter
        )
    if os.environ.get("RANK", "0") == "0":  # one of the processes that torchrun started speaks for all
        click.echo(outcome.summary(outdir))
