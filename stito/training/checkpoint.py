"""Checkpoints: all that a training needs to go on as if it had never stopped."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch

from stito.errors import MissingFileError, WeightsError
from stito.files.atomic import replacing

__all__ = ["FORMAT", "load_checkpoint", "save_checkpoint"]

FORMAT = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write plain dicts, numbers, text and tensors; the file before stays until the new one is complete."""
    with replacing(path, overwrite=True) as file:
        torch.save({"format": FORMAT, **state}, file)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What was saved, on the CPU. Nothing in the file is executed.

    Raises `MissingFileError`, or `WeightsError` if the file is damaged or of a later format.
    """
    if not path.is_file():
        raise MissingFileError(f"{path}: no checkpoint there to resume.", hint="Start the training without --resume.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, zipfile.BadZipFile) as error:
        raise WeightsError(
            f"{path} is damaged or no checkpoint: {str(error).splitlines()[0]}", hint="Start anew with --force."
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise WeightsError(
            f"{path} is no checkpoint that this version of stito can read.", hint="Upgrade stito, or use --force."
        )
    return state
