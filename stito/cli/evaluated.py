"""What evaluations share on the command line: which encoders, where a study goes, and how it is told."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from stito.cli.options import together

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from stito.evaluation.folder import Tabled
    from stito.models.encoder import Encoder

__all__ = [
    "counting",
    "encoders_option",
    "executor_of",
    "load_encoders",
    "names_of",
    "print_outcome",
    "say",
    "study_options",
    "workers_options",
]

Command = TypeVar("Command", bound=Callable[..., Any])

say = partial(click.echo, err=True)
"""Tells on stderr how far a study is."""

encoders_option = click.option(
    "--encoder",
    "encoders",
    multiple=True,
    default=("features",),
    show_default=True,
    help="What is evaluated: a name, a file of weights, or several joined by +; may be given several times.",
)


def load_encoders(names: Sequence[str]) -> dict[str, Encoder]:
    """The encoders by label; two of one label are an error."""
    from stito.models.loading import label_of, load_encoder

    loaded = {label_of(name): load_encoder(name) for name in names}
    if len(loaded) < len(names):
        raise click.UsageError("Two encoders have one name: rename a file.")
    return loaded


def study_options(
    *, force: bool = True, smoke: str = "A little of everything, on songs that stito composes."
) -> Callable[[Command], Command]:
    """Where a study goes, and how: the last options of each."""
    options: list[Callable[[Command], Command]] = [
        click.option("-o", "--output", "outdir", metavar="OUTDIR", required=True, type=click.Path(path_type=Path)),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        *([click.option("--force", is_flag=True, help="Overwrite what is in OUTDIR.")] if force else []),
        click.option("--smoke", is_flag=True, help=smoke),
    ]
    return together(options)


def workers_options(command: Command) -> Command:
    """Where the jobs of an evaluation run."""
    options = [
        click.option("--workers", type=int, default=None, help="Processes side by side.  [default: as many as cores]"),
        click.option(
            "--scheduler", default=None, metavar="ADDRESS", help="Run on the workers of a dask scheduler instead."
        ),
    ]
    return together(options)(command)


def executor_of(workers: int | None, scheduler: str | None, *, smoke: bool) -> AbstractContextManager[Executor | None]:
    """What these options name; with `smoke` this process alone, unless they say otherwise."""
    from stito.compute.workers import cluster, local_workers

    if scheduler:
        return cluster(scheduler)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return local_workers(workers if workers is not None else 1 if smoke else cores)


def names_of(text: str | None) -> tuple[str, ...]:
    """What stands between commas; nothing of nothing."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def counting(count: int) -> Callable[[object], None]:
    """Tells on stderr of each row which one of so many it is."""
    done = itertools.count(1)
    return lambda row: say(f"{next(done)} of {count}: {row}")


def print_outcome(outcome: Tabled, *, as_json: bool) -> None:
    """The answer on stdout: tables, and what they were made of."""
    if as_json:
        click.echo(json.dumps(outcome.as_json(), indent=2))
        return
    click.echo("\n\n".join([*(table.text() for table in outcome.tables()), f"Data: {outcome.data}"]))
