"""The `demucs` separator: Hybrid Demucs and HT Demucs, through the demucs package.

Source: Défossez, "Hybrid spectrogram and waveform source separation", ISMIR 2021 workshop; Rouard et al., "Hybrid
transformers for music source separation", ICASSP 2023.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from stito.errors import MissingFileError, WeightsError
from stito.registry import parse_name
from stito.separation.overlap import at_one_level

__all__ = ["Demucs"]

DEFAULT_MODEL = "htdemucs"
OVERLAP = 0.25


class Demucs:
    """A mix into the stems that the model knows: of most, drums, bass, other and vocals.

    Nothing is drawn at random, so the same mix gives the same stems.

    Args:
        model: a model's name (`htdemucs`, `htdemucs_ft`, `hdemucs_mmi`, ...), which the demucs package downloads once;
            or a folder of models in its own format (`SIG.th`, bags as `NAME.yaml`), and behind another colon which one
            if it holds several. Such files are pickles, which can run code: name only folders that you trust.

    Raises:
        MissingFileError, WeightsError: the model is not there, cannot be downloaded, or is damaged.
    """

    name: ClassVar[str] = "demucs"

    def __init__(self, model: str = DEFAULT_MODEL) -> None:
        folder, which = parse_name(model)
        if Path(folder).is_dir():
            self._model = _local(Path(folder), which or "")
            self.digest = _digest_of_folder(Path(folder), which or "")
        else:
            self._model = _named(model)
            self.digest = hashlib.sha256(f"demucs {version('demucs')} {model}".encode()).hexdigest()
        self.sample_rate = int(self._model.samplerate)

    @torch.no_grad()
    def separate(self, x: Tensor, on_progress: Callable[[float], None] | None = None) -> dict[str, Tensor]:
        """The stems (2, t) of a mix (2, t)."""
        from demucs.apply import apply_model

        def tell(state: Mapping[str, Any]) -> None:
            if on_progress and state["state"] == "end":
                share = (state["segment_offset"] / x.shape[-1] + state["model_idx_in_bag"]) / state["models"]
                on_progress(min(1.0, share))

        def apply(level: Tensor) -> Tensor:
            made: Tensor = apply_model(self._model, level[None], shifts=0, split=True, overlap=OVERLAP, callback=tell)[
                0
            ]
            return made

        stems = at_one_level(apply, x)
        if on_progress:
            on_progress(1.0)
        return dict(zip(self._model.sources, stems, strict=True))


def _named(name: str) -> Any:
    """A published model, downloaded by the demucs package unless it has been before."""
    from demucs.pretrained import get_model
    from demucs.repo import ModelLoadingError

    try:
        return get_model(name)
    except ModelLoadingError as error:
        raise MissingFileError(
            f"demucs knows no model '{name}', and there is no such folder.",
            hint="Use htdemucs, htdemucs_ft, htdemucs_6s, hdemucs_mmi, mdx_extra, or a folder of models.",
        ) from error
    except OSError as error:  # what every kind of failing download is
        raise MissingFileError(
            f"The model '{name}' could not be downloaded: {error}.",
            hint="Go online once, or name a folder that holds it: --separator demucs:FOLDER",
        ) from error


def _local(folder: Path, which: str) -> Any:
    """A model, or a bag of models, of a folder; the only one if none is named."""
    from demucs.pretrained import get_model
    from demucs.repo import ModelLoadingError

    names = _models_of(folder)
    if not names:
        raise MissingFileError(f"{folder} holds no model of demucs.", hint="Models end in .th, bags of them in .yaml.")
    if not which and len(names) > 1:
        raise WeightsError(
            f"{folder} holds several models: {', '.join(names)}.", hint=f"Say which: demucs:{folder}:{names[0]}"
        )
    try:
        return get_model(which or names[0], repo=folder)
    except ModelLoadingError as error:
        raise WeightsError(f"{folder}: {error}", hint=f"It holds {', '.join(names)}.") from error
    except Exception as error:  # a pickle fails in any way it likes
        raise WeightsError(f"{folder}: the model cannot be loaded: {error}", hint="Download it again.") from error


def _models_of(folder: Path) -> list[str]:
    """Bags if there are any, else models."""
    bags = sorted(file.stem for file in folder.glob("*.yaml"))
    return bags or sorted(file.stem.split("-")[0] for file in folder.glob("*.th"))


def _digest_of_folder(folder: Path, which: str) -> str:
    digest = hashlib.sha256(which.encode())
    for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.th")]):
        digest.update(file.name.encode())
        with file.open("rb") as opened:
            digest.update(hashlib.file_digest(opened, "sha256").digest())
    return digest.hexdigest()
