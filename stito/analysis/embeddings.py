"""Embeddings of whole mixes, for people who want the vectors themselves."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stito.audio import check_writable, resample, write_atomic
from stito.engine.excerpts import active_starts, cut
from stito.errors import OutputError
from stito.mix import Mix
from stito.models.encoder import Encoder
from stito.models.encoders import load_encoder
from stito.search.objective import embed_excerpts

__all__ = ["check_target", "embed_mix", "save_embeddings"]

SECONDS = 10.0
COUNT = 3


def embed_mix(mix: Mix, encoder: str | Encoder) -> dict[str, NDArray[np.float32]]:
    """The embedding (dim,) of each stem and, where there are several, of their sum (`mix`).

    Each is the mean over three active excerpts of ten seconds.
    """
    of = load_encoder(encoder)
    sounds = {name: mix.stereo(name) for name in mix.stems}
    if len(sounds) > 1:
        sounds = {"mix": mix.stereo_sum(), **sounds}
    found = {}
    for name, x in sounds.items():
        starts = active_starts(x, mix.sample_rate, seconds=SECONDS, count=COUNT)
        excerpts = cut(x, mix.sample_rate, starts, seconds=SECONDS)
        heard = [resample(excerpt, mix.sample_rate, of.sample_rate) for excerpt in excerpts]
        found[name] = embed_excerpts(of, heard)[0].numpy().astype(np.float32)
    return found


def check_target(path: Path, *, overwrite: bool) -> None:
    """Fail early if embeddings could not be written there."""
    if path.suffix not in (".npz", ".json"):
        raise OutputError(f"{path}: embeddings are written as .npz or .json.", hint="For example: -o style.npz")
    check_writable(path, overwrite=overwrite)


def save_embeddings(path: Path, embeddings: dict[str, NDArray[np.float32]], *, overwrite: bool = False) -> None:
    """Write embeddings by name: arrays in an .npz, lists in a .json."""
    check_target(path, overwrite=overwrite)
    if path.suffix == ".json":
        text = json.dumps({name: vector.tolist() for name, vector in embeddings.items()}, indent=2) + "\n"
        write_atomic(path, text, overwrite=overwrite)
        return
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:  # np.savez has no arrays called `file`, and stems may be
        for name, vector in embeddings.items():
            with archive.open(f"{name}.npy", "w") as entry:
                np.lib.format.write_array(entry, vector)
    write_atomic(path, buffer.getvalue(), overwrite=overwrite)
