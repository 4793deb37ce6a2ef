"""`stito evaluate transfer`."""

from __future__ import annotations

import json
from pathlib import Path

import click

__all__ = ["transfer"]


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, metavar="CACHE", help="A cache of stems.")
@click.option("--split", default="valid", show_default=True, help="Which songs of the cache: train, valid, test.")
@click.option(
    "--methods",
    default=None,
    metavar="A,B",
    help="input, level, match, predict, neural, oracle, searches with their encoder: cma:fxencoder, gradient:FILE.  "
    "[default: all of these with cma]",
)
@click.option("--chain", default="mixing", show_default=True, help="What the searches set: a name or a .toml file.")
@click.option("--cases", type=int, default=40, show_default=True, help="Transfers, over the kinds of stems in turn.")
@click.option("--seconds", type=float, default=12.0, show_default=True, help="Length of input and reference.")
@click.option("--evaluations", type=int, default=300, show_default=True, help="Candidates per search.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same cases.")
@click.option("--mixed", is_flag=True, help="Inputs arrive with random effects of their own, and not FX-normalised.")
@click.option("-o", "--output", "outdir", metavar="OUTDIR", required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def transfer(
    data: Path,
    split: str,
    methods: str | None,
    chain: str,
    cases: int,
    seconds: float,
    evaluations: int,
    seed: int,
    mixed: bool,
    outdir: Path,
    as_json: bool,
) -> None:
    """Measure transfers whose truth is known: how far is the result from what the effects make of the input?

    Prints Table 2 of Koo et al. (2022) for these methods. OUTDIR gets cases.jsonl, a row for each case and method as
    soon as it is known, and result.json; the same command goes on where it was interrupted.

    \b
    Example:
      stito evaluate transfer --data cache/ --methods input,match,cma:features,oracle --cases 40 -o out/
    """
    from stito.audio import check_writable, write_atomic
    from stito.chains import load_chain
    from stito.data.manipulate import Manipulator
    from stito.evaluation.study import cache_material
    from stito.evaluation.transfer import METHODS, TransferPlan, evaluate_transfers, summarise, table

    wanted = tuple(methods.split(",")) if methods else METHODS
    material, sentence = cache_material(data, split)
    plan = TransferPlan(cases, seconds, evaluations, wanted, chain, seed=seed, data=sentence, mixed=mixed)
    check_writable(outdir / "result.json", overwrite=True)
    outdir.mkdir(parents=True, exist_ok=True)
    rows = evaluate_transfers(
        material,
        Manipulator(),
        plan,
        chain=load_chain(chain),
        log=outdir / "cases.jsonl",
        on_row=lambda row: click.echo(
            f"case {row.case + 1} of {cases}, {row.stem}: {row.method} {row.left_right:.3f} {row.mid_side:.3f}",
            err=True,
        ),
    )
    summary = summarise(rows)
    text = json.dumps({"data": sentence, "summary": summary}, indent=2)
    write_atomic(outdir / "result.json", text + "\n", overwrite=True)
    click.echo(text if as_json else f"{sentence}\n{table(summary)}")
