"""Transfers: from files or mixes to a result, one or many, and from files to a folder."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import ParamSpec, Protocol

from stito.audio import keep_inputs, write_atomic
from stito.compute.cores import undivided
from stito.compute.phases import Phases, phase, recording
from stito.effects.aspects import Amount
from stito.effects.chain_files import load_chain
from stito.engine.finish import finish
from stito.engine.options import AUTO, NONE, TransferOptions
from stito.engine.render import limiting_note
from stito.engine.result import OnStep, Progress, Solved
from stito.engine.solve import Task, prepare, solve
from stito.errors import StitoError
from stito.files.locks import sole_writer
from stito.mix import Mix
from stito.report.build import Sources
from stito.workflows.command import command_line
from stito.workflows.findings import findings_of
from stito.workflows.folder import NAMES, recorded_files, remove_earlier, write_audio_files
from stito.workflows.folder import prepare as prepare_folder
from stito.workflows.result import TransferResult, files_of, write_results
from stito.workflows.sources import Source, in_stereo, read_pair

__all__ = ["Transfer", "run_transfer", "transfer", "transfer_files"]

Options = ParamSpec("Options")

OnError = Callable[[Source, Source, StitoError], None]
"""Called with the input, the reference and the error of a transfer that failed."""

TYPED = (
    "method",
    "encoder",
    "chain",
    "master",
    "stem",
    "separator",
    "channels",
    "init",
    "patience",
    "predictor",
    "seed",
    "amount",
    "loudness",
    "ceiling",
    "simplify",
)
"""Options of a transfer that the command line has under the same names."""


@dataclass(frozen=True, kw_only=True)
class Transfer(TransferOptions):
    """A way to make transfers, ready for many: encoders and networks are loaded once.

    >>> engine = Transfer(method="ensemble")
    >>> for number, result in enumerate(engine.run_many([("a/", "ref/"), ("b/", "ref/")])):  # doctest: +SKIP
    ...     result.save(f"out/{number}")

    The arguments are those of `TransferOptions`, and `on_step`, which is called after every generation of a search and
    before every rendering.
    """

    on_step: OnStep | None = field(default=None, compare=False, repr=False)

    def run(self, mix: Source, reference: Source) -> TransferResult:
        """Make `mix` sound like `reference`.

        Args:
            mix: what to change: a `Mix`, an audio file, or a folder of stems.
            reference: what it should sound like; its content may differ.

        Raises:
            StitoError: for anything that a person can mend, with a hint. Ctrl-C during a search is not an error: the
                best so far is applied.
        """
        with undivided(), recording(self._begin) as phases:
            mix, reference = self.read(mix, reference)
            task = prepare(mix, reference, self)
            solved = solve(task, on_step=self.on_step)
            return self.finish(task, mix, solved, Sources(mix, reference), phases)

    def run_many(
        self, pairs: Iterable[tuple[Source, Source]], *, on_error: OnError | None = None
    ) -> Iterator[TransferResult]:
        """Each pair of input and reference in turn; after Ctrl-C in one of them, its result is the last.

        Args:
            pairs: inputs and references.
            on_error: called with the input, the reference and the error of a pair that fails; the others go on, and
                that pair has no result. Without it the first error is raised.
        """
        for mix, reference in pairs:
            try:
                result = self.run(mix, reference)
            except StitoError as error:
                if on_error is None:
                    raise
                on_error(mix, reference, error)
                continue
            yield result
            if result.solved.interrupted:
                return

    def solve(self, mix: Source, reference: Source) -> Solved:
        """Find the settings, and render nothing at length."""
        with undivided():
            return solve(prepare(*self.read(mix, reference), self), on_step=self.on_step)

    def read(self, mix: Source, reference: Source) -> tuple[Mix, Mix]:
        """Input and reference, separated if these options name a separator."""
        self.check_chains()  # an error now, not after a separation
        also = self.further_references
        read = read_pair(mix, reference, also=also, stem=self.stem, separator=self.separator, on_step=self.on_step)
        return in_stereo(*read) if self.channels == AUTO else read

    def check_chains(self) -> None:
        """A `StitoError` if a chain that is named is not there, or has no knob left to turn."""
        for chain in (self.chain, self.master):
            if chain not in (None, AUTO, NONE):
                load_chain(chain).keeping(self.kept)

    def command(self, source: Path, reference: Path) -> str:
        """The command line that makes a transfer again: every option of it that was given."""
        given = {name: getattr(self, name) for name in TYPED if getattr(self, name) != _DEFAULTS[name]}
        given |= {"keep": ",".join(self.kept) or None}
        also = [f"{one}:{weight:g}" for one, weight in self.further_references if isinstance(one, str | Path)]
        given = {name: value for name, value in given.items() if isinstance(value, str | Path | int | float | Amount)}
        spent = {"evaluations": self.budget.evaluations, "seconds": self.budget.seconds} if self.budget else {}
        return command_line("transfer", str(source), str(reference), o="out", **{"and": also}, **given, **spent)

    @property
    def further_paths(self) -> list[Path]:
        """Where the references beside the first are, as far as they are files."""
        return [Path(one) for one, _ in self.further_references if isinstance(one, str | Path)]

    def finish(
        self,
        task: Task,
        mix: Mix,
        solved: Solved,
        sources: Sources,
        phases: Phases,
        command: str = "",
        source: str = "",
    ) -> TransferResult:
        """The second half: render at length, and measure what came of it."""
        started = time.perf_counter()
        finished = finish(task, mix, solved, on_step=self.on_step)
        settled = finished.settled
        return TransferResult(
            settled.preset,
            settled.rendered,
            finished.solved,
            (*finished.solved.notes, *limiting_note(settled.rendered)),
            time.perf_counter() - started,
            sources=sources,
            layout=mix.layout,
            command=command,
            input=source,
            phases=phases,
            findings=findings_of(mix, settled.rendered, task.context.encoder),
        )

    def _begin(self, phase: str, subject: str) -> None:
        """Tell of a phase that tells nothing itself."""
        if self.on_step and phase not in TELLING:
            self.on_step(Progress(phase, subject, 0, 1))


TELLING = ("separate", "search", "render")
"""Phases that say themselves how far they are."""

_DEFAULTS = {option.name: option.default for option in fields(TransferOptions)}


class _Call(Protocol[Options]):
    """A function of input, reference and options."""

    def __call__(
        self, mix: Source, reference: Source, *args: Options.args, **options: Options.kwargs
    ) -> TransferResult: ...


def _one_call(make: Callable[Options, Transfer]) -> _Call[Options]:
    """A function with the options of `Transfer` behind input and reference: they are listed in one place."""

    def transfer(mix: Source, reference: Source, *args: Options.args, **options: Options.kwargs) -> TransferResult:
        return make(*args, **options).run(mix, reference)

    taken = inspect.signature(Transfer).parameters.values()
    places = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("mix", "reference")]
    transfer.__signature__ = inspect.Signature([*places, *taken])  # type: ignore[attr-defined]
    transfer.__doc__ = f"""Make `mix` sound like `reference`: `Transfer(...).run(mix, reference)`.

    {inspect.cleandoc(Transfer.run.__doc__ or "").split(chr(10), 2)[2].replace(chr(10), chr(10) + "    ")}

    Options: {", ".join(option.name for option in fields(Transfer))}; see `TransferOptions`.
    """
    return transfer


transfer = _one_call(Transfer)


def run_transfer(
    engine: Transfer, source: Path, reference: Path, outdir: Path, *, force: bool = False
) -> TransferResult:
    """A transfer from files to a folder: a long song's audio is not held longer than it is needed.

    The settings are written before the long rendering, and every file appears whole or not at all: a full disk or
    Ctrl-C loses nothing that was found.
    """
    keep_inputs([outdir / name for name in NAMES], source, reference, *engine.further_paths)
    prepare_folder(outdir, force=force)
    with sole_writer(outdir, traceless=True):
        return transfer_files(engine, source, reference, outdir)


def transfer_files(
    engine: Transfer, source: Path, reference: Path, outdir: Path, *, reader: Transfer | None = None
) -> TransferResult:
    """The transfer of `run_transfer`, into a folder that is there and that nobody else writes to.

    `reader` reads the files: the same engine, but with its separator loaded.
    """
    with undivided(), recording(engine._begin) as phases:
        mix, target = (reader or engine).read(source, reference)
        task = prepare(mix, target, engine)
        sources = Sources(mix, target).measured()
        del target
        solved = solve(task, on_step=engine.on_step)
        write_atomic(outdir / "preset.json", solved.preset.to_json(), overwrite=True)
        try:
            command = engine.command(source, reference)
            result = engine.finish(task, mix, solved, sources, phases, command, str(source.absolute()))
            del mix, task
            with phase("write"):
                remove_earlier(outdir, recorded_files(outdir), files_of(result))
                write_audio_files(result.rendered, result.layout, outdir)
        except KeyboardInterrupt:
            again = command_line(
                "apply", str(outdir / "preset.json"), str(source), o=outdir, force=True, stem=engine.stem
            )
            raise StitoError(
                f"Interrupted while rendering. The settings are safe in {outdir / 'preset.json'}.",
                hint=f"Render them{' on separated stems' if engine.separator != 'none' else ''} with: {again}",
            ) from None
        write_results(result, outdir)
    return result
