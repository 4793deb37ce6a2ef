"""The whole evaluation of encoders, from names and a cache to a folder: tables, result.json, pictures, a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stito.audio import write_atomic
from stito.data.cache import Cache
from stito.data.contents import Contents
from stito.data.manipulation import load_manipulator
from stito.errors import SettingsError
from stito.evaluation import plots
from stito.evaluation.encoders.cases import Bench, Material, Plan
from stito.evaluation.encoders.disentanglement import FULL, measure_disentanglement
from stito.evaluation.encoders.outcome import Outcome
from stito.evaluation.encoders.outcome_tables import as_markdown
from stito.evaluation.encoders.retrieval import CANDIDATES, OWN, ROUNDS, measure_retrieval
from stito.evaluation.encoders.sensitivity import BASES, OTHERS, measure_sensitivity
from stito.evaluation.folder import NAMES, write_pages
from stito.evaluation.page import render_page
from stito.files.names import file_name
from stito.metrics import scikit
from stito.models.encoder import Encoder, digest_of
from stito.streams import Purpose, derived_seed

__all__ = ["NAMES", "DemoSongs", "cache_material", "study_encoders", "write_study"]

SMOKE = Plan(segments=4, configurations=3, seeds=2, seconds=1.0)
"""Enough to see that everything works; its figures mean nothing."""


def cache_material(folder: Path, split: str) -> tuple[Material, str]:
    """The songs of a cache's split as they are, without any variation, and a sentence that describes them."""
    cache = Cache.open(folder)
    material = Contents(cache, split=split, speed=0.0, swap_sides=False, flip_polarity=False)
    pieces = [piece for piece in cache.pieces if piece.split == split]
    songs = len({piece.song for piece in pieces})
    minutes = sum(piece.samples for piece in pieces) / cache.sample_rate / 60
    return material, (
        f"{folder.resolve().name}, split {split}: {songs} songs, {minutes:.0f} minutes of "
        f"{', '.join(material.stems)}, {cache.preparation}."
    )


class DemoSongs:
    """Stems of the songs that the code composes, as material: for trying things out without any file."""

    stems: tuple[str, ...] = ("bass", "drums")
    sentence = "songs composed by stito, for trying out: the figures mean nothing."

    def draw(self, stem: str, count: int, samples: int, generator: np.random.Generator) -> Tensor:
        """Segments (count, 2, samples), each of one of the songs, from anywhere on."""
        from stito.demo import SONGS

        songs = [_demo_song(name)[stem] for name in SONGS]
        rows = []
        for number in generator.permutation(count):
            song = songs[number % len(songs)]
            rows.append(song.roll(-int(generator.integers(song.shape[-1])), -1)[:, :samples])
        return torch.stack(rows)


def study_encoders(
    encoders: Mapping[str, Encoder],
    material: Material,
    data: str,
    plan: Plan,
    *,
    smoke: bool = False,
    on_step: Callable[[str], None] | None = None,
) -> Outcome:
    """Disentanglement, retrieval and sensitivity of encoders, by label; `smoke` does a little of each."""
    if not encoders:
        raise SettingsError("No encoder to evaluate.", hint="For example: --encoder features")
    scikit.require()
    plots.require()
    plan = replace(SMOKE, seed=plan.seed, device=plan.device) if smoke else plan
    bench = Bench(encoders, material, load_manipulator(), plan, on_step)
    candidates, own, rounds, bases, others = (4, 1, 2, 2, 4) if smoke else (CANDIDATES, OWN, ROUNDS, BASES, OTHERS)
    return Outcome(
        {label: digest_of(encoder) for label, encoder in encoders.items()},
        data,
        plan,
        measure_disentanglement(bench),
        tuple(measure_retrieval(bench, candidates=candidates, own=own, rounds=rounds)),
        tuple(measure_sensitivity(bench, bases=bases, others=others)),
    )


def write_study(outdir: Path, outcome: Outcome, *, command: str = "") -> None:
    """`result.json`, `tables.md`, `report.html` and `tsne-<encoder>.png` in a folder, each whole or not at all."""
    pictures = {}
    for encoder, clouds in outcome.disentanglement.clouds.items():
        single = {name: cloud for name, cloud in clouds.items() if name != FULL}
        if single:
            pictures[encoder] = plots.cloud_png(
                single, seed=derived_seed(outcome.plan.seed, Purpose.EMBEDDING_MAP, encoder)
            )
            write_atomic(outdir / f"tsne-{file_name(encoder)}.png", pictures[encoder], overwrite=True)
    write_pages(outdir, outcome, as_markdown(outcome), render_page(outcome, pictures, command))


@lru_cache(maxsize=4)
def _demo_song(name: str) -> dict[str, Tensor]:
    from stito.demo import compose

    return {stem: torch.from_numpy(audio.copy()) for stem, audio in compose(name, seconds=4.0).items()}
