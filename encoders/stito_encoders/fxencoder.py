"""The `fxencoder`: a trained embedding of audio effects that depends as little as possible on the content.

Source: Koo et al., "Music mixing style transfer: a contrastive learning approach to disentangle audio effects",
ICASSP 2023. `recipes/fxencoder` trains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from stito.errors import AudioError
from stito.models.weights import digest_of_weights, freeze, load_weights
from stito_encoders.fronts import Fronts, build
from stito_encoders.spectral_net import SpectralNet
from stito_encoders.waveform_net import WaveformNet

__all__ = ["FXencoder"]

SHIPPED = Path(__file__).parent / "weights" / "fxencoder.safetensors"
FRONTS: Fronts = {"spectral": SpectralNet, "waveform": WaveformNet}
SHORTEST_S = 0.1


class FXencoder:
    """A network's embedding of stereo audio of any length; of its own weights, or those of a file.

    Styles are compared by the angle between embeddings. `dim`, `digest` (SHA-256 of the weights),
    `same_style_distance` (the mean distance of different music under the same effects; 0 if it has not been measured)
    and `learnt_effects` are the file's.

    Raises:
        MissingFileError, WeightsError: the file is not there, or does not fit the network that it describes.
    """

    name: ClassVar[str] = "fxencoder"
    sample_rate: ClassVar[int] = 44_100

    def __init__(self, weights: str | Path = SHIPPED) -> None:
        path = Path(weights)
        state, self.header = load_weights(path)
        self.digest = digest_of_weights(path)
        self.same_style_distance = float(self.header.get("same_style_distance", 0.0))
        self.learnt_effects = frozenset(self.header.get("learnt_effects", ()))
        self.net = self.network(self.header["config"])
        freeze(self.net, state, path)
        self.dim = int(self.net.dim)  # type: ignore[arg-type]

    @staticmethod
    def network(config: Mapping[str, Any]) -> nn.Module:
        """The untrained network, audio (b, 2, t) to embeddings (b, dim), that a recipe's `[network]` describes.

        `front` is `waveform` (as published; `layers` as [channels, kernel, stride] for another size) or `spectral`
        (small; `bands`, `width`, `depth`, `hidden`, `dim`, `rectified`). `WeightsError` for anything else.
        """
        return build(FRONTS, config)

    def embed(self, x: Tensor) -> Tensor:
        """The embedding (b, dim) of audio (b, 2, t) at 44.1 kHz; `AudioError` for other shapes or less than .1 s."""
        if x.dim() != 3 or x.shape[1] != 2 or x.shape[-1] < SHORTEST_S * self.sample_rate:
            raise AudioError(
                f"The fxencoder needs stereo audio (b, 2, t) of {SHORTEST_S:g} s or more, not {tuple(x.shape)}.",
                hint="Give it a few seconds.",
            )
        if next(self.net.parameters()).device != x.device:
            self.net.to(x.device)
        embedded: Tensor = self.net(x)
        return embedded

    def __repr__(self) -> str:
        return f"FXencoder({self.dim} dims, weights {self.digest[:12]})"
