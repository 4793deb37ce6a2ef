"""The first-party encoders, predictors and converters, announced exactly as a third party announces theirs."""

from stito.registry import Manifest

__all__ = ["MANIFEST"]

MANIFEST = Manifest(
    encoders={
        "features": "stito_encoders.features:Features",
        "fxencoder": "stito_encoders.fxencoder:FXencoder",
        "stem": "stito_encoders.stem:StemEncoder",
    },
    converters={"mixfxcloner": "stito_encoders.mixfxcloner:MixFXcloner"},
    predictors={"mixing": "stito_encoders:weights/mixing.predictor.safetensors"},
    defaults={"measured encoder": "features", "trained encoder": "fxencoder", "converter": "mixfxcloner"},
)
