"""`stito evaluate quality`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import click

from stito.cli.evaluated import encoders_option, load_encoders, say, study_options

__all__ = ["quality"]


@click.command()
@encoders_option
@click.option("--scores", type=click.Path(path_type=Path), default=None, metavar="CSV", help="path,score[,song,rater].")
@click.option("--column", default="score", show_default=True, help="The column that is predicted, by its name.")
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True, help="Of songs, for cross-validation.")
@click.option("--ranking", type=click.FloatRange(0), default=0.0, show_default=True, help="Weight of the ranking loss.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same result.")
@study_options(smoke="On composed songs with faults, whose score is their severity.")
def quality(
    encoders: tuple[str, ...],
    scores: Path | None,
    column: str,
    folds: int,
    ranking: float,
    seed: int,
    outdir: Path,
    as_json: bool,
    force: bool,
    smoke: bool,
) -> None:
    """Predict scores of mixes from embeddings, and measure how well on songs that were left out.

    A mix is a folder of stems or an audio file. OUTDIR gets report.html, tables.md, result.json, and for each encoder
    a head that was fitted to all scores.

    \b
    Example:
      stito evaluate quality --encoder runs/stem.safetensors --encoder features --scores ratings.csv -o out/
    """
    if scores is None and not smoke:
        raise click.UsageError("Give a CSV with --scores, or try it out with --smoke.")
    from stito.evaluation.quality.scores import read_scores
    from stito.evaluation.quality.study import NAMES, study_quality, write_demo_scores, write_study
    from stito.models.quality import HeadPlan
    from stito.workflows.command import command_line
    from stito.workflows.folder import prepare

    loaded = load_encoders(encoders)
    prepare(outdir, force=force, names=(*NAMES, *(f"head-{label}.safetensors" for label in loaded)))
    with tempfile.TemporaryDirectory() as folder:
        if scores is None:
            file, column = write_demo_scores(Path(folder)), "severity"
            data = (
                "songs composed by stito with faults, for trying out: the score is their severity, nobody's judgement."
            )
        else:
            file, data = scores, f"{scores.name}, column {column}."
        outcome, heads = study_quality(
            loaded,
            read_scores(file, column),
            score=column,
            data=data,
            folds=folds,
            plan=HeadPlan(ranking=ranking),
            seed=seed,
            on_step=say,
        )
    given: dict[str, object] = {"encoder": encoders, "scores": scores, "folds": folds, "seed": seed}
    given |= {"column": None if smoke else column, "ranking": ranking or None}
    write_study(outdir, outcome, heads, command=command_line("evaluate", "quality", **given, smoke=smoke, o="out"))
    click.echo(json.dumps(outcome.as_json(), indent=2) if as_json else outcome.table().text())
