"""The whole evaluation on degraded mixes, from encoders and a cache to a folder: tables, result.json, a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from stito.analysis.findings import fault_finder
from stito.data.cache import Cache
from stito.data.mixes import Mixes, MixSource
from stito.data.songs import SAMPLE_RATE
from stito.demo.mixes import DemoMixes
from stito.errors import SettingsError
from stito.evaluation.degradations.cases import Plan, Version, learnt_from, tried_on
from stito.evaluation.degradations.outcome import Judged, Outcome
from stito.evaluation.folder import NAMES, markdown, write_pages
from stito.evaluation.page import render_template
from stito.models.encoder import Encoder, FaultFinder, digest_of
from stito.models.quality import fit_head, mix_vectors
from stito.stems import STEMS

__all__ = ["NAMES", "cache_sources", "demo_sources", "study_degradations", "write_study"]

SMOKE = Plan(places=1, severities=(0.5, 1.0), learning_places=2, learning_versions=2, seconds=1.0)
"""Enough to see that everything works; its figures mean nothing."""

OWN = ", own faults"
"""Behind the name of an encoder that finds faults itself: the largest severity that it predicts, without a head."""

OnStep = Callable[[str], None]


def cache_sources(folder: Path, learning: str, split: str) -> tuple[MixSource, MixSource, str]:
    """The songs to learn a head from and those to try it on, and a sentence that describes them."""
    if learning == split:
        raise SettingsError(
            f"A head cannot be tried on the songs that it learns from, those of '{split}'.",
            hint="Name two splits of the cache.",
        )
    cache = Cache.open(folder)
    first, second = Mixes(cache, split=learning), Mixes(cache, split=split)
    return (
        first,
        second,
        (
            f"{folder.resolve().name}, {cache.preparation}: heads learn from {len(first.songs)} songs of the split "
            f"{learning} and are tried on {len(second.songs)} of {split}."
        ),
    )


def demo_sources() -> tuple[MixSource, MixSource, str]:
    """The songs that stito composes, to learn from and to try on."""
    demo = DemoMixes()
    return demo, demo, "songs composed by stito, for trying out: the figures mean nothing."


def study_degradations(
    encoders: Mapping[str, Encoder],
    learning: MixSource,
    trial: MixSource,
    data: str,
    plan: Plan,
    *,
    smoke: bool = False,
    on_step: OnStep | None = None,
) -> Outcome:
    """Fit the same head on each encoder, by label, and try it on other songs; `smoke` does a little."""
    if not encoders:
        raise SettingsError("No encoder to evaluate.", hint="For example: --encoder features")
    for label, encoder in encoders.items():
        if encoder.sample_rate != SAMPLE_RATE:
            raise SettingsError(f"The encoder '{label}' does not take audio at {SAMPLE_RATE} Hz, as caches hold it.")
    plan = replace(SMOKE, seed=plan.seed) if smoke else plan
    say = on_step or (lambda text: None)
    severities, heads = [], {}
    learnt: dict[str, list[Tensor]] = {label: [] for label in encoders}
    for version in _told(learnt_from(learning, plan, SAMPLE_RATE), "learning", say):
        severities.append(version.severity)
        for label, encoder in encoders.items():
            learnt[label].append(_heard(encoder, version, plan))
    for label, vectors in learnt.items():
        heads[label] = fit_head(torch.stack(vectors), torch.tensor(severities), seed=plan.seed)
    judged = []
    for version in _told(tried_on(trial, plan, SAMPLE_RATE), "trial", say):
        predicted = {}
        for label, encoder in encoders.items():
            predicted[label] = float(heads[label](_heard(encoder, version, plan)[None])[0])
            if finder := fault_finder(encoder):
                predicted[label + OWN] = _largest(finder, _excerpts(version, plan))
        judged.append(Judged(version.song, version.place, version.fault, version.severity, predicted))
    digests = {label: digest_of(encoders[label.removesuffix(OWN)]) for label in judged[0].predicted}
    return Outcome(digests, data, plan, judged)


def _told(versions: Iterable[Version], use: str, say: OnStep) -> Iterator[Version]:
    """The versions, each new song announced."""
    song = ""
    for version in versions:
        if version.song != song:
            song = version.song
            say(f"{use}: {song}")
        yield version


def _excerpts(version: Version, plan: Plan) -> dict[str, Tensor]:
    """The stems as a batch (excerpts, 2, t) of what is heard of a place."""
    return {name: torch.stack(x.chunk(plan.excerpts, dim=-1)) for name, x in version.stems.items()}


def _heard(encoder: Encoder, version: Version, plan: Plan) -> Tensor:
    """The mean vector (d,) of the excerpts in which each stem sounds."""
    return mix_vectors(encoder, _excerpts(version, plan), STEMS).nanmean(0)


def _largest(encoder: FaultFinder, stems: Mapping[str, Tensor]) -> float:
    """The largest severity that an encoder itself predicts over the excerpts, for any fault of any stem."""
    with torch.no_grad():
        found = encoder.find_faults(stems)
    return max(float(severity.nanmean()) for faults in found.values() for severity in faults.values())


def write_study(outdir: Path, outcome: Outcome, *, command: str = "") -> None:
    """`result.json`, `tables.md` and `report.html` in a folder, each whole or not at all."""
    tables = outcome.tables()
    page = render_template("degradations.html.j2", outcome=outcome, tables=tables, command=command)
    write_pages(outdir, outcome, markdown("Degraded mixes", outcome, tables), page)
