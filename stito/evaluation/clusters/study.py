"""The whole evaluation of clusters, from encoders and sounds to a folder: tables, result.json, maps, a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stito.analysis.embeddings import embed, pairwise
from stito.analysis.sounding import sounding_stems
from stito.audio import write_atomic
from stito.errors import AudioError, SettingsError
from stito.evaluation import plots
from stito.evaluation.clusters.outcome import Outcome
from stito.evaluation.clusters.sounds import LabelledSound, chosen
from stito.evaluation.folder import NAMES, markdown, write_pages
from stito.evaluation.page import Picture, render_template
from stito.files.names import file_name
from stito.metrics import scikit
from stito.mix import Mix
from stito.models.encoder import Encoder, MixEncoder, digest_of
from stito.models.stem_batch import MixEmbedding, mix_distance
from stito.pages import data_url
from stito.streams import Purpose, derived_seed

__all__ = ["NAMES", "study_clusters", "write_study"]

SECONDS, COUNT = 10.0, 3
"""Of the excerpts of a mix that is embedded by its stems."""


def study_clusters(
    encoders: Mapping[str, Encoder],
    sounds: Sequence[LabelledSound],
    data: str,
    *,
    neighbours: int = 5,
    seed: int = 0,
    on_step: Callable[[str], None] | None = None,
) -> Outcome:
    """Embed every sound by every encoder, by label, and measure how far all are apart.

    A mix of stems is embedded by these where an encoder embeds mixes, else as their sum. Files that cannot be read are
    left out and named.

    Raises `SettingsError` for no encoder, or fewer than two classes.
    """
    if not encoders:
        raise SettingsError("No encoder to evaluate.", hint="For example: --encoder features")
    scikit.require()
    plots.require()
    say = on_step or (lambda text: None)
    read, skipped = [], []
    found: dict[str, list[Tensor | MixEmbedding]] = {label: [] for label in encoders}
    for sound in sounds:
        say(sound.name)
        try:
            mix = sound.read()
            embedded = {label: _embedded(encoder, mix) for label, encoder in encoders.items()}
        except AudioError as error:
            say(f"{sound.name} is left out: {error}")
            skipped.append(f"{sound.name}: {error}")
            continue
        read.append(sound)
        for label, of in embedded.items():
            found[label].append(of)
    places = {id(sound): n for n, sound in enumerate(read)}
    kept = chosen(read, len(read), seed)  # a class may have lost its sounds
    picks = [places[id(sound)] for sound in kept]
    return Outcome(
        {label: digest_of(encoder) for label, encoder in encoders.items()},
        data,
        neighbours,
        seed,
        [sound.name for sound in kept],
        [sound.label for sound in kept],
        {label: _distances(encoder, [found[label][n] for n in picks]) for label, encoder in encoders.items()},
        skipped,
    )


def _embedded(encoder: Encoder, mix: Mix) -> Tensor | MixEmbedding:
    """The embedding (dim,) of a sound, or of a mix by its stems: means over active excerpts."""
    if mix.kind != "stems" or not isinstance(encoder, MixEncoder):
        return embed(encoder, [mix])[0]
    with torch.no_grad():
        excerpts = sounding_stems(mix, encoder.stems, encoder.sample_rate, seconds=SECONDS, count=COUNT)
        found = [encoder.embed_mix(stems) for stems in excerpts]
    present = torch.stack([of.present for of in found]).any(0)
    return MixEmbedding(torch.stack([of.stems for of in found]).sum(0), present)


def _distances(encoder: Encoder, found: Sequence[Tensor | MixEmbedding]) -> NDArray[np.float64]:
    """How far all are apart, (n, n)."""
    mixes = [of for of in found if isinstance(of, MixEmbedding)]
    single = [of for of in found if not isinstance(of, MixEmbedding)]
    if mixes and single:
        raise SettingsError(
            "Some of the sounds have stems and others have not.",
            hint="Give a folder of one kind, or separate the others.",
        )
    if mixes:
        together = MixEmbedding(torch.cat([of.stems for of in mixes]), torch.cat([of.present for of in mixes]))
        apart = mix_distance(together, together)
    else:
        rows = torch.stack(single)
        apart = pairwise(encoder, rows, rows)
    return apart.numpy().astype(np.float64)


def write_study(outdir: Path, outcome: Outcome, *, command: str = "") -> None:
    """`result.json`, `tables.md`, `report.html` and `tsne-<encoder>.png` in a folder, each whole or not at all."""
    pictures = []
    for encoder, apart in outcome.distances.items():
        seed = derived_seed(outcome.seed, Purpose.EMBEDDING_MAP, encoder)
        png = plots.classes_png(apart, outcome.labels, seed=seed)
        write_atomic(outdir / f"tsne-{file_name(encoder)}.png", png, overwrite=True)
        caption = f"t-SNE of the distances by {encoder}. Colour and marker: the class. What lies together is alike."
        pictures.append(Picture(data_url(png), caption))
    tables = outcome.tables()
    page = render_template("clusters.html.j2", outcome=outcome, tables=tables, pictures=pictures, command=command)
    write_pages(outdir, outcome, markdown("Clusters", outcome, tables), page)
