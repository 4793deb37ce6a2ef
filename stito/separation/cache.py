"""Separations on disk, by the content of the mix and the weights of the separator: minutes of work done once."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from stito.audio import read_audio, write_audio
from stito.errors import AudioError, MissingFileError, OutputError
from stito.files.atomic import replacing_folder

__all__ = ["SeparationCache"]

MOST_BYTES = 10 * 2**30
"""What is kept; what was used longest ago goes first."""


class SeparationCache:
    """Stems by key, in `$STITO_CACHE`, else in `stito` under `$XDG_CACHE_HOME` or `~/.cache`."""

    def __init__(self, folder: Path | None = None, most_bytes: int = MOST_BYTES) -> None:
        base = os.environ.get("STITO_CACHE")
        users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stito"
        self.folder = (folder or Path(base or users)) / "separations"
        self._most = most_bytes

    def load(self, key: str, sample_rate: int) -> dict[str, Tensor] | None:
        """The stems (2, t) of a key; None if they are not there, or not whole."""
        place = self.folder / key
        try:
            audios = {file.stem: read_audio(file) for file in sorted(place.glob("*.wav"))}
        except (AudioError, MissingFileError):
            return None
        if not audios or any(audio.sample_rate != sample_rate for audio in audios.values()):
            return None
        with contextlib.suppress(OSError):  # another process may have cleared it away by now
            os.utime(place)
        return {name: audio.samples for name, audio in audios.items()}

    def save(self, key: str, stems: Mapping[str, Tensor], sample_rate: int) -> None:
        """Keep stems; where the disk does not take them they are not kept, and nothing is lost but time."""
        place = self.folder / key
        with contextlib.suppress(OSError, OutputError):
            if self.load(key, sample_rate) is None:  # or it is damaged, and not somebody else's just now
                with replacing_folder(place) as part:
                    for name, stem in stems.items():
                        write_audio(part / f"{name}.wav", stem.to(torch.float32), sample_rate, subtype="FLOAT")
            self._prune()

    def _prune(self) -> None:
        kept = 0
        for place in sorted((p for p in self.folder.iterdir() if p.is_dir()), key=_used, reverse=True):
            kept += sum(file.stat().st_size for file in place.iterdir())
            if kept > self._most:
                shutil.rmtree(place, ignore_errors=True)


def _used(place: Path) -> float:
    return place.stat().st_mtime
