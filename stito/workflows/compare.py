"""Several methods on one pair: the same input, reference, encoder and budget, side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stito.audio import write_atomic
from stito.engine.methods.base import by_stem, load_method, method_names
from stito.engine.result import Outcome
from stito.engine.solve import context_for
from stito.errors import ChainError, SettingsError, StitoError
from stito.files.names import file_name
from stito.mix import Mix
from stito.report.build import Sounds, Sources, effects_of, sounds_of
from stito.report.data import ComparedMethod, ComparedRow, ComparisonData, EffectSettings, Fact, Headline
from stito.report.html import write_comparison
from stito.terminal import text_table
from stito.workflows.folder import prepare
from stito.workflows.result import TransferResult
from stito.workflows.transfer import Transfer, run_transfer

__all__ = ["compare_methods", "table"]

PAGE, ROWS = "compare.html", "compare.json"

SEARCH = "cma"
"""The search that is compared where none is named."""


@dataclass
class _Compared:
    """What is kept of each method while the others run."""

    methods: list[ComparedMethod] = field(default_factory=list)
    sounds: list[Sounds] = field(default_factory=list)
    settings: list[Mapping[str, Sequence[EffectSettings]]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def compare_methods(
    engine: Transfer,
    source: Path,
    reference: Path,
    outdir: Path,
    methods: Sequence[str] = (),
    *,
    force: bool = False,
) -> list[dict[str, Any]]:
    """Run each method into `outdir/<method>`; one row per method and matched stem, also written to compare.json.

    compare.html plays them all beside input and reference, and has their settings side by side. The engine's other
    options are those of every method. Without `methods` all that search nothing are taken, and `cma`, as far as they
    apply to such a pair and chain. If one fails or is interrupted, those before it are kept.

    Raises:
        SettingsError: one of the methods does not apply; nothing has been run then.
    """
    wanted = methods or [*method_names(direct=True), SEARCH]
    prepare(outdir, force=force, names=(PAGE, ROWS))
    for method in wanted:
        prepare(outdir / file_name(method), force=force)
    mix, target = engine.read(source, reference)
    why_not = {method: _refusal(replace(engine, method=method), mix, target) for method in wanted}
    refused = [why for method, why in why_not.items() if why and method in methods]
    if refused:
        raise refused[0]
    folders = {method: outdir / file_name(method) for method, why in why_not.items() if why is None}
    del mix, target
    compared = _Compared(notes=[f"{method}: {why.message}" for method, why in why_not.items() if why])
    try:
        for method, folder in folders.items():
            started = time.perf_counter()
            result = run_transfer(replace(engine, method=method), source, reference, folder, force=True)
            _keep(compared, method, result, time.perf_counter() - started)
    finally:
        if compared.rows:
            write_atomic(outdir / ROWS, json.dumps(compared.rows, indent=2) + "\n", overwrite=True)
            write_comparison(outdir / PAGE, _page(result.sources, compared, result))
    return compared.rows


def _refusal(engine: Transfer, mix: Mix, reference: Mix) -> StitoError | None:
    """Why a method does not apply to such a pair and chain; None if it does."""
    method = load_method(engine.method)
    if mix.kind == "stems" and reference.kind == "mix" and len(mix.stems) > 1 and not method.joint:
        return by_stem(method)
    try:
        method.check(context_for(mix, engine))
    except (ChainError, SettingsError) as error:
        return error
    return None


def _keep(compared: _Compared, method: str, result: TransferResult, whole_s: float) -> None:
    solutions, sources = result.solutions, result.sources
    length_s = sources.duration_s
    seconds = sum(solution.seconds for solution in solutions.values()) + result.render_seconds
    before = sum(solution.loss_before for solution in solutions.values()) / len(solutions)
    after = sum(solution.loss_after for solution in solutions.values()) / len(solutions)
    evaluations = sum(solution.evaluations for solution in solutions.values())
    compared.methods.append(
        ComparedMethod(method, Headline(before, after), evaluations, seconds, seconds / length_s, file_name(method))
    )
    rendered = result.rendered
    compared.sounds.append(sounds_of(rendered, sources.start_s))
    master = {"mix": result.preset.master} if result.preset.master else {}
    strips = master | dict(result.preset.stems)
    compared.settings.append({name: effects_of(strip) for name, strip in strips.items()})
    compared.notes += [note for note in result.notes if note not in compared.notes]
    compared.rows += [
        {
            "method": method,
            "stem": name,
            "loss_before": solution.loss_before,
            "loss_after": solution.loss_after,
            "evaluations": solution.evaluations,
            "search_seconds": round(solution.seconds, 3),
            "render_seconds": round(result.render_seconds, 3),
            "real_time": round(seconds / length_s, 4),
            "transfer_seconds": round(whole_s, 3),
            "stop": solution.stop,
        }
        for name, solution in solutions.items()
    ]


def _page(sources: Sources, compared: _Compared, last: Outcome) -> ComparisonData:
    before, after = sources.sounds
    provenance = last.preset.provenance
    facts = [Fact("Encoder", provenance.encoder), Fact("Seed", str(provenance.seed))] if provenance else []
    rows = []
    for name, source in before.items():
        clips = [source.clip]
        clips += [
            replace(sounds[name].clip, label=method.name)
            for method, sounds in zip(compared.methods, compared.sounds, strict=True)
        ]
        clips += [after[name].clip] if name in after else []
        rows.append(ComparedRow(name, clips, _knobs([settings.get(name, ()) for settings in compared.settings])))
    return ComparisonData(sources.title, compared.methods, rows, facts, compared.notes)


def _knobs(methods: Sequence[Sequence[EffectSettings]]) -> list[tuple[str, Any, list[float | None]]]:
    """Every knob that any method sets, in the order of the first that does, and its value by method."""
    values = [{(effect.label, knob.name): knob for effect in effects for knob in effect.knobs} for effects in methods]
    known = {place: knob for method in values for place, knob in method.items()}
    return [
        (label, knob, [method[label, name].value if (label, name) in method else None for method in values])
        for (label, name), knob in known.items()
    ]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as text, the best method of each stem first."""
    heads = ("stem", "method", "before", "after", "evaluations", "seconds", "real time")
    cells = [
        (
            row["stem"],
            row["method"],
            f"{row['loss_before']:.4f}",
            f"{row['loss_after']:.4f}",
            str(row["evaluations"]),
            f"{row['search_seconds']:.1f}",
            f"{row['real_time']:.2f}",
        )
        for row in sorted(rows, key=lambda row: (row["stem"], row["loss_after"]))
    ]
    return text_table(heads, cells, align="llrrrrr")
