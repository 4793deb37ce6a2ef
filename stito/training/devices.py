"""Where a training runs: one process or several, CPU or CUDA, through Lightning Fabric."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import torch

from stito.errors import MissingDependencyError, SettingsError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

__all__ = ["Precision", "make_fabric"]

Precision = Literal["auto", "float32", "bfloat16"]


def make_fabric(device: str = "auto", precision: Precision = "auto") -> Fabric:
    """A launched fabric on `auto`, `cpu` or `cuda`; under `torchrun`, this process's part of all.

    Raises `MissingDependencyError` without lightning-fabric, `SettingsError` for a device that is not there.
    """
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise MissingDependencyError(
            "Training needs lightning-fabric.", hint="Install it: pip install 'stito[train]'"
        ) from error
    if device not in ("auto", "cpu", "cuda"):
        raise SettingsError(f"There is no device '{device}' to train on.", hint="Known: auto, cpu, cuda.")
    if device == "cuda" and not torch.cuda.is_available():
        raise SettingsError("No CUDA device is available.", hint="Train on the CPU with --device cpu.")
    kind = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    wide = precision == "float32" or (precision == "auto" and (kind == "cpu" or not torch.cuda.is_bf16_supported()))
    if kind == "cuda":
        torch.set_float32_matmul_precision("high")
    processes = int(os.environ.get("WORLD_SIZE", 1))  # set by torchrun, as the next two are
    local = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    fabric = Fabric(
        accelerator=kind,
        devices=local,
        num_nodes=max(1, processes // local),
        strategy="ddp" if processes > 1 else "auto",
        precision="32-true" if wide else "bf16-mixed",
    )
    fabric.launch()
    return fabric
