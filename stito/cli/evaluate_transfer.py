"""`stito evaluate transfer`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import click

from stito.cli.evaluated import counting, executor_of, names_of, study_options, workers_options
from stito.cli.options import predictor_option, simplify_option

__all__ = ["transfer"]


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=None, metavar="CACHE", help="A cache of stems.")
@click.option("--split", default="valid", show_default=True, help="Which songs of the cache: train, valid, test.")
@click.option(
    "--methods",
    default=None,
    metavar="A,B",
    help="input, level, match, predict, neural[:FILE], ensemble, oracle, and searches with their encoder and, if "
    "wanted, where they start: cma:fxencoder, cma:fxencoder*2+features, random:FILE, "
    "cma:features:neural.  [default: a choice of all]",
)
@click.option("--chain", default="mixing", show_default=True, help="What the searches set: a name or a .toml file.")
@predictor_option
@click.option("--cases", type=int, default=40, show_default=True, help="Transfers, over the kinds of stems in turn.")
@click.option("--seconds", type=float, default=12.0, show_default=True, help="Length of input and reference.")
@click.option(
    "--evaluations",
    type=int,
    default=None,
    help="Candidates per search, and for the oracle.  [default: as `stito transfer`; for the oracle 300]",
)
@click.option("--at", default=None, metavar="S,S", help="Also anytime curves, sampled at these seconds: 0,1,5,30.")
@click.option(
    "--prior",
    type=float,
    default=1.0,
    show_default=True,
    help="How strongly settings are regularised towards those that a search starts from.",
)
@simplify_option
@click.option(
    "--evaluation-encoder",
    "--judge",
    "evaluation_encoder",
    default="fxencoder",
    show_default=True,
    metavar="NAME|FILE",
    help="The encoder that measures how close results are to reference and truth.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same cases.")
@click.option("--mixed", is_flag=True, help="Inputs have random effects of their own, and are not FX-normalised.")
@click.option(
    "--strength",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="How strong the random effects are: 1 is as the FXmanipulator draws them.",
)
@click.option("--multitrack", is_flag=True, help="All kinds of stems at once; their sum is compared.")
@click.option(
    "--separator",
    default="none",
    show_default=True,
    metavar="NAME[:WEIGHTS]|none",
    help="Separates a multitrack's reference; without one, methods are given its stems.",
)
@workers_options
@click.option("--audio", is_flag=True, help="Keep what methods made in OUTDIR/audio, for `stito listen build`.")
@study_options(force=False)
def transfer(
    data: Path | None,
    split: str,
    methods: str | None,
    chain: str,
    predictor: Path | None,
    cases: int,
    seconds: float,
    evaluations: int | None,
    at: str | None,
    prior: float,
    simplify: float | Literal["off"],
    evaluation_encoder: str,
    seed: int,
    mixed: bool,
    strength: float,
    multitrack: bool,
    separator: str,
    workers: int | None,
    scheduler: str | None,
    audio: bool,
    outdir: Path,
    as_json: bool,
    smoke: bool,
) -> None:
    """Measure transfers with a known truth: how far is the result from the input under the reference's effects?

    Prints Table 2 of Koo et al. (2022) for these methods, with other measures and paired tests. OUTDIR gets
    cases.jsonl, a row for each case and method as soon as it is measured, report.html, tables.md and result.json. The
    same command goes on where it was interrupted.

    Each job is a method on a case and works on one core, so that rows do not depend on where they are computed. On a
    cluster, workers (`dask worker ADDRESS --nthreads 1`) need stito, and under the same paths the cache, files that
    methods name, and with --audio OUTDIR.

    \b
    Example:
      stito evaluate transfer --data cache/ --methods input,match,cma:features,oracle --cases 40 -o out/
      stito evaluate transfer --data cache/ --methods match,cma:features --at 0,1,5,30,120 --cases 12 -o curve/
    """
    if data is None and not smoke:
        raise click.UsageError("Give a cache of stems with --data, or try it out with --smoke.")
    from stito.audio import check_writable
    from stito.evaluation.encoders.study import DemoSongs, cache_material
    from stito.evaluation.plots import require
    from stito.evaluation.transfers.page import TransferOutcome, write_outcome, write_predictions
    from stito.evaluation.transfers.plan import TransferPlan, default_methods
    from stito.evaluation.transfers.run import evaluate_transfers
    from stito.evaluation.transfers.sources import CacheSource, DemoSource
    from stito.workflows.command import command_line

    if smoke:
        cases, seconds, evaluations = min(cases, 2), 2.0, 8
    plan = TransferPlan(
        cases=cases,
        seconds=seconds,
        evaluations=evaluations,
        methods=names_of(methods) or default_methods(),
        chain=chain,
        predictor=str(predictor) if predictor else "",
        prior=prior,
        simplify=simplify,
        evaluation_encoder=evaluation_encoder,
        seed=seed,
        data=cache_material(data, split)[1] if data else DemoSongs.sentence,
        mixed=mixed,
        strength=strength,
        multitrack=multitrack,
        separator=separator,
        at=_moments(at),
    )
    require()
    check_writable(outdir / "result.json", overwrite=True)
    outdir.mkdir(parents=True, exist_ok=True)
    tell = counting(len(dict.fromkeys(plan.methods)) * plan.cases)
    source = CacheSource(data.resolve(), split) if data else DemoSource()
    sounds = outdir.resolve() / "audio" if audio else None
    with executor_of(workers, scheduler, smoke=smoke) as executor:
        rows = evaluate_transfers(
            source, plan, log=outdir / "cases.jsonl", on_row=tell, executor=executor, audio=sounds
        )
    if sounds:
        write_predictions(sounds, rows)
    outcome = TransferOutcome(plan, rows)
    names = [
        "evaluations",
        "chain",
        "cases",
        "seconds",
        "prior",
        "simplify",
        "seed",
        "separator",
        "strength",
        "mixed",
        "multitrack",
    ]
    given = {"methods": ",".join(plan.methods), "data": data, "split": split if data else None}
    given |= {"at": ",".join(f"{moment:g}" for moment in plan.at) or None}
    given |= {name: getattr(plan, name) for name in names} | {"predictor": predictor}
    given |= {"evaluation-encoder": plan.evaluation_encoder}
    command = command_line("evaluate", "transfer", **given, smoke=smoke, o="out")
    write_outcome(outdir, outcome, command=command)
    click.echo(json.dumps(outcome.as_json(), indent=2) if as_json else outcome.text())


def _moments(at: str | None) -> tuple[float, ...]:
    try:
        return tuple(float(moment) for moment in at.split(",")) if at else ()
    except ValueError as error:
        raise click.BadParameter(f"{at} are no seconds. Write them as 0,1,5,30.", param_hint="--at") from error
