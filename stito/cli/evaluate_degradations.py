"""`stito evaluate degradations`."""

from __future__ import annotations

from pathlib import Path

import click

from stito.cli.evaluated import encoders_option, load_encoders, print_outcome, say, study_options

__all__ = ["degradations"]


@click.command()
@encoders_option
@click.option("--data", type=click.Path(path_type=Path), default=None, metavar="CACHE", help="A cache of stems.")
@click.option("--learn", default="train", show_default=True, help="Songs of the cache that the heads learn from.")
@click.option("--split", default="test", show_default=True, help="Songs that they are tried on: valid, test.")
@click.option("--places", type=click.IntRange(1), default=2, show_default=True, help="Of each song, each judged alone.")
@click.option("--excerpts", type=click.IntRange(1), default=1, show_default=True, help="Heard of each place, in a row.")
@click.option("--seconds", type=float, default=5.0, show_default=True, help="Length of an excerpt.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same result.")
@study_options()
def degradations(
    encoders: tuple[str, ...],
    data: Path | None,
    learn: str,
    split: str,
    places: int,
    excerpts: int,
    seconds: float,
    seed: int,
    outdir: Path,
    as_json: bool,
    force: bool,
    smoke: bool,
) -> None:
    """Measure whether encoders tell a good mix from a degraded one, by fault and severity.

    On each encoder the same head learns severities from some songs, and is tried on others. OUTDIR gets report.html,
    tables.md and result.json.

    \b
    Example:
      stito evaluate degradations --encoder runs/stem.safetensors --encoder features --data cache/ -o out/
    """
    if data is None and not smoke:
        raise click.UsageError("Give a cache of stems with --data, or try it out with --smoke.")
    from stito.evaluation.degradations.cases import Plan
    from stito.evaluation.degradations.study import (
        NAMES,
        cache_sources,
        demo_sources,
        study_degradations,
        write_study,
    )
    from stito.workflows.command import command_line
    from stito.workflows.folder import prepare

    loaded = load_encoders(encoders)
    prepare(outdir, force=force, names=NAMES)
    sources = demo_sources() if data is None else cache_sources(data, learn, split)
    plan = Plan(places=places, excerpts=excerpts, seconds=seconds, seed=seed)
    outcome = study_degradations(loaded, *sources, plan, smoke=smoke, on_step=say)
    given: dict[str, object] = {"encoder": encoders, "data": data, "seed": seed}
    if not smoke:
        given |= {"learn": learn, "split": split, "places": places, "excerpts": excerpts, "seconds": seconds}
    write_study(outdir, outcome, command=command_line("evaluate", "degradations", **given, smoke=smoke, o="out"))
    print_outcome(outcome, as_json=as_json)
