"""The result of a transfer: what it shows in a notebook, and what it leaves in a folder."""

from __future__ import annotations

import html
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stito.audio import write_atomic
from stito.compute.phases import Phases, phase
from stito.console.words import as_document, as_text
from stito.engine.result import Outcome
from stito.errors import MissingDependencyError
from stito.exporters.scripts import scripts_of
from stito.mix import Layout
from stito.report.audio import player
from stito.report.build import Sources, build_report, words_in
from stito.report.data import Findings, ReportData
from stito.report.html import write_report
from stito.terminal import text_table
from stito.workflows.folder import (
    AUDIO,
    NAMES,
    RESULT,
    audio_files,
    prepare,
    recorded_files,
    remove_earlier,
    write_audio_files,
)

if TYPE_CHECKING:
    import pandas

__all__ = [
    "TransferResult",
    "files_of",
    "phases_table",
    "result_json",
    "summary",
    "write_results",
]


@dataclass(frozen=True, eq=False, repr=False)
class TransferResult(Outcome):
    """A finished transfer: settings, audio, and how they were found.

    >>> result.settings["drums"]["compressor"]["ratio"]  # doctest: +SKIP
    3.2
    >>> result.save("out/")  # doctest: +SKIP

    Attributes:
        sources: input and reference as the report shows them.
        layout: how the input came, and goes back out.
        command: the command line that makes it again, "" for one from Python.
        input: the path of the input, "" for arrays.
        phases: what the time was spent on.
        findings: what can be said of input and result in plain words.
    """

    sources: Sources = field(kw_only=True)
    layout: Layout = field(kw_only=True)
    command: str = field(default="", kw_only=True)
    input: str = field(default="", kw_only=True)
    phases: Phases = field(default_factory=Phases, kw_only=True)
    findings: Findings = field(default=Findings(), kw_only=True)

    def save(self, folder: str | Path, *, force: bool = False) -> Path:
        """Write mix.wav, stems/, preset.json, preset.csv, result.json and report.html, as the command line does.

        Args:
            folder: is made if need be.
            force: overwrite what is there.

        Returns:
            The folder.

        Raises:
            OutputError, OutputExistsError: it cannot be written there.
        """
        folder = Path(folder)
        prepare(folder, force=force)
        remove_earlier(folder, recorded_files(folder), files_of(self))
        write_audio_files(self.rendered, self.layout, folder)
        write_results(self, folder)
        return folder

    def to_dataframe(self) -> pandas.DataFrame:
        """A row for each knob, with the columns of `preset.csv`. `MissingDependencyError` without pandas."""
        try:
            import pandas
        except ImportError as error:
            raise MissingDependencyError("A data frame needs pandas.", hint="pip install pandas") from error
        return pandas.DataFrame(self.preset.rows(), columns=list(self.preset.COLUMNS))

    def explain(self) -> str:
        """What was done, in words, stem by stem: what `stito explain` prints."""
        return as_text(words_in(self.sources, self), self.preset)

    def report(self) -> ReportData:
        """What the report shows."""
        with phase("report"):
            return build_report(self.command, self.sources, self, self.findings)

    def __repr__(self) -> str:
        found = "; ".join(repr(solution) for solution in self.solutions.values())
        seconds = self.audio.shape[-1] / self.sample_rate
        return f"TransferResult({len(self.stems)} stems, {seconds:.1f} s at {self.sample_rate} Hz; {found})"

    def _repr_html_(self) -> str:
        """Players of input, result and reference, and the settings: what a notebook shows."""
        report = self.report()
        players = "".join(
            f"<tr><td>{html.escape(clip.voice)}</td><td>{player(clip)}</td></tr>" for clip in report.rows[0].players
        )
        header = "".join(f"<th>{column}</th>" for column in self.preset.COLUMNS)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_cell(value))}</td>" for value in row) + "</tr>"
            for row in self.preset.rows()
        )
        return (
            f"<p>{html.escape(repr(self))}</p><table>{players}</table>"
            f"<details><summary>Settings</summary><table><tr>{header}</tr>{rows}</table></details>"
        )


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def write_results(result: TransferResult, folder: Path) -> None:
    """Everything but the audio."""
    write_atomic(folder / "preset.json", result.preset.to_json(), overwrite=True)
    write_atomic(folder / "preset.csv", result.preset.to_csv(), overwrite=True)
    for name, text in _scripts(result).items():
        write_atomic(folder / name, text, overwrite=True)
    data = result.report()
    with phase("report"):
        write_report(folder / "report.html", data)
    write_atomic(folder / RESULT, json.dumps(result_json(result, data), indent=2) + "\n", overwrite=True)


