"""stito makes your tracks sound like a reference.

It searches the settings of real audio effects, stem by stem, until a style encoder can no longer tell the result from
the reference, and gives back the audio and the settings.

>>> import stito
>>> result = stito.transfer("my-stems/", "reference.wav", method="cma")  # doctest: +SKIP
>>> result.preset.stems["drums"]  # doctest: +SKIP

Names are imported when first used, so that `import stito` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from stito.version import __version__

if TYPE_CHECKING:
    from stito.console.preset import Preset, load_preset
    from stito.console.strips import render_preset
    from stito.effects.chain import Chain
    from stito.effects.chain_files import load_chain
    from stito.engine.result import TransferResult
    from stito.engine.transfer import transfer
    from stito.errors import StitoError
    from stito.mix import Mix, read_mix
    from stito.search.base import Budget

__all__ = [
    "Budget",
    "Chain",
    "Mix",
    "Preset",
    "StitoError",
    "TransferResult",
    "__version__",
    "load_chain",
    "load_preset",
    "read_mix",
    "render_preset",
    "transfer",
]

_HOMES = {
    "Budget": "stito.search.base",
    "Chain": "stito.effects.chain",
    "Mix": "stito.mix",
    "Preset": "stito.console.preset",
    "StitoError": "stito.errors",
    "TransferResult": "stito.engine.result",
    "load_chain": "stito.effects.chain_files",
    "load_preset": "stito.console.preset",
    "read_mix": "stito.mix",
    "render_preset": "stito.console.strips",
    "transfer": "stito.engine.transfer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'stito' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
