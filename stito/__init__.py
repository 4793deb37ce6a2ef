"""stito makes your tracks sound like a reference.

It searches the settings of real audio effects, per stem, until a style encoder can no longer tell the result from the
reference, and gives back the audio and the settings.

>>> import stito
>>> result = stito.transfer("my-stems/", "reference.wav", method="cma")  # doctest: +SKIP
>>> result.settings["drums"]["compressor"]["ratio"]  # doctest: +SKIP
3.2

Names are imported when first used, so that `import stito` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from stito.version import __version__

if TYPE_CHECKING:
    import stito.functional as functional
    from stito.analysis.embeddings import distances, embed
    from stito.analysis.mixing import analyse
    from stito.audio import resample
    from stito.console.preset import Preset, load_preset
    from stito.console.strips import Rendered, render_preset
    from stito.effects.chain import Chain
    from stito.effects.chain_files import load_chain
    from stito.effects.effect import Effect, LinearEffect
    from stito.effects.param import Param
    from stito.engine.methods.base import Method
    from stito.engine.options import TransferOptions
    from stito.engine.result import Progress
    from stito.engine.solution import Solution
    from stito.errors import StitoError
    from stito.mix import Mix, read_mix
    from stito.models.converter import Converter
    from stito.models.encoder import Encoder
    from stito.models.loading import load_converter, load_encoder
    from stito.registry import Manifest, plugins
    from stito.search.base import Budget, Found, Patience, Search
    from stito.search.driver import minimise
    from stito.workflows.result import TransferResult
    from stito.workflows.transfer import Transfer, transfer

__all__ = [
    "Budget",
    "Chain",
    "Converter",
    "Effect",
    "Encoder",
    "Found",
    "LinearEffect",
    "Manifest",
    "Method",
    "Mix",
    "Param",
    "Patience",
    "Preset",
    "Progress",
    "Rendered",
    "Search",
    "Solution",
    "StitoError",
    "Transfer",
    "TransferOptions",
    "TransferResult",
    "__version__",
    "analyse",
    "distances",
    "embed",
    "functional",
    "load_chain",
    "load_converter",
    "load_encoder",
    "load_preset",
    "minimise",
    "plugins",
    "read_mix",
    "render_preset",
    "resample",
    "transfer",
]

_HOMES = {
    "Budget": "stito.search.base",
    "Chain": "stito.effects.chain",
    "Converter": "stito.models.converter",
    "Effect": "stito.effects.effect",
    "Encoder": "stito.models.encoder",
    "Found": "stito.search.base",
    "LinearEffect": "stito.effects.effect",
    "Manifest": "stito.registry",
    "Method": "stito.engine.methods.base",
    "Mix": "stito.mix",
    "Param": "stito.effects.param",
    "Patience": "stito.search.base",
    "Preset": "stito.console.preset",
    "Progress": "stito.engine.result",
    "Rendered": "stito.console.strips",
    "Search": "stito.search.base",
    "Solution": "stito.engine.solution",
    "StitoError": "stito.errors",
    "Transfer": "stito.workflows.transfer",
    "TransferOptions": "stito.engine.options",
    "TransferResult": "stito.workflows.result",
    "analyse": "stito.analysis.mixing",
    "distances": "stito.analysis.embeddings",
    "embed": "stito.analysis.embeddings",
    "load_chain": "stito.effects.chain_files",
    "load_converter": "stito.models.loading",
    "load_encoder": "stito.models.loading",
    "load_preset": "stito.console.preset",
    "minimise": "stito.search.driver",
    "plugins": "stito.registry",
    "read_mix": "stito.mix",
    "render_preset": "stito.console.strips",
    "resample": "stito.audio",
    "transfer": "stito.workflows.transfer",
}

__all__ = [*sorted(["__version__", "functional", *_HOMES])]


def __getattr__(name: str) -> Any:
    if name == "functional":
        return importlib.import_module("stito.functional")
    if name not in _HOMES:
        raise AttributeError(f"module 'stito' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
