"""Weights on disk: safetensors whose header describes what they are, how they were trained and their licences.

The header is JSON under the key `stito` of the file's metadata: `format`, `architecture` and `config` (what builds the
network), `recipe`, `data` and `licences` (what it was trained on), `scores` (what it reached), `version` (of stito);
and what was tuned to these weights: of an encoder `same_style_distance` and `learnt_effects` (`stito.models.encoder`),
of a predictor `guidance` (`stito.models.predictor`). No file of weights can run code.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from stito.audio import write_atomic
from stito.errors import MissingFileError, WeightsError
from stito.version import __version__

__all__ = ["FORMAT", "digest_of_file", "digest_of_weights", "freeze", "load_weights", "read_header", "save_weights"]

FORMAT = 1
KEY = "stito"
REQUIRED = ("architecture", "config")
DESCRIPTIVE = ("recipe", "data", "licences", "scores", "version", "same_style_distance", "learnt_effects", "guidance")
"""Keys of a header that do not change what the network computes."""
RENAMED = {"near": "same_style_distance", "ears": "backbone"}
"""Keys of headers in files of earlier versions, and what they are called now."""
RENAMED_TENSORS = {"ears.": "backbone.", "net.told.": "net.conditioning."}
"""How names of tensors began in files of earlier versions, and how they begin now."""


def save_weights(
    path: Path, state: Mapping[str, Tensor], header: Mapping[str, Any], *, half: bool = False, overwrite: bool = False
) -> None:
    """Write a network's state with its header; the file is there whole or not at all.

    `half` stores matrices and kernels in 16 bits: half the size, and as good for embeddings. Vectors (biases,
    the statistics of norms) are few and can be too large or small for 16 bits: they keep 32.

    Raises `WeightsError` if a value is not finite, or is too large for 16 bits.
    """
    missing = [key for key in REQUIRED if key not in header]
    if missing:
        raise WeightsError(f"The header of {path} lacks {' and '.join(missing)}.")
    stored = {name: _stored(name, tensor.detach().cpu(), half) for name, tensor in state.items()}
    text = json.dumps({"format": FORMAT, "version": __version__, **header}, sort_keys=True)
    write_atomic(path, safetensors.torch.save(stored, metadata={KEY: text}), overwrite=overwrite)


def load_weights(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state of a network, floats in 32 bits on the CPU, and the header.

    Raises `MissingFileError`, or `WeightsError` if the file is damaged, not of stito, or of a later format.
    """
    header = read_header(path)
    try:
        state = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise _damaged(path, error) from error
    named = {_current_name(name): tensor for name, tensor in state.items()}
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in named.items()}, header


def read_header(path: Path) -> dict[str, Any]:
    """The header of a file, without reading the weights; errors as those of `load_weights`."""
    return {RENAMED.get(key, key): value for key, value in _header_as_written(path).items()}


def _header_as_written(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise MissingFileError(f"{path}: no weights there.", hint="Weights are .safetensors files.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(KEY)
        header = json.loads(text) if text else None
    except (safetensors.SafetensorError, OSError, json.JSONDecodeError) as error:
        raise _damaged(path, error) from error
    if not isinstance(header, dict) or not isinstance(header.get("format"), int):
        raise WeightsError(
            f"{path} holds tensors, but not of stito: it has no header.",
            hint="Use a file that `stito train` wrote.",
        )
    if header["format"] > FORMAT:
        raise WeightsError(
            f"{path} has format {header['format']}; this version of stito reads up to {FORMAT}.",
            hint=f"Upgrade stito: this is {__version__}, the file is of {header.get('version', 'a later one')}.",
        )
    missing = [key for key in REQUIRED if key not in header]
    if missing:
        raise WeightsError(f"The header of {path} lacks {' and '.join(missing)}.", hint="Train or download it anew.")
    return header


def freeze(net: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Give a network the state that a file holds, for good; `WeightsError` if it is of another network."""
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path}: {error}", hint="Train it again with this version of stito.") from error
    net.eval().requires_grad_(False)


def digest_of_weights(path: Path) -> str:
    """The SHA-256, in hexadecimal, of all that determines what a network computes: presets name weights by it.

    That is every tensor, and the header without its descriptive keys: new scores make no other network. Errors are
    those of `load_weights`.
    """
    header = {key: value for key, value in _header_as_written(path).items() if RENAMED.get(key, key) not in DESCRIPTIVE}
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    with safetensors.safe_open(path, framework="np") as file:
        for name in sorted(file.keys()):
            tensor = file.get_tensor(name)
            digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
            digest.update(tensor.tobytes())
    return digest.hexdigest()


def digest_of_file(path: Path) -> str:
    """The SHA-256 of any file of weights, in hexadecimal."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise MissingFileError(f"{path}: no weights there.", hint="Weights are .safetensors files.") from error


def _current_name(tensor: str) -> str:
    """What a tensor is called now: some modules had another name in earlier versions."""
    for former, current in RENAMED_TENSORS.items():
        if tensor.startswith(former):
            return current + tensor.removeprefix(former)
    return tensor


def _stored(name: str, tensor: Tensor, half: bool) -> Tensor:
    if not tensor.is_floating_point():
        return tensor.contiguous()
    narrow = tensor.to(torch.float16) if half and tensor.dim() > 1 else tensor.float()
    if not narrow.isfinite().all():
        raise WeightsError(f"The weights '{name}' are not finite as {str(narrow.dtype).removeprefix('torch.')}.")
    return narrow.contiguous()


def _damaged(path: Path, error: Exception) -> WeightsError:
    return WeightsError(f"{path} is damaged or not safetensors: {error}.", hint="Train or download it anew.")
