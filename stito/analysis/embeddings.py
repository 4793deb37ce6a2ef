"""Embeddings of whole sounds, and distances between them, for people who want the numbers themselves."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stito.audio import check_writable, resample, write_atomic
from stito.engine.excerpts import active_starts, cut
from stito.errors import OutputError, SettingsError
from stito.mix import ArrayLike, Mix, read_mix
from stito.models.encoder import Encoder, distance, embed_excerpts
from stito.models.loading import load_encoder

__all__ = ["check_target", "distances", "embed", "embed_mix", "save_embeddings"]

SECONDS = 10.0
COUNT = 3


def embed(
    encoder: str | Path | Encoder, sounds: Iterable[Mix | str | Path | ArrayLike], *, sample_rate: int | None = None
) -> Tensor:
    """Embed sounds, resampling included.

    Args:
        encoder: an encoder, its name, or a file of weights.
        sounds: audio files, folders of stems (their sum is embedded), mixes, or arrays (channels, samples).
        sample_rate: of sounds that are arrays, in Hz.

    Shape:
        (sounds, encoder.dim): each the mean over three active excerpts of ten seconds.

    Raises:
        StitoError: as `read_mix` and `load_encoder`.
        SettingsError: an array without a sample rate.
    """
    of = load_encoder(encoder)
    return torch.stack([_embedded(of, mix.stereo_sum(), mix.sample_rate) for mix in _mixes(sounds, sample_rate)])


def distances(
    encoder: str | Path | Encoder,
    sounds_a: Iterable[Mix | str | Path | ArrayLike],
    sounds_b: Iterable[Mix | str | Path | ArrayLike],
    *,
    sample_rate: int | None = None,
) -> Tensor:
    """The distances between each of one list of sounds and each of another, in the encoder's embeddings.

    Args:
        encoder: an encoder, its name, or a file of weights.
        sounds_a: audio files, folders of stems (their sum is embedded), mixes, or arrays (channels, samples).
        sounds_b: likewise.
        sample_rate: of sounds that are arrays, in Hz.

    Shape:
        (sounds_a, sounds_b): 1 - cosine, or the root mean square difference, as the encoder declares. Compare them with
        `same_style_distance(encoder)`, the mean distance between different music under the same effects.

    Raises:
        StitoError: as `embed`.
    """
    of = load_encoder(encoder)
    ours, theirs = (embed(of, sounds, sample_rate=sample_rate) for sounds in (sounds_a, sounds_b))
    return pairwise(of, ours, theirs)


def pairwise(encoder: Encoder, ours: Tensor, theirs: Tensor) -> Tensor:
    """How far embeddings (n, dim) and (m, dim) lie apart, each from each: (n, m)."""
    return torch.stack([distance(encoder, row.expand_as(theirs), theirs) for row in ours])


def _mixes(sounds: Iterable[Mix | str | Path | ArrayLike], sample_rate: int | None) -> Iterator[Mix]:
    for sound in sounds:
        if isinstance(sound, Mix):
            yield sound
        elif isinstance(sound, str | Path):
            yield read_mix(sound)
        elif sample_rate is None:
            raise SettingsError("An array has no sample rate.", hint="Give sample_rate=44_100, or whatever it is.")
        else:
            yield Mix.from_arrays(sound, sample_rate)


def _embedded(encoder: Encoder, x: Tensor, sample_rate: int) -> Tensor:
    """The mean embedding (dim,) over active excerpts of (2, t)."""
    starts = active_starts(x, sample_rate, seconds=SECONDS, count=COUNT)
    excerpts = cut(x, sample_rate, starts, seconds=SECONDS)
    return embed_excerpts(encoder, [resample(excerpt, sample_rate, encoder.sample_rate) for excerpt in excerpts])[0]


def embed_mix(mix: Mix, encoder: str | Encoder) -> dict[str, NDArray[np.float32]]:
    """The embedding (dim,) of each stem and, where there are several, of their sum (`mix`).

    Each is the mean over three active excerpts of ten seconds.
    """
    of = load_encoder(encoder)
    sounds = {name: mix.stereo(name) for name in mix.stems}
    if len(sounds) > 1:
        sounds = {"mix": mix.stereo_sum(), **sounds}
    return {name: _embedded(of, x, mix.sample_rate).numpy().astype(np.float32) for name, x in sounds.items()}


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
