"""Many transfers into one folder: in processes of this machine or on a cluster, each whole or not at all."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, as_completed, wait
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch

from stito.audio import check_writable, keep_inputs
from stito.compute.processes import processes
from stito.errors import OutputError, OutputExistsError, SettingsError, StitoError
from stito.files.locks import sole_writer
from stito.workflows.batch_job import BatchRow, aside, failed_row, is_ours, kept_row, make_pair
from stito.workflows.batch_pairs import BatchPair
from stito.workflows.batch_summary import write_summary
from stito.workflows.folder import NAMES

__all__ = ["BatchProgress", "OnPair", "run_batch"]

Work = Callable[[BatchPair], BatchRow]


@dataclass(frozen=True)
class BatchProgress:
    """Where a batch stands: the pair that was begun or ended, and how many are finished.

    `state` is `kept` once, before anything begins, if pairs were done already. `seconds_left` is None until there is
    something to tell it by.
    """

    state: Literal["kept", "begun", "done", "failed"]
    finished: int
    count: int
    name: str = ""
    row: BatchRow | None = None
    seconds_left: float | None = None


OnPair = Callable[[BatchProgress], None]
"""Called when a pair is begun, where that can be told, and when it is finished."""


def run_batch(
    pairs: Sequence[BatchPair],
    outdir: Path,
    *,
    workers: int = 1,
    executor: Executor | None = None,
    force: bool = False,
    on_pair: OnPair | None = None,
) -> list[BatchRow]:
    """Every pair into `outdir/<name>`, as `stito transfer` writes it, and summary.csv and index.html of them all.

    A pair that is done already is kept: its folder is whole, and of the same inputs, options and version. An error in
    one pair, or the death of a process, is that pair's row, and the others go on.

    Args:
        pairs: what is made.
        outdir: the folder; of what is in it only results of these pairs are replaced.
        workers: processes side by side, in each of which encoders and networks are loaded once.
        executor: where pairs are made instead, see `stito.compute.workers.cluster`; paths are the same there.
        force: keep nothing, and replace results of other commands too.
        on_pair: is told how it goes.

    Returns:
        A row for each pair, in their order.

    Raises:
        SettingsError: no workers.
        OutputError, OutputExistsError: results cannot be written there; nothing was begun then.
    """
    if workers < 1:
        raise SettingsError(f"{workers} workers cannot do anything.", hint="Give 1 or more.")
    if outdir.exists() and not outdir.is_dir():
        raise OutputError(f"{outdir} is a file, not a folder.", hint="Name a folder for the results with -o.")
    check_writable(outdir)
    with sole_writer(outdir, traceless=True):
        for pair in pairs:
            _check_folder(pair, outdir, force=force)
        aside(outdir)
        try:
            return _run(pairs, outdir, workers, executor, force, on_pair or (lambda _: None))
        finally:
            if executor is None:  # workers of a cluster may still be at it
                aside(outdir)


def _run(
    pairs: Sequence[BatchPair], outdir: Path, workers: int, executor: Executor | None, force: bool, tell: OnPair
) -> list[BatchRow]:
    kept = {} if force else {pair.name: row for pair in pairs if (row := kept_row(pair, outdir))}
    rows = dict(kept)
    todo = [pair for pair in pairs if pair.name not in rows]
    started = time.monotonic()
    if kept:
        tell(BatchProgress("kept", len(kept), len(pairs)))

    def begun(pair: BatchPair) -> None:
        tell(BatchProgress("begun", len(rows), len(pairs), pair.name, seconds_left=left()))

    def left() -> float | None:
        made = len(rows) - len(kept)
        return (time.monotonic() - started) / made * (len(pairs) - len(rows)) if made else None

    def write() -> None:
        write_summary(outdir, [rows[pair.name] for pair in pairs if pair.name in rows], len(pairs))

    write()
    if executor:
        made = _on_cluster(todo, partial(make_pair, outdir=outdir), executor)
    else:
        cores = max(1, torch.get_num_threads() // workers)
        made = _side_by_side(todo, partial(make_pair, outdir=outdir, cores=cores), workers, begun)
    with closing(made):
        for row in made:
            rows[row.name] = row
            write()
            tell(BatchProgress(row.status, len(rows), len(pairs), row.name, row, left()))
    return [rows[pair.name] for pair in pairs]


def _check_folder(pair: BatchPair, outdir: Path, *, force: bool) -> None:
    """Fail now, not after long work, if a pair's results would replace what is not theirs."""
    folder = outdir / pair.name
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file, not a folder.", hint="Move it away, or name another folder with -o.")
    keep_inputs([folder / name for name in NAMES], pair.input, pair.reference, *pair.engine.further_paths)
    if not force and not is_ours(pair, outdir):
        raise OutputExistsError(
            f"{folder} already holds results that no batch made.",
            hint="Name another folder, or overwrite with --force.",
        )


def _side_by_side(
    pairs: Iterable[BatchPair], work: Work, workers: int, begun: Callable[[BatchPair], None]
) -> Generator[BatchRow, None, None]:
    """The rows as they are made, by that many processes.

    If one dies, all that were under way are made again, each alone, so that it is known which one it was.
    """
    waiting, doubtful = deque(pairs), list[BatchPair]()
    while waiting:
        under_way: dict[Future[BatchRow], BatchPair] = {}
        with processes(min(workers, len(waiting))) as pool:
            broken = False
            while not broken and (waiting or under_way):
                while waiting and len(under_way) < workers:
                    try:
                        under_way[pool.submit(work, waiting[0])] = waiting[0]
                    except BrokenExecutor:
                        broken = True
                        break
                    begun(waiting.popleft())
                for ended in wait(under_way, return_when=FIRST_COMPLETED).done:
                    if isinstance(ended.exception(), BrokenExecutor):
                        broken = True
                        continue
                    del under_way[ended]
                    yield ended.result()
            doubtful += under_way.values()
    for pair in doubtful:
        yield _alone(pair, work)


def _alone(pair: BatchPair, work: Work) -> BatchRow:
    with processes(1) as pool:
        try:
            return pool.submit(work, pair).result()
        except BrokenExecutor:
            error = StitoError("The process died, perhaps for want of memory.", hint="Use fewer --workers, if several.")
            return failed_row(pair, error)


def _on_cluster(pairs: Iterable[BatchPair], work: Work, executor: Executor) -> Generator[BatchRow, None, None]:
    """The rows as they are made, by the workers of a cluster."""
    jobs = {executor.submit(work, pair): pair for pair in pairs}
    try:
        for job in as_completed(jobs):
            try:
                row = job.result()
            except CancelledError:  # the scheduler is gone
                raise
            except Exception as error:  # the pair was lost with several workers
                row = failed_row(jobs[job], error)
            yield row
    finally:
        for job in jobs:
            job.cancel()
