"""What the engine itself brings: its methods, searches and separators."""

from stito.registry import Manifest

__all__ = ["MANIFEST"]

MANIFEST = Manifest(
    methods={
        "match": "stito.engine.methods.direct:ClosedForm",
        "predict": "stito.engine.methods.direct:Predict",
        "ensemble": "stito.engine.methods.direct:Ensemble",
        "neural": "stito.engine.methods.neural:Neural",
    },
    searches={
        "cma": "stito.search.cma:Cma",
        "gradient": "stito.search.gradient:Gradient",
        "nevergrad": "stito.search.nevergrad:Nevergrad",
        "random": "stito.search.random:RandomSearch",
    },
    separators={
        "demucs": "stito.separation.demucs:Demucs",
        "hdemucs": "stito.separation.hdemucs:HDemucs",
        "scnet": "stito.separation.scnet:SCNet",
        "spleeter2": "stito.separation.spleeter:Spleeter2",
    },
)
