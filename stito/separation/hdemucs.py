"""The `hdemucs` separator: Hybrid Demucs as torchaudio has it.

Of torchaudio the model's definition is all that is needed, one file of plain torch; it is loaded by itself, because
the package as a whole only loads beside the torch that it was built with.

Source: Défossez, "Hybrid spectrogram and waveform source separation", ISMIR 2021 workshop.
"""

from __future__ import annotations

import importlib.util
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import torch
from torch import Tensor

from stito.errors import MissingDependencyError, MissingFileError, WeightsError
from stito.models.weights import digest_of_file
from stito.separation.overlap import at_one_level, overlap_add

__all__ = ["HDemucs"]

SOURCES = ("drums", "bass", "other", "vocals")
URL = "https://download.pytorch.org/torchaudio/models/hdemucs_high_trained.pt"
SHA256 = "a004b2790d73ffeaa535db458a1a79b539dfdbafbccc31f275d07e632ebd7816"
"""The weights of `torchaudio.pipelines.HDEMUCS_HIGH_MUSDB_PLUS`."""
SEGMENT_S, STEP_S = 10, 7.5


class HDemucs:
    """A mix into drums, bass, other and vocals.

    Args:
        weights: a file of weights in torchaudio's format; without one those of the pipeline HDEMUCS_HIGH_MUSDB_PLUS,
            which are downloaded once, to where torchaudio keeps them (335 MB).

    Raises:
        MissingDependencyError: torchaudio is not installed.
        MissingFileError, WeightsError: the weights are not there, cannot be downloaded, or are damaged.
    """

    name: ClassVar[str] = "hdemucs"
    sample_rate: ClassVar[int] = 44_100

    def __init__(self, weights: str | Path = "") -> None:
        definition = _definition()
        path = Path(weights) if str(weights) else _published()
        state = _state(path)
        self._net = _network(definition, state, path)
        self.digest = digest_of_file(path)

    @torch.no_grad()
    def separate(self, x: Tensor, on_progress: Callable[[float], None] | None = None) -> dict[str, Tensor]:
        """The stems (2, t) of a mix (2, t)."""
        segment, step = (round(seconds * self.sample_rate) for seconds in (SEGMENT_S, STEP_S))
        stems = at_one_level(lambda level: overlap_add(self._net, level, segment, step, on_progress), x)
        return dict(zip(SOURCES, stems, strict=True))


def _definition() -> ModuleType:
    """The file of torchaudio that defines the model."""
    spec = importlib.util.find_spec("torchaudio")  # which imports nothing
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            "The separator hdemucs needs torchaudio.",
            hint="Install it with: pip install 'stito[torchaudio]', or use --separator demucs.",
        )
    name = "stito.separation._torchaudio_hdemucs"
    if name in sys.modules:
        return sys.modules[name]
    file = Path(spec.submodule_search_locations[0]) / "models" / "_hdemucs.py"
    alone = importlib.util.spec_from_file_location(name, file)
    if alone is None or alone.loader is None or not file.is_file():
        raise MissingDependencyError(
            "This torchaudio has no Hybrid Demucs.", hint="Install torchaudio 2.0 or later, or use demucs."
        )
    module = importlib.util.module_from_spec(alone)
    alone.loader.exec_module(module)
    sys.modules[name] = module
    return module


def _network(definition: ModuleType, state: dict[str, Tensor], path: Path) -> Any:
    """A model of the sizes that its weights have."""
    try:
        depth = 1 + max(int(key.split(".")[1]) for key in state if key.startswith("freq_encoder."))
        channels = state["freq_encoder.0.conv.weight"].shape[0]
        made = definition.HDemucs(sources=list(SOURCES), channels=channels, nfft=4096, depth=depth)
        made.load_state_dict(state)
    except Exception as error:  # keys, shapes, or no weights of any kind
        raise WeightsError(
            f"{path} has no Hybrid Demucs of torchaudio: {error}",
            hint="Files of the demucs package go to --separator demucs:FOLDER.",
        ) from error
    return made.eval()


def _state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise MissingFileError(f"{path} is not there.", hint="Name a file of weights: --separator hdemucs:FILE.pt")
    try:
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, KeyError) as error:
        raise WeightsError(f"{path} cannot be read: {error}", hint="Delete it, and download it again.") from error
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