def phases_table(phases: Phases) -> str:
    """What the time was spent on, in the order of the work."""
    rows = [(name, f"{spent.seconds:.1f}", f"{spent.cpu_seconds:.1f}") for name, spent in phases.spent.items()]
    return text_table(("phase", "seconds", "CPU seconds"), rows)


def files_of(result: TransferResult) -> list[str]:
    """The names of all files of a result, as they are in its folder."""
    documents = [name for name in NAMES if name not in AUDIO]
    return [*audio_files(result.layout, result.rendered.stems), *documents, *_scripts(result)]


def _scripts(result: Outcome) -> dict[str, str]:
    """`<stem>.<host>.py` for each stem whose effects all come from one host that offers to write such a script."""
    return {f"{stem}.{host}.py": text for (stem, host), text in scripts_of(result.preset).items()}


def result_json(result: TransferResult, data: ReportData) -> dict[str, Any]:
    """What `result.json` holds: losses, metrics and levels, per search and per stem."""
    provenance, master = result.preset.provenance, result.preset.master
    return {
        "format": "stito.result",
        "version": 1,
        "method": provenance.method if provenance else "",
        "encoder": provenance.encoder if provenance else "",
        "seed": provenance.seed if provenance else 0,
        "input": result.input,
        "references": [
            {"name": name, "weight": weight} for name, weight in (provenance.references if provenance else ())
        ],
        "interrupted": result.solved.interrupted,
        "output_gain_db": result.rendered.output_gain_db,
        "true_peak_dbtp": result.rendered.true_peak_db,
        "loudness_lufs": result.rendered.levels["mix"].integrated_lufs,
        "asked": asdict(result.rendered.delivery),
        "master": None if master is None else {"settings": master.build()[1], "fader_db": master.fader_db},
        "searches": {
            name: {
                "loss_before": found.loss_before,
                "loss_after": found.loss_after,
                "reduction_percent": found.reduction,
                "evaluations": found.evaluations,
                "seconds": round(found.seconds, 3),
                "stop": found.stop,
                "same_performance": found.same_performance,
            }
            for name, found in result.solutions.items()
        },
        "stems": {
            row.name: {
                metric.name: {"input": metric.input, "result": metric.result, "reference": metric.reference}
                for metric in row.metrics
            }
            for row in data.rows
        },
        "words": as_document(data.words),
        "moves": _moves(result),
        "notes": list(result.notes),
        "findings": asdict(result.findings),
        "files": files_of(result),
        "phases": {
            name: {"seconds": round(spent.seconds, 3), "cpu_seconds": round(spent.cpu_seconds, 3)}
            for name, spent in result.phases.spent.items()
        },
    }


def _moves(result: TransferResult) -> dict[str, Any]:
    """By strip, how many knobs are off neutral, and by effect whether it is bypassed, its moves, and what it is worth.

    That is how far the distance to the reference rises where the effect is taken back; null where it was not measured.
    """
    worth = {stem: effects for found in result.solutions.values() for stem, effects in found.worth.items()}
    found = {}
    for name, strip in result.preset.strips().items():
        chain, settings = strip.build()
        moves, worths = chain.moves(settings), worth.get(name, {})
        effects = {
            slot.label: {"bypass": slot.bypass, "moves": moves[slot.label], "worth": worths.get(slot.label)}
            for slot in chain.slots
        }
        found[name] = {"moves": sum(moves.values()), "effects": effects}
    return found


def summary(result: TransferResult, outdir: Path, *, as_json: bool = False) -> str:
    """The answer on stdout: a few lines, or the JSON of `result.json`."""
    if as_json:
        return (outdir / RESULT).read_text(encoding="utf-8").rstrip()
    lines = []
    for name, found in result.solutions.items():
        lines.append(
            f"{name:<10} distance to reference {found.loss_before:.4f} -> {found.loss_after:.4f} "
            f"(reduction {round(found.reduction or 0.0)} %), {found.evaluations} evaluations in {found.seconds:.1f} s: "
            f"{found.stop}"
        )
    lines += [f"note: {note}" for note in result.notes]
    written = [name for name in NAMES if name != "stems" or result.layout.kind == "stems"]
    lines.append(f"{outdir}: {', '.join(written)}")
    return "\n".join(lines)
