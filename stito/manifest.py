"""What the engine itself brings: its searches."""

from stito.registry import Manifest

__all__ = ["MANIFEST"]

MANIFEST = Manifest(
    searches={
        "cma": "stito.search.cma:Cma",
        "gradient": "stito.search.gradient:Gradient",
        "nevergrad": "stito.search.nevergrad:Nevergrad",
        "random": "stito.search.random:RandomSearch",
    }
)
