"""What the engine itself brings: its exporters, methods, metrics, searches and separators."""

from stito.registry import Manifest

__all__ = ["MANIFEST"]

MANIFEST = Manifest(
    exporters={
        "csv": "stito.exporters.documents:CSV",
        "dawproject": "stito.exporters.dawproject:DAWPROJECT",
        "ir": "stito.exporters.impulse:IMPULSE",
        "json": "stito.exporters.documents:JSON",
        "pedalboard": "stito.exporters.scripts:PEDALBOARD",
        "reaper": "stito.exporters.reaper:REAPER",
        "text": "stito.exporters.documents:TEXT",
    },
    methods={
        "match": "stito.engine.methods.direct:ClosedForm",
        "predict": "stito.engine.methods.direct:Predict",
        "ensemble": "stito.engine.methods.direct:Ensemble",
        "neural": "stito.engine.methods.neural:Neural",
    },
    metrics={
        "left_right": "stito.metrics.spectral:LEFT_RIGHT",
        "mid_side": "stito.metrics.spectral:MID_SIDE",
        "loudness_lu": "stito.metrics.levels:LOUDNESS",
        "loudness_range_lu": "stito.metrics.levels:LOUDNESS_RANGE",
        "crest_db": "stito.metrics.levels:CREST",
        "true_peak_db": "stito.metrics.levels:TRUE_PEAK",
        "width_db": "stito.metrics.levels:WIDTH",
        "spectrum_db": "stito.metrics.levels:SPECTRUM",
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
