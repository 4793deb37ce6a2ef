"""All methods on all cases: in this process, in several, or on a cluster, always with the same rows.

A job is one method on one case, and works on one core: so a case comes out the same wherever it is run, and as many
jobs run side by side as there are cores.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path

from stito.effects.chain_files import load_chain
from stito.evaluation.jobs import check_plan, fingerprint, on_one_core, run_jobs
from stito.evaluation.transfers.cases import Case, draw_transfer
from stito.evaluation.transfers.methods import ask, ask_again, audio_file, measure, warm_up
from stito.evaluation.transfers.plan import TransferPlan
from stito.evaluation.transfers.rows import Log, Row
from stito.evaluation.transfers.sources import Source, opened
from stito.files.locks import sole_writer
from stito.models.encoder import Encoder
from stito.models.loading import load_encoder

__all__ = ["evaluate_transfers"]


def evaluate_transfers(
    source: Source,
    plan: TransferPlan,
    *,
    log: Path | None = None,
    on_row: Callable[[Row], None] | None = None,
    executor: Executor | None = None,
    audio: Path | None = None,
) -> list[Row]:
    """Every method on every case, in the order of the cases.

    Args:
        source: what the cases are drawn from.
        plan: what is run.
        log: a file of JSON lines. Each row is written there as soon as it is measured, and rows that are there already
            are not computed again: an interrupted evaluation goes on where it stopped.
        on_row: called with each row as it comes.
        executor: where jobs run, see `stito.compute.workers`; here, one after the other, without one.
        audio: a folder for what every method made of every case, beside the truth, as `stito listen build` takes it.

    Returns:
        A row for each case and method, the methods of a case in the plan's order.

    Raises:
        OutputError: the log is of another evaluation, or another process is writing it.
        StitoError: of the first job that fails; rows that were measured by then are in the log.
    """
    with sole_writer(log.parent) if log else nullcontext():
        return _evaluated(source, plan, log, on_row, executor, audio)


def _evaluated(
    source: Source,
    plan: TransferPlan,
    log: Path | None,
    on_row: Callable[[Row], None] | None,
    executor: Executor | None,
    audio: Path | None,
) -> list[Row]:
    digests = {method: ask(method).digest for method in dict.fromkeys(plan.methods)}
    kept, expected = Log(log, plan), fingerprint(plan)
    done = {(row.case, row.method): row for row in kept.rows if row.digest == digests.get(row.method)}
    if audio:  # rows whose sound is missing are made again
        done = {at: row for at, row in done.items() if audio_file(audio, row.case, row.stem, row.method).is_file()}
    wanted = [(number, method) for number in range(plan.cases) for method in digests]
    for place in wanted:
        if place in done and on_row:
            on_row(done[place])
    todo = [(source, plan, audio, *at, digests[at[1]], expected) for at in wanted if at not in done]
    for row in run_jobs(_job, todo, executor):
        kept.add(row)
        done[row.case, row.method] = row
        if on_row:
            on_row(row)
    return [done[place] for place in wanted]


def _job(
    source: Source, plan: TransferPlan, audio: Path | None, number: int, method: str, digest: str, expected: str
) -> Row:
    check_plan(plan, expected)
    with on_one_core():
        chain, evaluation_encoder = load_chain(plan.chain), _evaluation_encoder(plan.evaluation_encoder)
        if plan.at:
            _warmed_up(source, plan, method, digest)
        return measure(_case(source, plan, number), ask_again(method, digest), chain, evaluation_encoder, plan, audio)


@lru_cache(maxsize=64)
def _warmed_up(source: Source, plan: TransferPlan, method: str, digest: str) -> None:
    """Once for each method in each process."""
    warm_up(_case(source, plan, 0), ask_again(method, digest), load_chain(plan.chain), plan)


@lru_cache(maxsize=2)
def _evaluation_encoder(name: str) -> Encoder:
    return load_encoder(name)


@lru_cache(maxsize=2)
def _case(source: Source, plan: TransferPlan, number: int) -> Case:
    """A case, drawn once for the methods that a process runs on it one after the other."""
    material, manipulator = opened(source)
    return draw_transfer(material, manipulator, plan, number)
