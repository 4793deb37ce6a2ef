"""`stito evaluate disentanglement`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from stito.cli.evaluated import encoders_option, load_encoders, say, study_options

__all__ = ["disentanglement"]


@click.command()
@encoders_option
@click.option("--data", type=click.Path(path_type=Path), default=None, metavar="CACHE", help="A cache of stems.")
@click.option("--split", default="valid", show_default=True, help="Which songs of the cache: train, valid, test.")
@click.option("--segments", type=int, default=25, show_default=True, help="Pieces of music in a draw.")
@click.option("--configurations", type=int, default=10, show_default=True, help="Effect settings in a draw.")
@click.option("--seeds", type=int, default=4, show_default=True, help="Draws, from which the intervals come.")
@click.option("--seconds", type=float, default=6.0, show_default=True, help="Length of a segment.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same result.")
@click.option("--device", default="cpu", show_default=True, help="Where to render and embed: cpu, cuda, ...")
@study_options(smoke="A little of everything; without --data, on songs that stito composes.")
def disentanglement(
    encoders: tuple[str, ...],
    data: Path | None,
    split: str,
    segments: int,
    configurations: int,
    seeds: int,
    seconds: float,
    seed: int,
    device: str,
    outdir: Path,
    as_json: bool,
    force: bool,
    smoke: bool,
) -> None:
    """Measure whether encoders tell effects apart, whatever music they are applied to.

    Prints Table 1 of Koo et al. (2022) with the encoders beside the published ones. OUTDIR gets report.html,
    tables.md, result.json and a t-SNE map of each encoder.

    \b
    Example:
      stito evaluate disentanglement --encoder features --data cache/ --split test -o out/
    """
    if data is None and not smoke:
        raise click.UsageError("Give a cache of stems with --data, or try it out with --smoke.")
    from stito.evaluation.encoders.cases import Plan
    from stito.evaluation.encoders.outcome_tables import as_text
    from stito.evaluation.encoders.study import NAMES, DemoSongs, cache_material, study_encoders, write_study
    from stito.workflows.command import command_line
    from stito.workflows.folder import prepare

    plan = Plan(segments, configurations, seeds, seconds, seed, device)
    loaded = load_encoders(encoders)
    prepare(outdir, force=force, names=NAMES)
    material, sentence = cache_material(data, split) if data else (DemoSongs(), DemoSongs.sentence)
    outcome = study_encoders(loaded, material, sentence, plan, smoke=smoke, on_step=say)
    names = ("seed", "device") if smoke else ("segments", "configurations", "seeds", "seconds", "seed", "device")
    given = {"encoder": encoders, "data": data, "split": split if data else None}
    given |= {name: getattr(outcome.plan, name) for name in names}
    write_study(outdir, outcome, command=command_line("evaluate", "disentanglement", **given, smoke=smoke, o="out"))
    click.echo(json.dumps(outcome.as_json(), indent=2) if as_json else as_text(outcome))
