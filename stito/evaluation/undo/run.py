"""All methods on all cases with all references: here, in several processes, or on a cluster, with the same rows."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path

from stito.evaluation.jobs import check_plan, fingerprint, on_one_core, run_jobs
from stito.evaluation.transfers.methods import ask, ask_again
from stito.evaluation.undo.cases import Source, UndoCase, draw_case, opened
from stito.evaluation.undo.plan import UndoPlan
from stito.evaluation.undo.rows import Row, UndoLog
from stito.evaluation.undo.trial import try_method
from stito.files.locks import sole_writer

__all__ = ["evaluate_undo"]


def evaluate_undo(
    source: Source,
    plan: UndoPlan,
    *,
    log: Path | None = None,
    on_row: Callable[[Row], None] | None = None,
    executor: Executor | None = None,
) -> list[Row]:
    """Every method on every case with every reference, in the order of the cases.

    Args:
        source: what the cases are drawn from.
        plan: what is run.
        log: a file of JSON lines: an interrupted evaluation goes on with what is not there yet.
        on_row: called with each row as it comes.
        executor: where jobs run, see `stito.compute.workers`; here, one after the other, without one.

    Raises:
        OutputError: the log is of another evaluation, or another process is writing it.
        StitoError: of the first job that fails; rows that were measured by then are in the log.
    """
    with sole_writer(log.parent) if log else nullcontext():
        digests = {method: ask(method).digest for method in dict.fromkeys(plan.methods)}
        kept, expected = UndoLog(log, plan), fingerprint(plan)
        wanted = [
            (number, reference, method)
            for number in range(plan.cases)
            for reference in plan.references
            for method in digests
        ]
        rows = {_place(row): row for row in kept.rows if row.digest == digests.get(row.method)}
        for at in wanted:
            if at in rows and on_row:
                on_row(rows[at])
        todo = [(source, plan, *at, digests[at[2]], expected) for at in wanted if at not in rows]
        for row in run_jobs(_job, todo, executor):
            kept.add(row)
            rows[_place(row)] = row
            if on_row:
                on_row(row)
        return [rows[at] for at in wanted]


def _place(row: Row) -> tuple[int, str, str]:
    return row.case, row.reference, row.method


def _job(source: Source, plan: UndoPlan, number: int, reference: str, method: str, digest: str, expected: str) -> Row:
    check_plan(plan, expected)
    with on_one_core():
        case, asked = _case(source, plan, number), ask_again(method, digest)
        return try_method(case, reference, asked, plan.fault_finder(), plan)


@lru_cache(maxsize=2)
def _case(source: Source, plan: UndoPlan, number: int) -> UndoCase:
    """A case, drawn once for the methods that a process runs on it one after the other."""
    return draw_case(opened(source), plan, number)
