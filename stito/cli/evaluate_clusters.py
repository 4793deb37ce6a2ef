"""`stito evaluate clusters`."""

from __future__ import annotations

from pathlib import Path

import click

from stito.cli.evaluated import encoders_option, load_encoders, print_outcome, say, study_options

__all__ = ["clusters"]


@click.command()
@encoders_option
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=None,
    metavar="DIR",
    help="A folder whose sub-folders are the classes, FMA, or a cache of stems.",
)
@click.option("--split", default=None, help="Of FMA or a cache: train, valid, test.  [default: all; of a cache test]")
@click.option("--per-class", type=click.IntRange(2), default=50, show_default=True, help="The most sounds of a class.")
@click.option("--neighbours", type=click.IntRange(1), default=5, show_default=True, help="That say what a sound is.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same sounds.")
@study_options()
def clusters(
    encoders: tuple[str, ...],
    data: Path | None,
    split: str | None,
    per_class: int,
    neighbours: int,
    seed: int,
    outdir: Path,
    as_json: bool,
    force: bool,
    smoke: bool,
) -> None:
    """Measure whether sounds of one class, such as a genre, lie together in an encoder's embedding.

    Classes are the sub-folders of DIR, the genres of FMA (fma_small and fma_metadata in one folder), or the songs of a
    cache. OUTDIR gets report.html, tables.md, result.json and a t-SNE map of each encoder.

    \b
    Examples:
      stito evaluate clusters --encoder features --encoder fxencoder --data fma/ -o out/
      stito evaluate clusters --encoder fxencoder+features --data genres/ --per-class 100 -o out/
    """
    if data is None and not smoke:
        raise click.UsageError("Give a folder of classes with --data, or try it out with --smoke.")
    from stito.evaluation.clusters.sounds import demo_sounds, labelled_sounds
    from stito.evaluation.clusters.study import NAMES, study_clusters, write_study
    from stito.workflows.command import command_line
    from stito.workflows.folder import prepare

    loaded = load_encoders(encoders)
    prepare(outdir, force=force, names=NAMES)
    sounds, sentence = (
        demo_sounds(seed) if data is None else labelled_sounds(data, split=split, per_class=per_class, seed=seed)
    )
    outcome = study_clusters(
        loaded,
        sounds,
        sentence,
        neighbours=neighbours,
        seed=seed,
        on_step=say,
    )
    given: dict[str, object] = {"encoder": encoders, "data": data, "split": split}
    given |= {"per-class": None if smoke else per_class, "neighbours": neighbours, "seed": seed}
    write_study(outdir, outcome, command=command_line("evaluate", "clusters", **given, smoke=smoke, o="out"))
    print_outcome(outcome, as_json=as_json)
