"""The first-party encoders and predictors, announced exactly as a third party announces theirs."""

from stito.registry import Manifest

__all__ = ["MANIFEST"]

MANIFEST = Manifest(
    encoders={
        "features": "stito_encoders.features:Features",
        "fxencoder": "stito_encoders.fxencoder:FXencoder",
    },
    predictors={"mixing": "stito_encoders:weights/mixing.predictor.safetensors"},
)
