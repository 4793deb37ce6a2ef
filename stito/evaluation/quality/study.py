"""The whole evaluation of predicted scores, from a CSV and encoders to a folder: table, result.json, page, heads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stito import streams
from stito.analysis.quality import vectors_of
from stito.audio import write_atomic, write_audio
from stito.data.degradation.degradation import degrade, draw_faults
from stito.data.songs import SAMPLE_RATE
from stito.demo import SONGS, compose
from stito.errors import SettingsError
from stito.evaluation.folder import NAMES, markdown, write_pages
from stito.evaluation.page import render_template
from stito.evaluation.quality.outcome import Outcome, Predicted
from stito.evaluation.quality.scores import Scored
from stito.files.names import file_name
from stito.mix import read_mix
from stito.models.encoder import Encoder, digest_of
from stito.models.quality import ARCHITECTURE, HeadPlan, fit_head
from stito.models.weights import save_weights
from stito.streams import Purpose

__all__ = ["NAMES", "study_quality", "write_demo_scores", "write_study"]

FEWEST_SONGS = 3
SEVERITIES = (0.0, 0.3, 0.6, 1.0)


def study_quality(
    encoders: Mapping[str, Encoder],
    scored: Sequence[Scored],
    *,
    score: str,
    data: str,
    folds: int = 5,
    seconds: float = 6.0,
    excerpts: int = 4,
    plan: HeadPlan | None = None,
    seed: int = 0,
    on_step: Callable[[str], None] | None = None,
) -> tuple[Outcome, dict[str, tuple[dict[str, Tensor], dict[str, Any]]]]:
    """Predictions for every mix by heads that were fitted to other songs; and for each encoder a head fitted to all.

    Raises `SettingsError` for fewer than three songs, or mixes of which only some have stems.
    """
    songs = sorted({each.song for each in scored})
    if len(songs) < FEWEST_SONGS:
        raise SettingsError(
            f"Scores of {len(songs)} songs are too few to predict those of others.",
            hint="Give a column `song`, and mixes of three songs or more.",
        )
    folds = min(folds, len(songs))
    dealt = streams.generator(seed, Purpose.FOLDS, "songs").permutation(len(songs)) % folds
    fold = np.array([dealt[songs.index(each.song)] for each in scored])
    truth = torch.tensor([each.score for each in scored])
    vectors = _embedded(encoders, scored, seconds, excerpts, on_step)
    predicted, heads = {}, {}
    for label, of in vectors.items():
        guess = torch.empty(len(scored))
        for number in range(folds):
            inside = torch.from_numpy(fold == number)
            guess[inside] = fit_head(of[~inside], truth[~inside], plan, seed=seed)(of[inside])
        predicted[label] = guess.tolist()
        header = {**_header(encoders[label], score, data, plan), "seconds": seconds, "excerpts": excerpts}
        heads[label] = (fit_head(of, truth, plan, seed=seed).state_dict(), header)
    mixes = [
        Predicted(str(each.path), each.song, each.score, {label: predicted[label][number] for label in encoders})
        for number, each in enumerate(scored)
    ]
    digests = {label: digest_of(encoder) for label, encoder in encoders.items()}
    return Outcome(digests, score, data, folds, mixes), heads


def _embedded(
    encoders: Mapping[str, Encoder],
    scored: Sequence[Scored],
    seconds: float,
    excerpts: int,
    on_step: Callable[[str], None] | None,
) -> dict[str, Tensor]:
    found: dict[str, list[Tensor]] = {label: [] for label in encoders}
    for each in scored:
        if on_step:
            on_step(str(each.path))
        mix = read_mix(each.path)
        for label, encoder in encoders.items():
            found[label].append(vectors_of(encoder, mix, seconds=seconds, count=excerpts))
    if any(len({of.shape for of in vectors}) > 1 for vectors in found.values()):
        raise SettingsError(
            "Some of the mixes have stems and others have not.", hint="Give a CSV of one kind, or separate the others."
        )
    return {label: torch.stack(vectors) for label, vectors in found.items()}


def _header(encoder: Encoder, score: str, data: str, plan: HeadPlan | None) -> dict[str, Any]:
    """Of the weights of a head: what it reads, and what it predicts."""
    hidden = (plan or HeadPlan()).hidden
    return {
        "architecture": ARCHITECTURE,
        "config": {"hidden": hidden},
        "encoder": [encoder.name, digest_of(encoder)],
        "score": score,
        "data": data,
    }


def write_study(
    outdir: Path,
    outcome: Outcome,
    heads: Mapping[str, tuple[dict[str, Tensor], dict[str, Any]]],
    *,
    command: str = "",
) -> None:
    """`result.json`, `tables.md`, `report.html`, and `head-<encoder>.safetensors`, each whole or not at all."""
    table = outcome.table()
    page = render_template("quality.html.j2", outcome=outcome, tables=[table], command=command)
    write_pages(outdir, outcome, markdown(outcome.score, outcome, [table]), page)
    for label, (state, header) in heads.items():
        save_weights(outdir / f"head-{file_name(label)}.safetensors", state, header, overwrite=True)


def write_demo_scores(folder: Path, *, seconds: float = 3.0, versions: int = 2, seed: int = 0) -> Path:
    """Composed songs with faults, rendered to folders of stems, and a CSV whose score is their `severity`: its path.

    For trying out: a severity is what was done to a mix, and no judgement of anybody.
    """
    lines = ["path,severity,song"]
    for name in SONGS:
        stems = {stem: torch.from_numpy(x.copy()) for stem, x in compose(name, seconds=seconds).items()}
        for version in range(versions):
            for severity in SEVERITIES:
                here = streams.generator(seed, Purpose.DEGRADED_CASES, "demo", name, version)
                drawn = draw_faults(stems, SAMPLE_RATE, here, severity=severity, count=2)
                made, _ = degrade(stems, SAMPLE_RATE, drawn, here)
                out = folder / f"{name}-{version}-{severity:g}"
                out.mkdir(parents=True)
                for stem, x in made.items():
                    write_audio(out / f"{stem}.wav", x, SAMPLE_RATE, subtype="FLOAT")
                lines.append(f"{out.name},{severity:g},{name}")
    file = folder / "severity.csv"
    write_atomic(file, "\n".join(lines) + "\n")
    return file
