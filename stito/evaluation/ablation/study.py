"""The whole ablation, from a recipe and a cache to a folder: trainings, rows, tables, result.json, a page.

Of each seed all variants are trained, on the same batches, then tried together on the same degraded mixes. Whatever is
finished is kept: the same command goes on with what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stito.errors import StitoError
from stito.evaluation import plots
from stito.evaluation.ablation.outcome import Outcome
from stito.evaluation.ablation.rows import Detection, Row, Rows
from stito.evaluation.ablation.variants import Variant
from stito.evaluation.degradations.cases import Plan
from stito.evaluation.degradations.outcome import ALL
from stito.evaluation.degradations.outcome import Outcome as Detected
from stito.evaluation.degradations.study import OWN, cache_sources, demo_sources, study_degradations
from stito.evaluation.folder import markdown, write_pages
from stito.evaluation.page import Picture, render_template
from stito.files.locks import sole_writer
from stito.files.names import file_name
from stito.models.loading import load_encoder
from stito.models.weights import load_weights, read_header
from stito.pages import data_url
from stito.training.loop import FINAL, LAST, Stop
from stito.training.loop import Outcome as Trained
from stito.training.recipe import Recipe
from stito.training.start import train
from stito.training.tasks.mix_batches import MixBatch

__all__ = ["ROWS", "study_ablation", "write_study"]

ROWS = "rows.jsonl"


def study_ablation(
    recipe: Recipe,
    variants: Sequence[Variant],
    outdir: Path,
    *,
    data: Path | None,
    seeds: int,
    plan: Plan,
    learn: str = "train",
    split: str = "test",
    device: str = "auto",
    on_step: Callable[[str], None] | None = None,
) -> Outcome:
    """Train every variant with every seed, and measure how well each tells degraded mixes from good ones.

    Args:
        recipe: what the variants are variants of.
        variants: see `variants_of`.
        outdir: gets `rows.jsonl` and the trainings, `runs/<variant>-<seed>/`; what is there is not made again.
        data: a cache; None tries it out on the songs that stito composes.
        seeds: how many; from the recipe's on.
        plan: how much the detection is measured on.
        learn: the split of the cache that heads learn from.
        split: the songs that are tried.
        device: where to train.
        on_step: called with what is being done.

    Raises:
        OutputError: the folder is of another ablation, or another process works in it.
        KeyboardInterrupt: a training was interrupted; the same call goes on with it.
    """
    plots.require()
    say = on_step or (lambda text: None)
    learning, trial, sentence = demo_sources() if data is None else cache_sources(data, learn, split)
    identity = {"recipe": _without_seed(recipe), "data": sentence, "plan": asdict(plan)}
    with sole_writer(outdir):
        kept = Rows(outdir / ROWS, identity)
        for seed in range(recipe.seed, recipe.seed + seeds):
            todo = [variant for variant in variants if not kept.has(variant.name, seed)]
            batches: dict[int, MixBatch] = {}
            for variant in todo:
                say(f"training: {variant.name}, seed {seed}")
                _train(variant.of(recipe, seed), _run(outdir, variant, seed), data, device, batches, say)
            if not todo:
                continue
            weights = {variant.name: _run(outdir, variant, seed) / FINAL for variant in todo}
            encoders = {name: load_encoder(path) for name, path in weights.items()}
            detected = study_degradations(encoders, learning, trial, sentence, plan, on_step=say)
            for name, path in weights.items():
                kept.add(_row(name, seed, path, detected))
    shown = {variant.name for variant in variants}
    rows = [row for row in kept.rows if row.variant in shown and recipe.seed <= row.seed < recipe.seed + seeds]
    order = [variant.name for variant in variants]
    rows.sort(key=lambda row: (order.index(row.variant), row.seed))
    return Outcome(recipe.name, sentence, recipe.optimiser.steps, rows)


def _run(outdir: Path, variant: Variant, seed: int) -> Path:
    return outdir / "runs" / f"{file_name(variant.name)}-{seed}"


def _train(
    recipe: Recipe,
    folder: Path,
    data: Path | None,
    device: str,
    batches: dict[int, MixBatch],
    say: Callable[[str], None],
) -> None:
    """Train to the end, from where an earlier call of the same recipe stopped."""
    if (folder / FINAL).is_file() and read_header(folder / FINAL)["recipe"] == recipe.model_dump(mode="json"):
        return
    resume = (folder / LAST).is_file() and not (folder / FINAL).is_file()
    try:
        outcome = _trained(recipe, folder, data, device, batches, resume=resume)
    except StitoError as error:
        if not resume:
            raise
        say(f"{folder.name} begins anew: {error}")
        outcome = _trained(recipe, folder, data, device, batches, resume=False)
    if outcome.stop is Stop.INTERRUPTED:
        raise KeyboardInterrupt


def _trained(
    recipe: Recipe, folder: Path, data: Path | None, device: str, batches: dict[int, MixBatch], *, resume: bool
) -> Trained:
    return train(
        recipe, folder, data=data, device=device, resume=resume, force=not resume, tensorboard=False, kept=batches
    )


def _row(name: str, seed: int, weights: Path, detected: Detected) -> Row:
    """What was measured of one training."""
    state, header = load_weights(weights)
    own = name + OWN
    return Row(
        name,
        seed,
        sum(values.numel() for values in state.values()),
        header["scores"]["score"],
        _detection(detected, name),
        _detection(detected, own) if own in detected.encoders else None,
    )


def _detection(detected: Detected, encoder: str) -> Detection:
    kinds = (ALL, *detected.faults)
    return Detection(
        {
            f"{severity:g}": {fault: round(detected.auc(encoder, severity, fault), 4) for fault in kinds}
            for severity in detected.plan.severities
        },
        {fault: round(detected.rank(encoder, fault), 4) for fault in kinds},
    )


def _without_seed(recipe: Recipe) -> dict[str, Any]:
    return {key: value for key, value in recipe.model_dump(mode="json").items() if key != "seed"}


def write_study(outdir: Path, outcome: Outcome, *, command: str = "") -> None:
    """`result.json`, `tables.md` and `report.html` in a folder, each whole or not at all."""
    tables = outcome.tables()
    caption = f"AUC at severity {outcome.severity}: a dot for each seed, a line at their mean."
    pictures = [Picture(data_url(plots.dots_png(outcome.points(), "AUC")), caption)]
    page = render_template("ablation.html.j2", outcome=outcome, tables=tables, pictures=pictures, command=command)
    write_pages(outdir, outcome, markdown("Ablation", outcome, tables), page)
