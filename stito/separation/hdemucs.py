"""The `hdemucs` separator: Hybrid Demucs with the weights that torchaudio publishes, through the demucs package.

Source: Défossez, "Hybrid spectrogram and waveform source separation", ISMIR 2021 workshop.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from stito.errors import MissingFileError, WeightsError
from stito.models.weights import digest_of_file
from stito.separation.overlap import at_one_level, overlap_add

__all__ = ["HDemucs"]

SOURCES = ("drums", "bass", "other", "vocals")
URL = "https://download.pytorch.org/torchaudio/models/hdemucs_high_trained.pt"
SHA256 = "a004b2790d73ffeaa535db458a1a79b539dfdbafbccc31f275d07e632ebd7816"
"""The weights of `torchaudio.pipelines.HDEMUCS_HIGH_MUSDB_PLUS`."""
SEGMENT_S, STEP_S = 10, 7.5
UNUSED = re.compile(r"tencoder\.\d+\.norm1\.")
"""torchaudio gives the last layer in time, which only hands on to the other branch, a norm that it never applies."""


class HDemucs:
    """A mix into drums, bass, other and vocals.

    Args:
        weights: a file of weights in torchaudio's format; without one those of the pipeline HDEMUCS_HIGH_MUSDB_PLUS,
            which are downloaded once, to where torchaudio keeps them (335 MB).

    Raises:
        MissingFileError, WeightsError: the weights are not there, cannot be downloaded, or are damaged.
    """

    name: ClassVar[str] = "hdemucs"
    sample_rate: ClassVar[int] = 44_100

    def __init__(self, weights: str | Path = "") -> None:
        path = Path(weights) if str(weights) else _published()
        state = _state(path)
        self._net = _network(state, path)
        self.digest = digest_of_file(path)

    @torch.no_grad()
    def separate(self, x: Tensor, on_progress: Callable[[float], None] | None = None) -> dict[str, Tensor]:
        """The stems (2, t) of a mix (2, t)."""
        segment, step = (round(seconds * self.sample_rate) for seconds in (SEGMENT_S, STEP_S))
        stems = at_one_level(lambda level: overlap_add(self._net, level, segment, step, on_progress), x)
        return dict(zip(SOURCES, stems, strict=True))


def _network(state: dict[str, Tensor], path: Path) -> Any:
    """A model of the sizes that its weights have."""
    from demucs.hdemucs import HDemucs as Network

    try:
        depth = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("freq_encoder."))
        channels = state["freq_encoder.0.conv.weight"].shape[0]
        made = Network(sources=list(SOURCES), channels=channels, nfft=4096, depth=depth)
        named = {re.sub(r"^(freq|time)_(en|de)coder\.", _named, key): value for key, value in state.items()}
        expected = made.state_dict()
        made.load_state_dict({key: named[key] for key in named if key in expected or not UNUSED.match(key)})
    except Exception as error:  # keys, shapes, or no weights of any kind
        raise WeightsError(
            f"{path} has no Hybrid Demucs of torchaudio: {error}",
            hint="Files of the demucs package go to --separator demucs:FOLDER.",
        ) from error
    return made.eval()


def _named(key: re.Match[str]) -> str:
    """What demucs calls the layers of both branches."""
    return f"{'t' if key[1] == 'time' else ''}{key[2]}coder."


def _state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise MissingFileError(f"{path} is not there.", hint="Name a file of weights: --separator hdemucs:FILE.pt")
    try:
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, KeyError, IndexError, ValueError) as error:
        raise WeightsError(
            f"{path} cannot be read: it is no file of such weights.", hint="Delete it, and download it again."
        ) from error
    return state


def _published() -> Path:
    """The pipeline's weights, downloaded whole or not at all."""
    path = Path(torch.hub.get_dir()) / "torchaudio" / "models" / URL.rpartition("/")[2]
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(URL, str(path), hash_prefix=SHA256)
    except OSError as error:
        raise MissingFileError(
            f"The weights of hdemucs could not be downloaded: {error}.",
            hint=f"Go online once, or fetch {URL} elsewhere and name the file: --separator hdemucs:FILE",
        ) from error
    except RuntimeError as error:
        raise WeightsError(f"The download of {URL} was not what it should be: {error}", hint="Try again.") from error
    return path
