"""`stito evaluate undo`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from stito.cli.evaluated import counting, executor_of, names_of, print_outcome, study_options, workers_options
from stito.cli.options import simplify_option

__all__ = ["undo"]

METHODS = "input,match,ensemble,cma:features,cma:stem"


@click.command()
@click.option("--data", type=click.Path(path_type=Path), default=None, metavar="CACHE", help="A cache of stems.")
@click.option("--split", default="test", show_default=True, help="Which songs of the cache: train, valid, test.")
@click.option(
    "--methods",
    default=METHODS,
    show_default=True,
    metavar="A,B",
    help="As in `stito evaluate transfer`: input (does nothing), match, predict, neural, ensemble, and searches with "
    "their encoder and, if wanted, where they start: cma:stem*2+features, cma:features:match.",
)
@click.option(
    "--reference",
    "references",
    type=click.Choice(["itself", "another"]),
    multiple=True,
    default=("itself", "another"),
    show_default=True,
    help="The mix before it was damaged, and a good mix of another song.",
)
@click.option("--chain", default="mixing", show_default=True, help="What the methods set: a name or a .toml file.")
@click.option("--cases", type=int, default=40, show_default=True, help="Damaged mixes, the songs in turn.")
@click.option("--seconds", type=float, default=12.0, show_default=True, help="Length of a mix.")
@click.option("--severity", type=float, default=0.75, show_default=True, help="Of each fault, up to 1.")
@click.option("--faults", default=None, metavar="A,B", help="Which faults there may be.  [default: all]")
@click.option(
    "--evaluations", type=int, default=None, help="Candidates for each stem's search.  [default: as `stito transfer`]"
)
@click.option("--excerpts", type=click.IntRange(1), default=2, show_default=True, help="Rendered of every candidate.")
@simplify_option
@click.option(
    "--finder",
    default="stem",
    show_default=True,
    metavar="NAME|FILE",
    help="The encoder that predicts how severe faults are.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Same seed, same cases.")
@workers_options
@study_options(force=False)
def undo(
    data: Path | None,
    split: str,
    methods: str,
    references: tuple[str, ...],
    chain: str,
    cases: int,
    seconds: float,
    severity: float,
    faults: str | None,
    evaluations: int | None,
    excerpts: int,
    simplify: float | Literal["off"],
    finder: str,
    seed: int,
    workers: int | None,
    scheduler: str | None,
    outdir: Path,
    as_json: bool,
    smoke: bool,
) -> None:
    """Damage good mixes, and measure whether methods bring them back.

    One to three faults of `stito degrade` are done to the stems of each mix. A method is given these stems, and as its
    reference the undamaged mix or another good one. A mix has come back where its structured features are closer to the
    undamaged ones than before, and the faults that an encoder predicts are less severe. OUTDIR gets cases.jsonl, a row
    for each as soon as it is measured, report.html, tables.md and result.json. The same command goes on where it was
    interrupted.

    \b
    Example:
      stito evaluate undo --data cache/ --methods input,match,cma:features,cma:stem --cases 40 -o undo/
      stito evaluate undo --data cache/ --faults gain,shelf --severity 1 --evaluations 200 -o undo-tone/
    """
    if data is None and not smoke:
        raise click.UsageError("Give a cache of stems with --data, or try it out with --smoke.")
    from stito.audio import check_writable
    from stito.evaluation.plots import require
    from stito.evaluation.undo.cases import CachedMixes, ComposedMixes, Source
    from stito.evaluation.undo.outcome import UndoOutcome, write_outcome
    from stito.evaluation.undo.plan import UndoPlan
    from stito.evaluation.undo.run import evaluate_undo
    from stito.workflows.command import command_line

    if smoke:
        cases, seconds, evaluations, excerpts = min(cases, 2), 2.0, 8, 1
    source: Source = CachedMixes(data.resolve(), split) if data else ComposedMixes()
    plan = UndoPlan(
        finder=finder,
        methods=names_of(methods),
        cases=cases,
        seconds=seconds,
        severity=severity,
        faults=names_of(faults),
        evaluations=evaluations,
        excerpts=excerpts,
        chain=chain,
        simplify=simplify,
        references=tuple(dict.fromkeys(references)),
        seed=seed,
        data=source.sentence,
    )
    require()
    check_writable(outdir / "result.json", overwrite=True)
    outdir.mkdir(parents=True, exist_ok=True)
    tell = counting(len(dict.fromkeys(plan.methods)) * len(plan.references) * plan.cases)
    with executor_of(workers, scheduler, smoke=smoke) as executor:
        rows = evaluate_undo(source, plan, log=outdir / "cases.jsonl", on_row=tell, executor=executor)
    outcome = UndoOutcome(plan, rows)
    given: dict[str, object] = {"data": data, "split": split if data else None, "methods": ",".join(plan.methods)}
    given |= {"reference": plan.references, "faults": ",".join(plan.faults) or None}
    names = ["evaluations", "excerpts", "chain", "cases", "seconds", "severity", "simplify", "finder", "seed"]
    given |= {name: getattr(plan, name) for name in names}
    write_outcome(outdir, outcome, command=command_line("evaluate", "undo", **given, smoke=smoke, o="out"))
    print_outcome(outcome, as_json=as_json)
