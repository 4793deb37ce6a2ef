"""The `mixfxcloner`: a trained network that renders a stem in the style of a reference, in one pass.

Source: Koo et al., "Music mixing style transfer: a contrastive learning approach to disentangle audio effects",
ICASSP 2023. `recipes/mixfxcloner` trains it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from stito.errors import AudioError
from stito.models.encoder import embed_all
from stito.models.loading import load_conditioning
from stito.models.weights import digest_of_weights, freeze, load_weights
from stito_encoders.band_tcn import BandTCN
from stito_encoders.fronts import Fronts, build
from stito_encoders.tcn import WaveformTCN

__all__ = ["MixFXcloner"]

SHIPPED = Path(__file__).parent / "weights" / "mixfxcloner.safetensors"
FRONTS: Fronts = {"bands": BandTCN, "waveform": WaveformTCN}


class MixFXcloner:
    """A converter with its own weights, or those of a file; its styles are embeddings by encoders that it names.

    Raises:
        MissingFileError, WeightsError: the file is not there, does not fit the network that it describes, or was
            trained with encoders whose weights have changed.
    """

    name: ClassVar[str] = "mixfxcloner"
    sample_rate: ClassVar[int] = 44_100

    def __init__(self, weights: str | Path = SHIPPED) -> None:
        path = Path(weights)
        state, self.header = load_weights(path)
        self.digest = digest_of_weights(path)
        self.encoders = load_conditioning(self.header["encoders"], path)
        self.net = self.network(self.header["config"], sum(encoder.dim for encoder in self.encoders))
        freeze(self.net, {name.removeprefix("net."): tensor for name, tensor in state.items()}, path)
        self.reach, self.step = int(self.net.reach), int(self.net.step)  # type: ignore[arg-type]

    @staticmethod
    def network(config: Mapping[str, Any], style: int) -> nn.Module:
        """The untrained network for styles of so many dims that a recipe's `[network]` describes.

        `front` is `waveform` (as published; `blocks`, `kernel`, `width` for another size) or `bands` (small; `bands`,
        `width`, `blocks`, `kernel`, `hidden`, `dropout`, `rooms`). `WeightsError` for anything else.
        """
        return build(FRONTS, config, style)

    def embed(self, x: Tensor) -> Tensor:
        """The style (b, dim) of audio (b, 2, t) at 44.1 kHz."""
        return embed_all(self.encoders, x)

    def render(self, x: Tensor, reference: Tensor, own: Tensor) -> Tensor:
        """Audio (b, 2, t) at 44.1 kHz in the style `reference` (b, dim), where `own` (b, dim) is its own style."""
        if x.dim() != 3 or x.shape[1] != 2:
            raise AudioError(f"The mixfxcloner needs stereo audio (b, 2, t), not {tuple(x.shape)}.")
        if next(self.net.parameters()).device != x.device:
            self.net.to(x.device)
        rendered: Tensor = self.net(x, reference, own)
        return rendered

    def __repr__(self) -> str:
        return f"MixFXcloner(weights {self.digest[:12]})"
