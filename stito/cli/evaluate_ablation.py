"""`stito evaluate ablation`."""

from __future__ import annotations

from pathlib import Path

import click

from stito.cli.evaluated import print_outcome, say, study_options

__all__ = ["ablation"]


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--data", type=click.Path(path_type=Path), default=None, metavar="CACHE", help="A cache of stems.")
@click.option("--steps", type=click.IntRange(1), default=None, help="Of each training.  [default: the recipe's]")
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True, help="Trainings of each variant.")
@click.option(
    "--variants",
    default=None,
    metavar="A,B",
    help="Some of: without FAMILY, no features, film, prepend, cross-attention; full always is.  [default: all]",
)
@click.option("--set", "changes", metavar="A.B=C", multiple=True, help="Change a value of the recipe; may be repeated.")
@click.option("--learn", default="train", show_default=True, help="Songs of the cache that the heads learn from.")
@click.option("--split", default="test", show_default=True, help="Songs that variants are tried on: valid, test.")
@click.option("--places", type=click.IntRange(1), default=1, show_default=True, help="Excerpts of each song.")
@click.option("--excerpt", "seconds", type=float, default=5.0, show_default=True, help="Seconds of an excerpt.")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda", help="Where to train.")
@study_options(force=False)
def ablation(
    recipe: Path,
    data: Path | None,
    steps: int | None,
    seeds: int,
    variants: str | None,
    changes: tuple[str, ...],
    learn: str,
    split: str,
    places: int,
    seconds: float,
    device: str,
    outdir: Path,
    as_json: bool,
    smoke: bool,
) -> None:
    """Train variants of RECIPE, each without one of its parts, and compare how well they detect degraded mixes.

    RECIPE trains a stem-aware encoder: families of mixing features are left out one by one and all together, and the
    other mechanisms of conditioning are tried. OUTDIR gets report.html, tables.md, result.json, a row for each training
    in rows.jsonl, and the trainings. The same command goes on where it was interrupted.

    \b
    Example:
      stito evaluate ablation recipes/stem_encoder/small.toml --data cache/ --steps 600 --seeds 3 -o ablation/
    """
    if data is None and not smoke:
        raise click.UsageError("Give a cache of stems with --data, or try it out with --smoke.")
    from stito.audio import check_writable
    from stito.evaluation.ablation.study import study_ablation, write_study
    from stito.evaluation.ablation.variants import variants_of
    from stito.evaluation.degradations.cases import Plan
    from stito.evaluation.degradations.study import SMOKE
    from stito.training.recipe import load_recipe
    from stito.workflows.command import command_line

    steps = steps or (2 if smoke else None)
    shortened = [f"optimiser.steps={steps}", f"validation.every={steps}"] if steps else []
    plan = load_recipe(recipe, [*changes, *shortened], smoke=smoke)
    wanted = [name.strip() for name in variants.split(",") if name.strip()] if variants else []
    chosen = variants_of(plan, wanted)
    check_writable(outdir / "result.json", overwrite=True)
    outcome = study_ablation(
        plan,
        chosen,
        outdir,
        data=data,
        seeds=seeds,
        plan=SMOKE if smoke else Plan(places=places, seconds=seconds),
        learn=learn,
        split=split,
        device=device,
        on_step=say,
    )
    given: dict[str, object] = {"data": data, "steps": steps, "seeds": seeds, "variants": variants, "set": changes}
    if not smoke:
        given |= {"learn": learn, "split": split, "places": places, "excerpt": seconds}
        given |= {} if device == "auto" else {"device": device}
    command = command_line("evaluate", "ablation", str(recipe), **given, smoke=smoke, o="out")
    write_study(outdir, outcome, command=command)
    print_outcome(outcome, as_json=as_json)
