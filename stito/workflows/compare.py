"""Several methods on one pair: the same input, reference, encoder and budget, side by side."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from stito.audio import write_atomic
from stito.engine.result import Progress, TransferResult
from stito.engine.transfer import read_pair, refusal
from stito.report.build import Heard, clip_start, effects_of, hear, hear_mix
from stito.report.data import ComparedMethod, ComparedRow, ComparisonData, EffectSettings, Fact, Headline
from stito.report.html import write_comparison
from stito.terminal import text_table
from stito.workflows.transfer import file_name, prepare, run_transfer

__all__ = ["compare_methods", "table"]

PAGE, ROWS = "compare.html", "compare.json"

METHODS = ("match", "predict", "neural", "cma")
"""What is compared where nothing is said, as far as it applies."""


@dataclass
class _Compared:
    """What is kept of each method while the others run."""

    methods: list[ComparedMethod] = field(default_factory=list)
    heard: list[Heard] = field(default_factory=list)
    settings: list[Mapping[str, Sequence[EffectSettings]]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def compare_methods(
    source: Path,
    reference: Path,
    outdir: Path,
    methods: Sequence[str] = (),
    *,
    force: bool = False,
    on_step: Callable[[Progress], None] | None = None,
    stem: str | None = None,
    separator: str = "none",
    **options: Any,
) -> list[dict[str, Any]]:
    """Run each method into `outdir/<method>`; one row per method and matched stem, also written to compare.json.

    compare.html plays them all beside input and reference, and has their settings side by side. Without `methods`
    those of `METHODS` are taken that apply to such a pair and chain. If one fails or is interrupted, those before it
    are kept.

    Raises:
        SettingsError: one of the methods does not apply; nothing has been run then.
    """
    prepare(outdir, force=force, names=(PAGE, ROWS))
    for method in methods or METHODS:
        prepare(outdir / file_name(method), force=force)
    mix, target = read_pair(source, reference, stem=stem, separator=separator, on_step=on_step)
    asked = [options.get(name) for name in ("chain", "predictor")]
    why_not = {method: refusal(method, mix, target, *asked) for method in methods or METHODS}
    refused = [why for method, why in why_not.items() if why and method in methods]
    if refused:
        raise refused[0]
    folders = {method: outdir / file_name(method) for method, why in why_not.items() if why is None}
    start_s, length_s = clip_start(mix), mix.duration_s
    title = f"{mix.name} → {target.name}"
    before, after = hear_mix("input", mix, start_s), hear_mix("reference", target, start_s)
    del mix, target
    compared = _Compared(notes=[f"{method}: {why.message}" for method, why in why_not.items() if why])
    try:
        for method, folder in folders.items():
            started = time.perf_counter()
            result = run_transfer(
                source,
                reference,
                folder,
                force=True,
                on_step=on_step,
                method=method,
                stem=stem,
                separator=separator,
                **options,
            )
            _keep(compared, method, result, time.perf_counter() - started, start_s, length_s)
    finally:
        if compared.rows:
            write_atomic(outdir / ROWS, json.dumps(compared.rows, indent=2) + "\n", overwrite=True)
            write_comparison(outdir / PAGE, _page(title, compared, before, after, result))
    return compared.rows


def _keep(
    compared: _Compared, method: str, result: TransferResult, whole_s: float, start_s: float, length_s: float
) -> None:
    matches = result.matched.matches
    seconds = sum(match.seconds for match in matches.values()) + result.render_seconds
    before, after = (
        sum(getattr(match, f"loss_{when}") for match in matches.values()) / len(matches) for when in ("before", "after")
    )
    evaluations = sum(match.evaluations for match in matches.values())
    compared.methods.append(
        ComparedMethod(method, Headline(before, after), evaluations, seconds, seconds / length_s, file_name(method))
    )
    rendered = result.rendered
    compared.heard.append(hear("result", rendered.stems, rendered.mix, rendered.sample_rate, start_s))
    compared.settings.append({name: effects_of(strip) for name, strip in result.preset.stems.items()})
    compared.notes += [note for note in result.notes if note not in compared.notes]
    compared.rows += [
        {
            "method": method,
            "stem": name,
            "loss_before": match.loss_before,
            "loss_after": match.loss_after,
            "evaluations": match.evaluations,
            "search_seconds": round(match.seconds, 3),
            "render_seconds": round(result.render_seconds, 3),
            "real_time": round(seconds / length_s, 4),
            "transfer_seconds": round(whole_s, 3),
            "stop": match.stop,
        }
        for name, match in matches.items()
    ]


def _page(title: str, compared: _Compared, before: Heard, after: Heard, last: TransferResult) -> ComparisonData:
    provenance = last.preset.provenance
    facts = [Fact("Encoder", provenance.encoder), Fact("Seed", str(provenance.seed))] if provenance else []
    rows = []
    for name, source in before.items():
        clips = [source.clip]
        clips += [
            replace(heard[name].clip, label=method.name)
            for method, heard in zip(compared.methods, compared.heard, strict=True)
        ]
        clips += [after[name].clip] if name in after else []
        rows.append(ComparedRow(name, clips, _knobs([settings.get(name, ()) for settings in compared.settings])))
    return ComparisonData(title, compared.methods, rows, facts, compared.notes)


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
