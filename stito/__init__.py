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
    from stito.chain import Chain
    from stito.chains import load_chain
    from stito.console import render_preset
    from stito.errors import StitoError
    from stito.mix import Mix, read_mix
    from stito.preset import Preset, load_preset
    from stito.results import TransferResult
    from stito.search.base import Budget
    from stito.transfer import transfer

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
    "Chain": "stito.chain",
    "Mix": "stito.mix",
    "Preset": "stito.preset",
    "StitoError": "stito.errors",
    "TransferResult": "stito.results",
    "load_chain": "stito.chains",
    "load_preset": "stito.preset",
    "read_mix": "stito.mix",
    "render_preset": "stito.console",
    "transfer": "stito.transfer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'stito' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
